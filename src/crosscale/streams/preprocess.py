"""From clips of any length to one tensor: gaps, root, length, facing.

The functions work on batches in a clip's own order, (N, T, M, V, C).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.streams.frames import between_frames, centres, take_frames

Root = Literal["clip", "frame", "body_frame"]
Facing = Literal["clip", "frame", "none"]
Length = Literal["present", "published"]

# A chunk of 32,768 body-frames of 25 joints is about 10 MB.
CHUNK_BODY_FRAMES = 32_768
SHORTEST_LINE = 1e-4  # metres; a shorter shoulder line says nothing about where a body faces


@dataclass(frozen=True)
class Preprocess:
    """How clips become a tensor.

    Attributes:
        frames: T, to which every clip is resampled.
        root: what is subtracted. `clip`: the first body's root at the first frame, which keeps
            trajectories and where two people stand to each other; `frame`: the first body's root
            in each frame; `body_frame`: each body's own root in each frame, as published.
        facing: `clip`: one turn about the vertical axis per clip; `frame`: one per frame and body,
            as published; `none`.
        length: `present`: from the first to the last frame in which somebody is there;
            `published`: as many frames, from the first, as have body 0's joint 0 away from zero.
        bodies: M; missing ones are absent, further ones are left out.
    """

    frames: int = 50
    root: Root = "clip"
    facing: Facing = "clip"
    length: Length = "present"
    bodies: int = 2

    def __post_init__(self) -> None:
        if self.frames < 1 or self.bodies < 1:
            raise CrosscaleError(
                f"preprocessing needs at least 1 frame and 1 body, not {self.frames} frames and "
                f"{self.bodies} bodies"
            )


PUBLISHED = Preprocess(root="body_frame", facing="frame", length="published")


@dataclass(frozen=True)
class ClipTensors:
    """Clips ready for streams and views.

    Attributes:
        coordinates: (N, C, T, V, M) float32, metres, finite; an absent body is all zeros.
        present: (N, M) bool, whether a body is there at all.
    """

    coordinates: Tensor
    present: Tensor


class CoordinateSource(Protocol):
    """What `load` needs of a store."""

    @property
    def layout(self) -> Layout:
        """The joints of all clips."""

    def coordinates(self, i: int) -> np.ndarray:
        """(T, M, V, C) of clip i, absent body-frames all NaN."""


def load(store: CoordinateSource, indices: Sequence[int], settings: Preprocess) -> ClipTensors:
    """The clips at `indices` of a store, in that order."""
    return preprocess([store.coordinates(int(i)) for i in indices], store.layout, settings)


def preprocess(clips: Sequence[np.ndarray], layout: Layout, settings: Preprocess) -> ClipTensors:
    """Bring clips to one length, place and facing.

    Args:
        clips: N arrays (T, M, V, C) in metres, absent body-frames all NaN.
        layout: their V joints.
        settings: what is done.

    Raises:
        CrosscaleError: when a clip does not fit the layout, or cannot be turned.
    """
    size = _check(clips, layout, settings)
    shape = (len(clips), size, settings.frames, len(layout.joints), settings.bodies)
    coordinates = torch.zeros(shape)
    present = torch.zeros(len(clips), settings.bodies, dtype=torch.bool)
    for chunk in _by_length(clips, settings.bodies):
        batch, length = padded([clips[i] for i in chunk], settings)
        filled, there = fill_gaps(batch)
        placed = root_relative(filled, there, layout, settings.root)
        resampled = resample(placed, length, settings.frames)
        turned = face_front(resampled, there, layout, settings.facing)
        coordinates[chunk] = turned.permute(0, 4, 1, 3, 2)
        present[chunk] = there
    return ClipTensors(coordinates, present)


def _check(clips: Sequence[np.ndarray], layout: Layout, settings: Preprocess) -> int:
    """The clips' common number of coordinates."""
    sizes = {clip.shape[-1] for clip in clips} or {3}
    joints = len(layout.joints)
    for i, clip in enumerate(clips):
        if clip.ndim != 4 or clip.shape[2] != joints or 0 in clip.shape:
            raise CrosscaleError(
                f"clip {i} has shape {clip.shape}; layout {layout.name} needs "
                f"(frames, bodies, {joints}, coordinates)"
            )
    if len(sizes) > 1:
        raise CrosscaleError(f"clips have {sorted(sizes)} coordinates; all need as many")
    size = sizes.pop()
    if size != 3 and settings.facing != "none":
        raise CrosscaleError(
            f"clips of {size} coordinates cannot be turned to the front: set facing to none"
        )
    return int(size)


def _by_length(clips: Sequence[np.ndarray], bodies: int) -> Iterator[list[int]]:
    """Positions of clips of about one length, in chunks that bound the padded memory."""
    chunk: list[int] = []
    for i in sorted(range(len(clips)), key=lambda i: len(clips[i])):
        if chunk and (len(chunk) + 1) * len(clips[i]) * bodies > CHUNK_BODY_FRAMES:
            yield chunk
            chunk = []
        chunk.append(i)
    if chunk:
        yield chunk


def padded(clips: Sequence[np.ndarray], settings: Preprocess) -> tuple[Tensor, Tensor]:
    """Copy clips into one batch, each without the frames that do not count.

    Returns:
        (N, T, M, V, C) with NaN where nothing is, and (N,) the number of frames of each clip.
    """
    parts = [counted_frames(clip[:, : settings.bodies], settings.length) for clip in clips]
    longest = max(len(part) for part in parts)
    batch = np.full((len(parts), longest, settings.bodies, *clips[0].shape[2:]), np.nan, np.float32)
    for row, part in zip(batch, parts, strict=True):
        row[: len(part), : part.shape[1]] = part
    return torch.from_numpy(batch), torch.tensor([len(part) for part in parts])


