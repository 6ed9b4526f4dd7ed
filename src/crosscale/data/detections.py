"""What a pose estimator found in each frame: joints with confidences, and the people they are.

Estimators look at one frame after the other. Most do not say who is who, and few of their joints
are as sure as a depth sensor's. Pictures have no metres either, so whatever is judged by length
here is judged by the bodies' own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from crosscale.data.bodies import IMAGE_TO_Y_UP, in_time, not_found, refuse_far
from crosscale.data.tracks import Sightings
from crosscale.errors import BadClip

# Below it an estimator guesses a joint of a picture more than it sees it.
CONFIDENCE = 0.3
# Metres that the longest extent of a body, its box's diagonal, has in most frames: an adult's.
EXTENT = 1.6
# A person found in two neighbouring frames has moved less, joint by joint in the mean.
STEP_METRES = 0.5
# As long as this a person may be out of sight and still be looked for at the last place.
LOST_FRAMES = 15
# x to the camera's right, y down, z away from it, turned half round the z axis: Kinect's axes
CAMERA_TO_Y_UP = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Detections:
    """All bodies in all frames of one recording, one row a body and frame.

    Attributes:
        names: V joints, as the format calls them.
        frame: (B,) number of each row's frame, from any start, in any order.
        joints: (B, V, C) y up; C = 2 in any unit, C = 3 metres. NaN where a joint is missing.
        confidence: (B, V), or None; 0 is a joint that was not found, NaN one of unknown
            confidence.
        ids: B names of people, or None where the format does not tell them apart.
        frames: (T,) numbers of all frames, with and without bodies; None takes those with.
        frame_rate: frames a second, where known.
        label: class, where known.
        notes: what was guessed or repaired already.
        edges: names of joints that hang together, (parent, child), where the format tells.
    """

    names: tuple[str, ...]
    frame: np.ndarray
    joints: np.ndarray
    confidence: np.ndarray | None = None
    ids: Sequence[str] | None = None
    frames: np.ndarray | None = None
    frame_rate: float | None = None
    label: str | None = None
    notes: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()

    def only(self, places: Sequence[int]) -> "Detections":
        """The same with some of the joints, in that order."""
        confidence = None if self.confidence is None else self.confidence[:, places]
        return replace(
            self,
            names=tuple(self.names[place] for place in places),
            joints=self.joints[:, places],
            confidence=confidence,
        )


def from_image(places: np.ndarray) -> np.ndarray:
    """Places in a picture (..., 2), x to the right and y down, as joints with y up.

    Exactly the corner 0 0 is where estimators put what they did not find: it becomes NaN.
    """
    return not_found(places) * IMAGE_TO_Y_UP


@dataclass(frozen=True)
class Sized:
    """People in frames, as long as people are.

    Attributes:
        seen: with joints in metres.
        metre: length of a metre in the unit of the detections.
        notes: what was left out.
    """

    seen: Sightings
    metre: float
    notes: tuple[str, ...]


def sighted(found: Detections, where: str, confidence: float | None = None) -> Sized:
    """The people that were found, each with an id, unsure joints missing, in metres.

    Args:
        found: what the estimator found.
        where: the file, for messages.
        confidence: joints below it are missing; None takes 0.3 for joints of a picture and none
            for joints in space, which models of the whole body give.

    Raises:
        BadClip: when no frame shows a body, or places or numbers of frames are out of all reason.
    """
    least = confidence
    if least is None:
        least = CONFIDENCE if found.joints.shape[-1] == 2 else 0.0
    joints, unsure = _sure(found, least)
    refuse_far(joints, where, found.frame, found.names)
    there = np.flatnonzero(np.isfinite(joints).all(-1).any(1))
    if not len(there):
        reason = f" with a confidence of {least:g}" if unsure else ""
        raise BadClip(f"{where}: shows no body in any frame{reason}")
    numbers = found.frame if found.frames is None else found.frames
    places = in_time(np.concatenate([numbers, found.frame]), where)
    frame, frames = places[len(numbers) :], int(places.max()) + 1
    there = there[np.argsort(frame[there], kind="stable")]
    joints = joints[there]
    metre = extent(joints) / EXTENT or 1.0
    joints = joints / metre
    if found.ids is None:
        ids = linked(frame[there], joints)
    else:
        ids = [found.ids[row] for row in there.tolist()]
    notes = (f"joints of low confidence taken as missing: {unsure}",) if unsure else ()
    return Sized(Sightings(frames, frame[there], ids, joints), metre, (*found.notes, *notes))


def extent(joints: np.ndarray) -> float:
    """Length of the diagonal of the box around a body, in most of the bodies (B, V, C)."""
    seen = np.isfinite(joints)
    joints, seen = joints[seen.any((1, 2))], seen[seen.any((1, 2))]
    if not len(joints):
        return 0.0
    sides = np.where(seen, joints, -np.inf).max(1) - np.where(seen, joints, np.inf).min(1)
    return float(np.median(np.linalg.norm(sides, axis=-1)))


def linked(frame: np.ndarray, joints: np.ndarray) -> list[str]:
    """Who is who: ids by which a body is the nearest to the one in frames before.

    In each frame the bodies are matched with the people seen lately so that the distances, mean
    over the joints, add up to the least; whoever is too far from all is somebody new.

    Args:
        frame: (B,) ascending.
        joints: (B, V, C) metres, NaN where missing.

    Returns:
        B ids, counted from 0 as people appear.
    """
    ids = np.zeros(len(frame), np.int64)
    last = np.empty((0, *joints.shape[1:]))  # joints of everybody, where they were seen last
    seen = np.empty(0, np.int64)
    starts = np.flatnonzero(np.diff(frame, prepend=frame[:1] - 1))
    ends = [*starts[1:], len(frame)]
    for rows in map(np.arange, starts, ends):
        now = frame[rows[0]]
        lately = np.flatnonzero(now - seen <= LOST_FRAMES)
        distance = _distances(last[lately], joints[rows])
        one, other = linear_sum_assignment(np.where(distance > STEP_METRES, 1e6, distance))
        near = distance[one, other] <= STEP_METRES
        person = np.full(len(rows), -1)
        person[other[near]] = lately[one[near]]
        new = np.flatnonzero(person < 0)
        person[new] = len(last) + np.arange(len(new))
        last = np.concatenate([last, joints[rows[new]]])
        seen = np.concatenate([seen, np.full(len(new), now)])
        last[person] = np.where(np.isfinite(joints[rows]), joints[rows], last[person])
        seen[person] = now
        ids[rows] = person
    return [str(name) for name in ids.tolist()]


def _distances(people: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """(P, B) mean over the joints that both show; infinite where there are none."""
    steps = np.linalg.norm(people[:, None] - bodies[None], axis=-1)
    both = np.isfinite(steps)
    count = both.sum(-1)
    mean = np.where(both, steps, 0).sum(-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.inf)


def _sure(found: Detections, least: float) -> tuple[np.ndarray, int]:
    """Joints with those of low confidence missing, and how many these are."""
    joints = np.where(np.isfinite(found.joints).all(-1, keepdims=True), found.joints, np.nan)
    if found.confidence is None:
        return joints, 0
    low = (found.confidence < least) | (found.confidence <= 0)
    unsure = int((low & (found.confidence > 0) & np.isfinite(joints).all(-1)).sum())
    return np.where(low[..., None], np.nan, joints), unsure
