"""What readers of pose estimators and markerless tables share: people, and joints by name."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from crosscale.data.clip import Clip
from crosscale.data.detections import Detections, sighted
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, OwnRecordings
from crosscale.readers.bodies import tracked
from crosscale.readers.by_name import NamedJoints, fitting_layout, joint_places
from crosscale.readers.files import files_below
from crosscale.skeleton.layout import Layout


@dataclass(frozen=True)
class Estimated(OwnRecordings):
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

    endings: ClassVar[tuple[str, ...]]
    what: ClassVar[str]

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

    def find(self, source: Path) -> list[Item]:
        """The files below `source`, or the one that it is.

        Raises:
            CrosscaleError: when there are none.
        """
        return files_below(source, self.endings, self.what)

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
        """Joints of the first recording of a source that can be read.

        Raises:
            CrosscaleError: when there is none.
        """
        items, fault = self.find(source), None
        for item in items:
            try:
                found = self.detections(item)
            except BadClip as error:
                fault = fault or error
            else:
                return NamedJoints(found.names, found.edges)
        raise CrosscaleError(f"none of the {len(items)} recordings can be used; {fault}")

    def read(self, item: Item) -> Clip:
        """Read one recording.

        Raises:
            BadClip: naming the file and what is wrong with it.
        """
        if not isinstance(self.layout, Layout):
            return self.for_source(item.path).read(item)
        where = item.path.name
        found = self.detections(item)
        found = found.only(joint_places(self.layout, found.names, where))
        people = sighted(found, where, self.confidence)
        kept = tracked(
            people.seen, self.layout.joints, where, max_bodies=self.max_bodies, upright=False
        )
        return Clip(
            name=item.name,
            coordinates=kept.coordinates * people.metre,
            bodies=kept.ids,
            label=found.label,
            frame_rate=found.frame_rate,
            notes=(*people.notes, *kept.notes),
        )
