"""What `crosscale.transforms.preprocess` does, as plain tensor operations on a padded batch.

That one is faster: it works on bodies that are there only, whatever the lengths. A traced graph
needs the same operations for every clip, so clips are padded here, and turns are made without
angles. Both give the same numbers but for rounding.
"""

import torch
from torch import Tensor, nn

from crosscale.skeleton.layout import Layout
from crosscale.transforms.frames import centres
from crosscale.transforms.preprocess import SHORTEST_LINE, Preprocess


class Preparation(nn.Module):
    """Bring recordings to one length, place and facing."""

    def __init__(self, layout: Layout, settings: Preprocess) -> None:
        super().__init__()
        self.layout = layout
        self.settings = settings

    def forward(self, recordings: Tensor) -> tuple[Tensor, Tensor]:
        """Prepare a batch.

        Args:
            recordings: (N, L, M, V, 3) metres, y up; NaN where a body is absent. Shorter
                recordings are padded at the end with NaN.

        Returns:
            Coordinates (N, 3, T, V, M), zero for an absent body, and presence (N, M) bool.
        """
        begin, count = self._window(recordings)
        frame = torch.arange(recordings.shape[1], device=recordings.device)
        inside = (frame >= begin[:, None]) & (frame < (begin + count)[:, None])
        seen = (_shows(recordings) & inside.unsqueeze(2)).transpose(1, 2)  # (N, M, L)
        body_mask = seen.any(dim=2)
        first = body_mask.int().argmax(dim=1)
        rows = torch.where(recordings.isfinite(), recordings, 0.0).transpose(1, 2).flatten(3)
        places = self._resampled(rows, seen, begin, count)
        x = places - self._roots(rows, places, seen, first)
        x = self._turned(x, first).permute(0, 4, 2, 3, 1)
        return torch.where(body_mask[:, None, None, None, :], x, 0.0), body_mask

    def _window(self, recordings: Tensor) -> tuple[Tensor, Tensor]:
        """First frame and number of frames that count, (N,) each; see `Preprocess.length`."""
        if self.settings.length == "published":
            joint = recordings[:, :, 0, 0]
            moved = joint.isfinite().all(dim=2) & (joint != 0).any(dim=2)
            count = moved.sum(dim=1)
            return torch.zeros_like(count), count.clamp(min=1)
        somebody = _shows(recordings).any(dim=2)
        frame = torch.arange(somebody.shape[1], device=recordings.device)
        begin = somebody.int().argmax(dim=1)
        last = torch.where(somebody, frame, -1).amax(dim=1)
        return begin, (last + 1 - begin).clamp(min=1)

    def _resampled(self, rows: Tensor, seen: Tensor, begin: Tensor, count: Tensor) -> Tensor:
        """Rows (N, M, L, V * 3) at T frames, linear between those that show the body.

        Returns:
            (N, M, T, V, 3).
        """
        frame = torch.arange(seen.shape[2], device=seen.device)
        middles = centres(count.double(), self.settings.frames).clamp(min=0)
        at = begin[:, None] + middles.minimum((count - 1).double()[:, None])  # (N, T)
        floor, ceiling = at.floor().long()[:, None, :, None], at.ceil().long()[:, None, :, None]
        shown = seen.unsqueeze(2)  # (N, M, 1, L)
        low = torch.where(shown & (frame <= floor), frame, -1).amax(dim=3)
        high = torch.where(shown & (frame >= ceiling), frame, seen.shape[2]).amin(dim=3)
        before, after = low >= 0, high < seen.shape[2]
        low, high = torch.where(before, low, high), torch.where(after, high, low)
        apart = high - low
        share = ((at[:, None] - low) / apart.clamp(min=1)).clamp(0, 1)
        share = torch.where(apart > 0, share, 0.0).to(rows.dtype)[..., None, None]
        return torch.lerp(self._rows_at(rows, low), self._rows_at(rows, high), share)

    def _rows_at(self, rows: Tensor, frames: Tensor) -> Tensor:
        """Rows (N, M, L, V * 3) at `frames` (N, M, K): (N, M, K, V, 3); absent bodies' any."""
        at = frames.clamp(0, rows.shape[2] - 1).unsqueeze(3).expand(-1, -1, -1, rows.shape[3])
        return rows.gather(2, at).unflatten(3, (len(self.layout.joints), 3))

    def _roots(self, rows: Tensor, places: Tensor, seen: Tensor, first: Tensor) -> Tensor:
        """What is subtracted of places (N, M, T, V, 3): (N, M or 1, T or 1, 1, 3)."""
        if self.settings.root == "clip":
            places = self._rows_at(rows, seen.int().argmax(dim=2, keepdim=True))
        roots = places[..., list(self.layout.root), :].mean(dim=3, keepdim=True)
        return roots if self.settings.root == "body_frame" else _of_first(roots, first)

    def _turned(self, x: Tensor, first: Tensor) -> Tensor:
        """Bodies (N, M, T, V, 3) turned about y, see `crosscale.transforms.preprocess`."""
        if self.settings.facing == "none":
            return x
        line = _across(x, self.layout.shoulders)
        if self.settings.facing == "clip":
            line = (line + _across(x, self.layout.hips)).mean(dim=2, keepdim=True)
            cos, sin = _onto_x(_of_first(line, first))
        else:
            cos, sin = _published_turn(line)
        cos, sin = cos.to(x.dtype).unsqueeze(3), sin.to(x.dtype).unsqueeze(3)
        across, up, depth = x.unbind(dim=4)
        return torch.stack([cos * across - sin * depth, up, sin * across + cos * depth], dim=4)


def _shows(recordings: Tensor) -> Tensor:
    """(N, L, M) whether a frame shows a body."""
    return recordings[..., 0, 0].isfinite()


def _of_first(x: Tensor, first: Tensor) -> Tensor:
    """Of (N, M, ...), those of body `first` (N,): (N, 1, ...)."""
    index = first.view(-1, *[1] * (x.dim() - 1)).expand(-1, 1, *x.shape[2:])
    return x.gather(1, index)


def _across(x: Tensor, ends: tuple[int, int]) -> Tensor:
    """(N, M, T, 2) from the left to the right end, on the floor, in float64."""
    left, right = ends
    return (x[..., right, :] - x[..., left, :])[..., [0, 2]].double()


def _onto_x(line: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the turn that brings a line (..., 2) onto x; none without a length."""
    length = line.norm(dim=-1)
    is_short = length < SHORTEST_LINE
    length = torch.where(is_short, 1.0, length)
    cos, sin = line[..., 0] / length, -line[..., 1] / length
    return torch.where(is_short, 1.0, cos), torch.where(is_short, 0.0, sin)


def _published_turn(line: Tensor) -> tuple[Tensor, Tensor]:
    """The published turn of lines (N, M, T, 2): one sign per body, from the summed z."""
    cos = line[..., 0] / (line.norm(dim=-1) + 1e-4)
    sin = (1 - cos.square()).sqrt()
    away = line[..., 1].sum(dim=2, keepdim=True) >= 0
    return cos, torch.where(away, -sin, sin)
