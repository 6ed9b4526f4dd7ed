"""From clips of any length to one tensor: gaps, length, root, facing.

Only bodies that are there are worked on, each as planes (P, C, T, V): P bodies of all clips.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscale.data.conversion import CoordinateSource, in_space
from crosscale.data.recordings import Recordings
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.resample import Samples, sample
from crosscale.transforms.settings import PUBLISHED as PUBLISHED
from crosscale.transforms.settings import Facing, Root, Size
from crosscale.transforms.settings import Preprocess as Preprocess

CHUNK = 64  # clips; a few megabytes, which stay in the processor's cache from step to step
BONE = 0.4  # metres, about the mean distance of neighbouring parts of an adult
SHORTEST_LINE = 1e-4  # metres; a shorter shoulder line says nothing about where a body faces


@dataclass(frozen=True)
class ClipTensors:
    """Clips ready for streams and views.

    Attributes:
        coordinates: (N, 3, T, V, M) float32, metres, finite; an absent body is all zeros. Clips
            in the plane have z = 0 and the size of an adult. In memory each body's planes lie
            together.
        body_mask: (N, M) bool, whether a body is there at all.
        final: (N,) bool, clips that differ from view to view by themselves, so that no view may
            change them; none where it is not given.
    """

    coordinates: Tensor
    body_mask: Tensor
    final: Tensor | None = None

    def take(self, clips: Tensor) -> "ClipTensors":
        """The clips of these numbers (K,), in that order; each part stays where it lies."""
        rows = clips.to(self.coordinates.device, non_blocking=True)
        own = clips.to(self.body_mask.device)
        final = None if self.final is None else self.final[own]
        return ClipTensors(self.coordinates[rows], self.body_mask[own], final)


class ClipSource(Protocol):
    """Preprocessed clips, taken by number."""

    def take(self, clips: Tensor) -> ClipTensors:
        """The clips of these numbers (K,), in that order."""


@dataclass(frozen=True)
class StoredClips:
    """Clips of a store that are preprocessed anew each time they are taken, so none is kept.

    Attributes:
        store: of any size; its frames are mapped.
        rows: (N,) of the clips in the store.
        settings: how they are preprocessed.
    """

    store: CoordinateSource
    rows: NDArray[np.int64]
    settings: Preprocess

    def take(self, clips: Tensor) -> ClipTensors:
        """The clips of these numbers (K,), in that order."""
        return load(self.store, self.rows[clips.numpy()].tolist(), self.settings)


def load(store: CoordinateSource, indices: Sequence[int], settings: Preprocess) -> ClipTensors:
    """The clips at `indices` of a store, in that order.

    Raises:
        CrosscaleError: when the clips cannot be turned.
    """
    parts = (
        store.recordings(indices[begin : begin + CHUNK]) for begin in range(0, len(indices), CHUNK)
    )
    return _preprocess(parts, len(indices), store.layout, settings)


def preprocess(clips: Sequence[np.ndarray], layout: Layout, settings: Preprocess) -> ClipTensors:
    """Bring clips to one length, place and facing.

    Args:
        clips: N arrays (T, M, V, 2 or 3), as `Clip` has them.
        layout: their V joints.
        settings: what is done.

    Raises:
        CrosscaleError: when a clip does not fit the layout, or cannot be turned.
    """
    _check(clips, layout)
    joints = len(layout.joints)
    parts = (
        Recordings.of(clips[begin : begin + CHUNK], joints) for begin in range(0, len(clips), CHUNK)
    )
    return _preprocess(parts, len(clips), layout, settings)


def _check(clips: Sequence[np.ndarray], layout: Layout) -> None:
    joints = len(layout.joints)
    for i, clip in enumerate(clips):
        if clip.ndim != 4 or clip.shape[2] != joints or 0 in clip.shape:
            raise CrosscaleError(
                f"clip {i} has shape {clip.shape}; layout {layout.name} needs "
                f"(frames, bodies, {joints}, coordinates)"
            )
    sizes = {clip.shape[-1] for clip in clips}
    if len(sizes) > 1 or not sizes <= {2, 3}:
        raise CrosscaleError(f"clips have {sorted(sizes)} coordinates; all need 2, or all need 3")


def _preprocess(
    parts: Iterable[Recordings], count: int, layout: Layout, settings: Preprocess
) -> ClipTensors:
    """Clips that come in parts of CHUNK, so that only one part's rows need be in memory."""
    shape = (count, settings.places, 3, settings.frames, len(layout.joints))
    planes, body_mask = torch.zeros(shape), torch.zeros(shape[:2], dtype=torch.bool)
    for number, recordings in enumerate(parts):
        chunk = slice(number * CHUNK, (number + 1) * CHUNK)
        part = in_space(recordings, layout)
        samples = sample(part, settings.frames, settings.bodies, settings.length)
        there = _seen(torch.from_numpy(samples.there), settings)
        planes[chunk][there] = _bodies(part.rows, samples, there, layout, settings)
        body_mask[chunk] = there
    return ClipTensors(planes.permute(0, 2, 3, 4, 1), body_mask)