def counted_frames(clip: np.ndarray, length: Length) -> np.ndarray:
    """The part of a clip (T, M, V, C) that is resampled; never less than one frame."""
    if length == "published":
        first = clip[:, 0, 0]
        return clip[: max(1, int((np.isfinite(first) & (first != 0)).any(axis=-1).sum()))]
    somebody = np.flatnonzero(np.isfinite(clip).all(axis=(2, 3)).any(axis=1))
    if not len(somebody):
        return clip[:1]
    return clip[somebody[0] : somebody[-1] + 1]


def fill_gaps(x: Tensor) -> tuple[Tensor, Tensor]:
    """Interpolate a body's gaps; hold it before its first and after its last frame.

    Args:
        x: (N, T, M, V, C), absent body-frames NaN.

    Returns:
        the same without NaN, a body that is never there all zeros, and (N, M) who is there.
    """
    seen = x.isfinite().all(-1).all(-1).transpose(1, 2)  # (N, M, T)
    frame = torch.arange(x.shape[1], device=x.device).expand_as(seen)
    end = x.shape[1]
    before = torch.where(seen, frame, -1).cummax(-1).values
    after = torch.where(seen, frame, end).flip(-1).cummin(-1).values.flip(-1)
    low = torch.where(before < 0, after, before).clamp(max=end - 1)
    high = torch.where(after == end, before, after).clamp(min=0)
    share = (frame - low) / (high - low).clamp(min=1)
    there = seen.any(-1)
    tracks = x.transpose(1, 2).flatten(0, 1).nan_to_num()  # (N·M, T, V, C)
    filled = torch.lerp(
        take_frames(tracks, low.flatten(0, 1)),
        take_frames(tracks, high.flatten(0, 1)),
        share.flatten(0, 1)[..., None, None].to(x.dtype),
    )
    filled = filled.unflatten(0, seen.shape[:2]) * there[..., None, None, None]
    return filled.transpose(1, 2), there


def root_relative(x: Tensor, there: Tensor, layout: Layout, root: Root) -> Tensor:
    """Subtract the root from every body that is there; absent bodies stay zero.

    Args:
        x: (N, T, M, V, C) without gaps.
        there: (N, M).
        layout: its `root` joints' mean is a body's root.
        root: whose root, and when (see `Preprocess`).
    """
    roots = x[..., list(layout.root), :].mean(dim=-2, keepdim=True)  # (N, T, M, 1, C)
    if root != "body_frame":
        roots = _first_body(roots, there)
    if root == "clip":
        roots = roots[:, :1]
    return (x - roots) * there[:, None, :, None, None]


def _first_body(x: Tensor, there: Tensor) -> Tensor:
    """The first body that is there, of (N, T, M, ...) as (N, T, 1, ...)."""
    first = there.int().argmax(dim=1, keepdim=True)
    return take_frames(x.transpose(1, 2), first).transpose(1, 2)


def resample(x: Tensor, length: Tensor, frames: int) -> Tensor:
    """Resample the first `length` (N,) frames of each clip (N, T, ...) linearly to `frames`."""
    # Float64, or the places in long clips would be off by more than their coordinates.
    length = length.double()
    return between_frames(x, centres(length, frames).clamp(min=0).minimum(length[:, None] - 1))


def face_front(x: Tensor, there: Tensor, layout: Layout, facing: Facing) -> Tensor:
    """Turn about the vertical axis so that the line from left to right lies along x.

    Args:
        x: (N, T, M, V, 3), y up.
        there: (N, M).
        layout: gives shoulders and hips.
        facing: per clip, by the first body's shoulders and hips averaged over the clip; or per
            frame and body by its own shoulders, as published.
    """
    if facing == "none":
        return x
    if facing == "frame":
        return turn(x, _published_angle(_across(x, layout.shoulders)))
    first = _first_body(x, there)
    line = _across(first, layout.shoulders) + _across(first, layout.hips)
    return turn(x, _angle_to_x(line.mean(dim=1, keepdim=True)))


def turn(x: Tensor, angle: Tensor) -> Tensor:
    """Turn (N, T, M, V, 3) about y by `angle` in radians, broadcast over (N, T, M)."""
    cos, sin = angle.cos()[..., None].to(x.dtype), angle.sin()[..., None].to(x.dtype)
    across, up, depth = x.unbind(-1)
    return torch.stack([cos * across - sin * depth, up, sin * across + cos * depth], dim=-1)


def _across(x: Tensor, ends: tuple[int, int]) -> Tensor:
    """(N, T, M, 2) from the left to the right end, on the floor, in float64."""
    left, right = ends
    return (x[..., right, :] - x[..., left, :]).double()[..., [0, 2]]


def _angle_to_x(line: Tensor) -> Tensor:
    """The turn that brings a line on the floor (..., 2) onto x; none for a line of no length."""
    angle = -torch.atan2(line[..., 1], line[..., 0])
    return torch.where(line.norm(dim=-1) < SHORTEST_LINE, 0.0, angle)


def _published_angle(line: Tensor) -> Tensor:
    """The published turn of (N, T, M, 2): one sign per clip and body, from the summed z."""
    angle = torch.arccos(line[..., 0] / (line.norm(dim=-1) + 1e-4))
    away = line[..., 1].sum(dim=1, keepdim=True) >= 0
    return torch.where(away, -angle, angle)
