"""From the bodies that a sensor saw in each frame to one track a person.

The sensor gives every body that it follows an id, in no fixed order. It loses people and finds
them again under another id, and it takes chairs and tables for people. The published reader takes
the first two bodies of each frame by position, so that a track changes person whenever one
appears, leaves or changes place in the file (METHOD, "From a recording to a clip", 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from crosscale.data.clip import Clip
from crosscale.errors import BadClip

BodyRule = Literal["id", "position"]

# A frame shows no standing or sitting person when it is wider than 0.8 of its height, and a body
# is no person when that holds for seven of ten of its frames: the rule by which the field cleans
# NTU RGB+D (the data set's own advice, and the figures that CTR-GCN's preparation uses).
WIDE = 0.8
WIDE_FRAMES = 0.69754
# Bodies of up to 11 frames are noise by the same rule; here only beside a far longer one, so
# that short clips keep their people.
BRIEF_FRAMES = 11
BRIEF_SHARE = 0.25
# One person whose id changes stands in nearly the same place a moment later. Two people cannot be
# nearer than this without touching; a second is the longest the sensor takes to find one again.
BRIDGE_METRES = 0.5
BRIDGE_FRAMES = 30
# Standing still, joints wander by a centimetre or two; a body that acts moves by a decimetre.
STILL_METRES = 0.02
LIVELY_METRES = 0.1
# A person who lies or kneels is wide too, but furniture does not move: width tells a body from
# those only that move at least so much of its own motion.
ALIKE = 1 / 3


@dataclass(frozen=True)
class Sightings:
    """All bodies in all frames of one recording, one row a body and frame, in the file's order.

    Attributes:
        frames: number of frames of the recording, with or without bodies.
        frame: (B,) frame of each row, ascending.
        ids: B ids, as the sensor gave them.
        joints: (B, V, C) metres; all zero where the sensor gave a body without a place.
    """

    frames: int
    frame: np.ndarray
    ids: Sequence[str]
    joints: np.ndarray


@dataclass(frozen=True)
class Bodies:
    """The bodies of one clip.

    Attributes:
        coordinates: (T, M, V, C) metres, NaN where a body is absent.
        ids: M ids; people who changed theirs carry the first.
        notes: what was repaired, in words that begin alike for like things.
    """

    coordinates: np.ndarray
    ids: tuple[str, ...]
    notes: tuple[str, ...]

    def clip(self, name: str, **fields: Any) -> Clip:
        """The clip of these bodies; `fields` are the others of `Clip`."""
        return Clip(name, self.coordinates, self.ids, notes=self.notes, **fields)


@dataclass(frozen=True)
class Track:
    """One body through time.

    Attributes:
        name: its (first) id.
        frame: (L,) ascending frames that show it.
        joints: (L, V, C) metres.
    """

    name: str
    frame: np.ndarray
    joints: np.ndarray

    def followed_by(self, later: "Track") -> "Track":
        """This track and one that begins after its end, as one."""
        return Track(
            self.name,
            np.concatenate([self.frame, later.frame]),
            np.concatenate([self.joints, later.joints]),
        )

    @cached_property
    def narrowness(self) -> float:
        """Share of the frames in which the body is no wider than who stands or sits may be."""
        # with frames innermost, numpy compares many at once
        spread = np.ptp(np.ascontiguousarray(self.joints[..., :2].transpose(1, 2, 0)), axis=0)
        return float(np.mean(spread[0] <= WIDE * spread[1]))

    @property
    def motion(self) -> float:
        """How far a joint typically is from its mean place (root mean square, metres)."""
        return float(np.sqrt(self._variance))

    @cached_property
    def steady_motion(self) -> float:
        """The same without what leaps from frame to frame, as the joints of furniture do."""
        leaps = np.diff(self.joints, axis=0)
        noise = (leaps**2).sum(-1).mean() / 2 if len(leaps) else 0.0
        return float(np.sqrt(max(self._variance - noise, 0.0)))

    @cached_property
    def _variance(self) -> float:
        return float(self.joints.var(axis=0).sum(-1).mean())


def people(
    seen: Sightings,
    *,
    rule: BodyRule = "id",
    max_bodies: int = 2,
    max_frames: int | None = 300,
    upright: bool = True,
) -> Bodies:
    """The people of a recording, each in a slot of their own.

    Gaps inside a track stay NaN: filling them is preprocessing's affair. Frames without anybody
    are trimmed at both ends by the rule "id"; inside they stay.

    Args:
        seen: what the sensor gave.
        rule: "id" follows ids, bridges their changes, drops what is no person and keeps the best;
            "position" takes the first bodies of each frame by position, as published.
        max_bodies: how many bodies to keep at most.
        max_frames: how many frames to keep at most, from the start; None keeps all.
        upright: what is wider than high is furniture, as depth sensors see it, and no person.

    Raises:
        BadClip: when no frame shows a body.
    """
    notes: list[str] = []
    seen = _without_placeless(seen, notes)
    if len(seen.frame) == 0:
        raise BadClip(f"none of the {seen.frames} frames shows a body")
    if rule == "position":
        tracks, first, last = _by_position(seen, max_bodies), 0, seen.frames
    else:
        tracks = _by_id(seen)
        if len(tracks) > 1:  # one alone has nobody to be joined to, or to be worse than
            real = _without_ghosts(tracks, notes) if upright else tracks
            tracks = _best(_bridged(real, notes), max_bodies, upright, notes)
        first, last = _ends(tracks, seen.frames, notes)
    if max_frames is not None:
        _note(notes, f"frames cut after the first {max_frames}", last - first - max_frames)
        last = min(last, first + max_frames)
    return _laid_out(tracks, first, last, notes)


def _without_placeless(seen: Sightings, notes: list[str]) -> Sightings:
    placed = seen.joints.any(axis=(1, 2))
    if placed.all():
        return seen
    _note(notes, "bodies at the origin left out", int((~placed).sum()))
    kept = np.flatnonzero(placed)
    return Sightings(
        seen.frames, seen.frame[kept], [seen.ids[int(i)] for i in kept], seen.joints[kept]
    )


def _by_position(seen: Sightings, max_bodies: int) -> list[Track]:
    place = np.arange(len(seen.frame)) - np.searchsorted(seen.frame, seen.frame)
    slots = [np.flatnonzero(place == slot) for slot in range(min(max_bodies, place.max() + 1))]
    return [Track(str(s), seen.frame[rows], seen.joints[rows]) for s, rows in enumerate(slots)]


def _by_id(seen: Sightings) -> list[Track]:
    if len(set(seen.ids)) == 1 and (np.diff(seen.frame) > 0).all():
        return [Track(seen.ids[0], seen.frame, seen.joints)]
    rows: dict[str, list[int]] = {}
    frame = seen.frame.tolist()
    for row, name in enumerate(seen.ids):
        # the same id twice in a frame cannot be one person
        while name in rows and frame[rows[name][-1]] == frame[row]:
            name += "'"
        rows.setdefault(name, []).append(row)
    return [Track(name, seen.frame[r], seen.joints[r]) for name, r in rows.items()]


def _without_ghosts(tracks: list[Track], notes: list[str]) -> list[Track]:
    """Leave out what is too wide for a person."""
    plausible = _plausibilities(tracks)
    real = [t for t, p in zip(tracks, plausible, strict=True) if p > 1 - WIDE_FRAMES]
    what = "bodies wider than high that move no more than others dropped"
    _note(notes, what, len(tracks) - len(real))
    return real


def _plausibilities(tracks: Sequence[Track]) -> list[float]:
    """Narrowness of each against the narrowest of those that move alike; 1 if all are wide."""
    narrowness = np.array([t.narrowness for t in tracks])
    motion = np.array([t.steady_motion for t in tracks])
    order = np.argsort(motion)
    narrowest = np.maximum.accumulate(narrowness[order][::-1])[::-1]  # of those that move as much
    least = np.where(motion > STILL_METRES, ALIKE * motion, 0.0)
    narrowest = narrowest[np.searchsorted(motion[order], least)]
    told = narrowest > 1 - WIDE_FRAMES
    return np.where(told, narrowness / np.where(told, narrowest, 1), 1.0).tolist()


def _bridged(tracks: list[Track], notes: list[str]) -> list[Track]:
    """Join tracks where one ends and another begins near by, the nearest first."""
    begin, end = (np.array([t.frame[at] for t in tracks]) for at in (0, -1))
    pause = begin[None] - end[:, None]
    pairs = np.argwhere((pause > 0) & (pause <= BRIDGE_FRAMES)).tolist()
    steps = [
        (float(np.linalg.norm(tracks[i].joints[-1].mean(0) - tracks[j].joints[0].mean(0))), i, j)
        for i, j in pairs
    ]
    following: dict[int, int] = {}
    followed: set[int] = set()
    for distance, i, j in sorted(steps):
        if distance <= BRIDGE_METRES and i not in following and j not in followed:
            following[i] = j
            followed.add(j)
    _note(notes, "changes of a body's id bridged", len(following))
    joined = []
    for start in sorted(set(range(len(tracks))) - followed):
        track, at = tracks[start], start
        while at in following:
            at = following[at]
            track = track.followed_by(tracks[at])
        joined.append(track)
    return joined


def _best(tracks: list[Track], max_bodies: int, upright: bool, notes: list[str]) -> list[Track]:
    """The bodies that are there longest, look most like people and move most; best first."""
    longest = max(len(t.frame) for t in tracks)
    lasting = [
        t for t in tracks if len(t.frame) > BRIEF_FRAMES or len(t.frame) >= BRIEF_SHARE * longest
    ]
    _note(notes, "brief bodies dropped", len(tracks) - len(lasting))
    _note(notes, "further bodies dropped, there shorter or moving less", len(lasting) - max_bodies)

    plausible = _plausibilities(lasting) if upright else [1.0] * len(lasting)
    ranked = sorted(  # people who are as good as each other stay in the file's order
        zip(lasting, plausible, strict=True),
        key=lambda one: (-round(_worth(one[0], longest) * one[1], 2), -len(one[0].frame)),
    )
    return [track for track, _ in ranked[:max_bodies]]


def _worth(track: Track, longest: int) -> float:
    return len(track.frame) / longest * (1 + min(track.motion / LIVELY_METRES, 1))


def _ends(tracks: list[Track], frames: int, notes: list[str]) -> tuple[int, int]:
    """First frame that shows somebody, and the one after the last."""
    first = int(min(t.frame[0] for t in tracks))
    last = int(max(t.frame[-1] for t in tracks)) + 1
    _note(notes, "empty frames trimmed at the start", first)
    _note(notes, "empty frames trimmed at the end", frames - last)
    return first, last


def _laid_out(tracks: list[Track], first: int, last: int, notes: list[str]) -> Bodies:
    """Put tracks into slots, (T, M, V, C); a track that no kept frame shows has no slot."""
    kept = [(t, (t.frame >= first) & (t.frame < last)) for t in tracks]
    kept = [(t, inside) for t, inside in kept if inside.any()]
    if not kept:
        raise BadClip(f"none of the first {last - first} frames shows a body")
    shape = kept[0][0].joints.shape[1:]
    coordinates = np.full((last - first, len(kept), *shape), np.nan, np.float32)
    for slot, (track, inside) in enumerate(kept):
        coordinates[track.frame[inside] - first, slot] = track.joints[inside]
    _note_gaps(~np.isnan(coordinates[:, :, 0, 0]), notes)
    return Bodies(coordinates, tuple(t.name for t, _ in kept), tuple(notes))


def _note_gaps(present: np.ndarray, notes: list[str]) -> None:
    """Note what is missing inside; `present` is (T, M)."""
    if present.all():
        return
    _note(notes, "empty frames inside", _gap(present.sum(axis=1)))
    gaps = sum(_gap(body) for body in present.T)
    _note(notes, "frames without the body inside a track", gaps)


def _gap(shown: np.ndarray) -> int:
    """How many frames are missing between the first and the last that are there."""
    there = np.flatnonzero(shown)
    return int(there[-1] - there[0]) + 1 - len(there)


def _note(notes: list[str], what: str, count: int) -> None:
    if count > 0:
        notes.append(f"{what}: {count}")
