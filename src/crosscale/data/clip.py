"""The record of one recording, the same whatever file it came from."""

from dataclasses import dataclass

import numpy as np

from crosscale.errors import BadClip


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording of one or more bodies, checked when it is made.

    Attributes:
        name: unique in its data set.
        coordinates: (T, M, V, C) float32, joints in the layout's order: C = 3 in metres, y up; or
            C = 2 in the picture's own unit, y up. A body that a frame does not show is NaN in all
            its joints there; it is never filled with zeros, since the origin is a place too.
        bodies: ids of the M bodies.
        label: class name, None when unknown.
        subject: number of the actor.
        camera: number of the camera or view.
        setup: number of the recording set-up.
        repetition: number of the take.
        frame_rate: frames per second.
        part: "train" or "test" where the source comes in two parts; the protocol `given` goes by
            it.
        notes: what the reader repaired, e.g. "gap of 3 frames"; counted when a set is prepared.

    Raises:
        BadClip: when a field is not as said above; names clip, frame, body and joint.
    """

    name: str
    coordinates: np.ndarray
    bodies: tuple[str, ...]
    label: str | None = None
    subject: int | None = None
    camera: int | None = None
    setup: int | None = None
    repetition: int | None = None
    frame_rate: float | None = None
    part: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise BadClip("a clip has an empty name")
        self._check_shape()
        with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused below
            coordinates = np.ascontiguousarray(self.coordinates, dtype=np.float32)
        object.__setattr__(self, "coordinates", coordinates)
        self._check_numbers()
        self._check_words()

    @property
    def present(self) -> np.ndarray:
        """(T, M) true where a frame shows a body."""
        return np.asarray(~np.isnan(self.coordinates[..., 0, 0]))

    def _check_shape(self) -> None:
        shape = np.shape(self.coordinates)
        if len(shape) != 4 or shape[-1] not in (2, 3):
            raise BadClip(f"{self.name}: coordinates have shape {shape}, not (T, M, V, 2 or 3)")
        frames, bodies, joints, _ = shape
        if frames == 0:
            raise BadClip(f"{self.name}: has no frames")
        if bodies == 0:
            raise BadClip(f"{self.name}: shows no body in any frame")
        if joints == 0:
            raise BadClip(f"{self.name}: has no joints")
        if not np.issubdtype(self.coordinates.dtype, np.floating):
            raise BadClip(
                f"{self.name}: coordinates are {self.coordinates.dtype}, not floating-point numbers"
            )

    def _check_numbers(self) -> None:
        x = self.coordinates
        numbers = x.reshape(*x.shape[:2], -1)
        absent = np.isnan(numbers).all(-1)
        if not (absent | np.isfinite(numbers).all(-1)).all():  # joint by joint takes far longer
            missing = np.isnan(x).any(-1)
            self._refuse(np.isinf(x).any(-1), "is infinite or too large")
            self._refuse(missing & ~missing.all(-1)[..., None], "is missing while others are there")
            self._refuse(missing & ~absent[..., None], "has a coordinate missing")
        if absent.all():
            raise BadClip(f"{self.name}: shows no body in any frame")
        at_origin = (numbers == 0).all(-1)
        if at_origin.any():
            frame, body = np.argwhere(at_origin)[0]
            raise BadClip(
                f"{self.name}: frame {frame}, body {body}: every joint is at 0 0 0; "
                "a body that is not seen must be NaN"
            )

    def _refuse(self, wrong: np.ndarray, what: str) -> None:
        if wrong.any():
            frame, body, joint = np.argwhere(wrong)[0]
            raise BadClip(f"{self.name}: frame {frame}, body {body}, joint {joint} {what}")

    def _check_words(self) -> None:
        bodies = self.coordinates.shape[1]
        if len(self.bodies) != bodies or len(set(self.bodies)) != bodies:
            raise BadClip(
                f"{self.name}: {bodies} bodies need as many different ids, not {self.bodies}"
            )
        if self.label == "":
            raise BadClip(f"{self.name}: the label is empty; leave it out when it is unknown")
        if self.part not in (None, "train", "test"):
            raise BadClip(f"{self.name}: part is 'train' or 'test', not '{self.part}'")
        rate = self.frame_rate
        if rate is not None and not (np.isfinite(rate) and rate > 0):
            raise BadClip(f"{self.name}: frame rate {rate} is not a number of frames per second")