def _seen(there: Tensor, settings: Preprocess) -> Tensor:
    """Which places (N, M) of clips are taken, by the bodies (N, B) that are there.

    With `each`, place i B + j is that of body j with body i as the reference.
    """
    if settings.reference == "first":
        return there
    return (there[:, :, None] & there[:, None]).flatten(1)


def _references(there: Tensor, settings: Preprocess) -> Tensor:
    """For each place that is taken, (P,), the number of that which holds its reference."""
    number = there.flatten().cumsum(0).view_as(there) - 1
    clip, place = there.nonzero(as_tuple=True)
    if settings.reference == "first":
        return number[clip, there.int().argmax(dim=1)[clip]]
    return number[clip, place // settings.bodies * (settings.bodies + 1)]


def _bodies(
    rows: np.ndarray, samples: Samples, there: Tensor, layout: Layout, settings: Preprocess
) -> Tensor:
    """What the places that are taken, (N, M), hold: planes (P, C, T, V)."""
    if settings.reference == "each":
        samples = samples.take(_again(samples.there))
    low, high = (torch.from_numpy(rows.take(row, axis=0)) for row in (samples.low, samples.high))
    share = torch.from_numpy(samples.share)[:, :, None, None]
    places = torch.lerp(low, high, share)  # (P, T, V, C)
    first = _references(there, settings)
    roots = _roots(rows, samples, places, first, layout, settings.root)
    planes = places.permute(0, 3, 1, 2)
    x = torch.empty(planes.shape)  # put in order while subtracting: a copy of its own takes longer
    torch.sub(planes, roots.permute(0, 3, 1, 2), out=x)
    return _sized(face_front(x, first, layout, settings.facing), first, layout, settings.size)


def _again(there: np.ndarray) -> np.ndarray:
    """Numbers of the bodies of each clip (N, B), all of them once for each of them."""
    number = there.cumsum().reshape(there.shape) - 1
    clip, _, body = np.nonzero(there[:, :, None] & there[:, None])
    return number[clip, body]


def placed(bodies: Tensor, layout: Layout, settings: Preprocess) -> ClipTensors:
    """Clips whose bodies all have their frames already, (N, B, 3, T, V), as `preprocess`."""
    count, own = bodies.shape[:2]
    there = torch.arange(settings.bodies).expand(count, -1) < own
    there = _seen(there, settings)  # stays on the host, see `StoreSource`
    first = _references(there, settings).to(bodies.device)
    again = own if settings.reference == "each" else 1
    planes = bodies.repeat(1, again, 1, 1, 1).flatten(0, 1)
    roots = planes[:, :, : 1 if settings.root == "clip" else None, list(layout.root)]
    roots = roots.mean(dim=3, keepdim=True)
    x = planes - (roots if settings.root == "body_frame" else roots[first])
    x = _sized(face_front(x, first, layout, settings.facing), first, layout, settings.size)
    coordinates = x.new_zeros(*there.shape, *x.shape[1:])
    coordinates[there.to(bodies.device)] = x
    return ClipTensors(coordinates.permute(0, 2, 3, 4, 1), there)


def seen_from(
    clips: ClipTensors, angle: Tensor, layout: Layout, settings: Preprocess
) -> ClipTensors:
    """Preprocessed clips as a camera sees them, in the plane; those without depth stay as they are.

    Args:
        clips: N of them.
        angle: (N,) radians by which they are turned about the vertical first.
        layout: theirs.
        settings: how they were preprocessed.
    """
    deep = (clips.coordinates[:, 2] != 0).flatten(1).any(dim=1)
    there = clips.body_mask.to(deep.device) & deep[:, None]
    clip, body = there.nonzero(as_tuple=True)
    first = _references(there, settings)
    x = turn(clips.coordinates[clip, ..., body], angle[clip, None])
    x[:, 2] = 0
    x = _sized(face_front(x, first, layout, settings.facing), first, layout, settings.size)
    coordinates = clips.coordinates.clone()
    coordinates[clip, ..., body] = x
    return replace(clips, coordinates=coordinates)


def _sized(x: Tensor, first: Tensor, layout: Layout, size: Size) -> Tensor:
    """Bodies (P, 3, T, V) scaled so that the first body's bones are of usual length in the mean."""
    if size == "kept":
        return x
    joints, parents = zip(*layout.edges, strict=True)
    bones = (x[..., list(joints)] - x[..., list(parents)]).norm(dim=1).mean(dim=2)  # (P, T)
    lengths = bones.median(dim=1).values[first]
    return x * torch.where(lengths < SHORTEST_LINE, 1.0, BONE / lengths)[:, None, None, None]


def _roots(
    rows: np.ndarray, samples: Samples, places: Tensor, first: Tensor, layout: Layout, root: Root
) -> Tensor:
    """What is subtracted of places (P, T, V, C): (P, T or 1, 1, C)."""
    if root == "clip":
        places = torch.from_numpy(rows[samples.start])[:, None]
    roots = places[:, :, list(layout.root)].mean(dim=2, keepdim=True)
    return roots if root == "body_frame" else roots[first]


def face_front(x: Tensor, first: Tensor, layout: Layout, facing: Facing) -> Tensor:
    """Turn about the vertical axis so that the line from left to right lies along x.

    Args:
        x: bodies (P, 3, T, V), y up.
        first: (P,) which body gives a clip's facing.
        layout: gives shoulders and hips.
        facing: per clip, by the first body's shoulders and hips averaged over the clip; or per
            frame and body by its own shoulders, as published; or per clip in the plane, by where
            the first body's spine points, averaged over the clip.
    """
    if facing == "none":
        return x
    if facing == "heading":
        ends = [x[..., list(pair)].mean(dim=3) for pair in (layout.shoulders, layout.hips)]
        spine = (ends[0] - ends[1])[:, :2].double().mean(dim=2)  # (P, 2)
        return _rolled(x, (math.pi / 2 - torch.atan2(spine[:, 1], spine[:, 0]))[first])
    if facing == "frame":
        return turn(x, _published_angle(_across(x, layout.shoulders)))
    line = _across(x, layout.shoulders) + _across(x, layout.hips)
    return turn(x, _angle_to_x(line.mean(dim=2, keepdim=True))[first])


def turn(x: Tensor, angle: Tensor) -> Tensor:
    """Turn bodies (P, 3, T, V) about y by `angle` in radians, (P, T) or (P, 1)."""
    cos, sin = (f(angle).to(x.dtype)[..., None] for f in (torch.cos, torch.sin))
    across, depth = x[:, 0], x[:, 2]
    turned = torch.empty_like(x)
    torch.sub(cos * across, sin * depth, out=turned[:, 0])
    turned[:, 1] = x[:, 1]
    torch.add(sin * across, cos * depth, out=turned[:, 2])
    return turned


def _rolled(x: Tensor, angle: Tensor) -> Tensor:
    """Turn bodies (P, 3, T, V) about z by `angle` in radians, (P,)."""
    cos, sin = (f(angle).to(x.dtype)[:, None, None] for f in (torch.cos, torch.sin))
    right, up, depth = x.unbind(dim=1)
    return torch.stack([cos * right - sin * up, sin * right + cos * up, depth], dim=1)


def _across(x: Tensor, ends: tuple[int, int]) -> Tensor:
    """(P, 2, T) from the left to the right end, on the floor, in float64."""
    left, right = ends
    return (x[..., right] - x[..., left])[:, [0, 2]].double()


def _angle_to_x(line: Tensor) -> Tensor:
    """The turn (P, T) that brings a line on the floor (P, 2, T) onto x; none without a length."""
    angle = -torch.atan2(line[:, 1], line[:, 0])
    return torch.where(line.norm(dim=1) < SHORTEST_LINE, 0.0, angle)


def _published_angle(line: Tensor) -> Tensor:
    """The published turn (P, T) of (P, 2, T): one sign per body, from the summed z."""
    angle = torch.arccos(line[:, 0] / (line.norm(dim=1) + 1e-4))
    away = line[:, 1].sum(dim=1, keepdim=True) >= 0
    return torch.where(away, -angle, angle)
