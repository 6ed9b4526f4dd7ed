"""Bodies of sensors and markers, some of whose joints are missing now and then."""

from collections.abc import Sequence

import numpy as np

from crosscale.data.gaps import SHORT_GAP, fill_gaps
from crosscale.data.tracks import Bodies, Sightings, people
from crosscale.errors import BadClip


def mended(
    coordinates: np.ndarray,
    ids: Sequence[str],
    names: tuple[str, ...],
    where: str,
    longest: int = SHORT_GAP,
) -> Bodies:
    """Bodies with short gaps filled; one that is hardly ever seen whole is left out.

    Args:
        coordinates: (T, M, V, C), NaN where a joint is missing.
        ids: of the M bodies.
        names: of the V joints, for messages.
        where: the file, for messages.
        longest: longest gap in frames that is filled.

    Raises:
        BadClip: when no body is left; tells why the last one is not.
    """
    if len(coordinates) == 0:
        raise BadClip(f"{where}: has no frames")
    kept: list[str] = []
    filled: list[np.ndarray] = []
    notes: list[str] = []
    fault = BadClip(f"{where}: shows no body in any frame")
    for body, name in enumerate(ids):
        try:
            one = fill_gaps(coordinates[:, body], names, f"{where}, body {name}", longest)
        except BadClip as error:
            fault = error
            continue
        kept.append(name)
        filled.append(one.joints)
        notes += one.notes
    if not kept:
        raise fault
    if len(kept) < len(ids):
        notes.append(f"bodies hardly seen left out: {len(ids) - len(kept)}")
    return Bodies(np.stack(filled, axis=1), tuple(kept), tuple(notes))


def tracked(seen: Sightings, names: tuple[str, ...], where: str, *, max_bodies: int = 2) -> Bodies:
    """The people of a recording, joints that are missing for a moment filled in.

    Args:
        seen: what the sensor gave, NaN where a joint is missing.
        names: of the V joints, for messages.
        where: the file, for messages.
        max_bodies: how many people to keep at most.

    Raises:
        BadClip: when a body is twice in a frame, or none is seen whole.
    """
    ids = list(dict.fromkeys(seen.ids))
    slot = np.array([ids.index(name) for name in seen.ids], np.int64)
    _refuse_twins(seen, where)
    dense = np.full((seen.frames, len(ids), *seen.joints.shape[1:]), np.nan)
    dense[seen.frame, slot] = seen.joints
    whole = mended(dense, ids, names, where)
    frames, bodies = np.nonzero(~np.isnan(whole.coordinates[..., 0, 0]))
    there = Sightings(
        frames=seen.frames,
        frame=frames,
        ids=[whole.ids[body] for body in bodies.tolist()],
        joints=whole.coordinates[frames, bodies],
    )
    found = people(there, max_bodies=max_bodies, max_frames=seen.frames)
    return Bodies(found.coordinates, found.ids, (*whole.notes, *found.notes))


def _refuse_twins(seen: Sightings, where: str) -> None:
    known: set[tuple[int, str]] = set()
    for frame, name in zip(seen.frame.tolist(), seen.ids, strict=True):
        if (frame, name) in known:
            raise BadClip(f"{where}: frame {frame}: body {name} is there twice")
        known.add((frame, name))
