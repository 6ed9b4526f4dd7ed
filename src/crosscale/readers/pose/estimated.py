"""What readers of pose estimators and markerless tables share: people, and joints by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crosscale.data.bodies import tracked
from crosscale.data.clip import Clip
from crosscale.data.detections import Detections, from_image, sighted
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.by_name import NamedJoints, fitting_layout, joint_places
from crosscale.readers.files import RecordingFiles, first_read
from crosscale.readers.safe.json_file import numbers
from crosscale.skeleton.layout import Layout

BODY = 17
# Halpe's 26 and 136 keypoints and the 133 of COCO's whole bodies begin with those of COCO.
BEGIN_ALIKE = (BODY, 26, 133, 136)


@dataclass(frozen=True)
class Estimated(RecordingFiles):
    """Recordings of a pose estimator.

    Attributes:
        layout: whose joints are taken, by name; empty takes the built-in one that has most of the
            joints of the first recording.
        confidence: joints below it are missing; None takes 0.3 in the plane and none in space.
        max_bodies: how many people to keep at most: those longest there, who move most.
    """

    layout: str | Layout = ""
    confidence: float | None = None
    max_bodies: int = 2

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise CrosscaleError(f"confidence goes from 0 to 1; {self.confidence:g} does not")
        if self.max_bodies < 1:
            raise CrosscaleError(f"max_bodies must be 1 or more, not {self.max_bodies}")

    def detections(self, item: Item) -> Detections:
        """What was found in one recording.

        Raises:
            BadClip: naming the file and the place in it.
        """
        raise NotImplementedError

    def for_source(self, source: Path) -> "Estimated":
        """This reader with its layout loaded, the one that fits if none was given.

        Raises:
            CrosscaleError: when no recording can be read, or no built-in layout has its joints;
                tells how to make one.
        """
        if self.layout:
            return replace(self, layout=Layout.of(self.layout))
        return replace(self, layout=fitting_layout(self.joints_in(source).names, source))

    def joints_in(self, source: Path) -> NamedJoints:
        """Joints of the first recording of a source that can be read; see `TellsJoints`."""
        found = first_read(self.find(source), self.detections)
        return NamedJoints(found.names, found.edges)

    def read(self, item: Item) -> Clip:
        """Read one recording; see `Reader`."""
        if not isinstance(self.layout, Layout):
            return self.for_source(item.path).read(item)
        where = item.path.name
        found = self.detections(item)
        found = found.only(joint_places(self.layout, found.names, where))
        kept = people_in(
            found,
            self.layout.joints,
            where,
            confidence=self.confidence,
            max_bodies=self.max_bodies,
        )
        return kept.clip(item.name, label=found.label, frame_rate=found.frame_rate)


def people_in(
    found: Detections,
    joints: tuple[str, ...],
    where: str,
    *,
    confidence: float | None = None,
    max_bodies: int = 2,
) -> Bodies:
    """The people whom an estimator found, as long as they were found, short gaps filled.

    Args:
        found: joints of one layout, in its order.
        joints: their names there.
        where: the file, for messages.
        confidence: as `sighted`.
        max_bodies: as `tracked`.

    Raises:
        BadClip: as `sighted` and `tracked`.
    """
    people = sighted(found, where, confidence)
    kept = tracked(people.seen, joints, where, max_bodies=max_bodies, upright=False)
    notes = (*people.notes, *kept.notes)
    return Bodies(kept.coordinates * people.metre, kept.ids, notes)


class Person(NamedTuple):
    """One body in one frame, as a file has it.

    Attributes:
        frame: its number.
        place: in the file, for messages, such as "a.json: frame 3, person 0".
        told: what the file tells of it.
    """

    frame: int
    place: str
    told: Any


def in_picture(
    people: Sequence[Person],
    keypoints: np.ndarray,
    confidence: np.ndarray | None,
    *,
    names: Sequence[str] | None = None,
    ids: Iterable[Any] | None = None,
    frames: Sequence[int] | None = None,
) -> Detections:
    """People whose keypoints are places in a picture.

    Args:
        people: B of them.
        keypoints: (B, V, 2) x to the right and y down.
        confidence: (B, V).
        names: of the keypoints; by default COCO's.
        ids: what the file says of who they are; see `known_ids`.
        frames: numbers of all frames, with and without bodies; by default of those with.

    Raises:
        BadClip: for a model whose keypoints do not begin with COCO's, if it has no names.
    """
    return Detections(
        names=tuple(names or coco_joints(keypoints.shape[1], people[0].place)),
        frame=np.array([person.frame for person in people], np.int64),
        joints=from_image(keypoints),
        confidence=confidence,
        ids=None if ids is None else known_ids(ids),
        frames=None if frames is None else np.array(frames, np.int64),
    )


def rows_of(people: Sequence[Person], values: Iterable[Any], size: int) -> np.ndarray:
    """(B, V, size) numbers, of what the file has for each person; see `json_file.numbers`."""
    return numbers(list(values), size, [person.place for person in people])


def refuse_nobody(people: Sequence[Person], where: str, frames: int) -> None:
    """Refuse a recording without people.

    Raises:
        BadClip: naming the file.
    """
    if not people:
        raise BadClip(f"{where}: none of its {frames} frames shows a body")


def known_ids(given: Iterable[Any]) -> list[str] | None:
    """Names of people, if all have one: a text or a number from 0, by some programs in lists."""
    names = []
    for name in given:
        while isinstance(name, list) and len(name) == 1:
            name = name[0]
        if not isinstance(name, int | float | str) or (not isinstance(name, str) and not name >= 0):
            return None
        names.append(f"{name:g}" if isinstance(name, float) else str(name))
    return names


def coco_joints(count: int, where: str) -> tuple[str, ...]:
    """Names of so many keypoints, of which the first 17 are COCO's.

    Args:
        count: of keypoints a person.
        where: the place in the file, for the message.

    Raises:
        BadClip: for a model whose keypoints do not begin with COCO's.
    """
    if count not in BEGIN_ALIKE:
        raise BadClip(
            f"{where} has {count} keypoints; the {BODY} of COCO can be read, and the 26, 133 and "
            "136 of larger models that begin with them"
        )
    return (*Layout.load("coco17").joints, *(f"keypoint {i}" for i in range(BODY, count)))
