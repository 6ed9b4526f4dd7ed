"""Units and axes of motion capture, where a file does not say them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from crosscale.data.bodies import IMAGE_TO_Y_UP, without_corner
from crosscale.data.legs import upwards
from crosscale.errors import BadClip
from crosscale.skeleton.layout import PEOPLE, Layout
from crosscale.utils.text import shown

Units = Literal["metres", "centimetres", "millimetres", "inches", "cmu"]
Up = Literal["x", "y", "z", "-x", "-y", "-z"]

ADULT = 1.6  # metres from top to toe, as a body usually stands
LEAST_HEIGHT, MOST_HEIGHT = 0.5, 3.0  # metres; bodies beyond are in another unit
FRAMES_MEASURED = 16  # of a clip

# CMU's motions, when they are brought from Acclaim's format, keep its unit of an inch / 0.45
UNITS: Mapping[Units, float] = MappingProxyType(
    {
        "metres": 1.0,
        "centimetres": 0.01,
        "millimetres": 0.001,
        "inches": 0.0254,
        "cmu": 0.0254 / 0.45,
    }
)

SHORT: Mapping[Units, str] = MappingProxyType(
    {"metres": "m", "centimetres": "cm", "millimetres": "mm", "inches": "in"}
)

# rows of the turn that brings the direction to +y; left and right stay what they are
TURNS: Mapping[Up, np.ndarray] = MappingProxyType(
    {
        "y": np.eye(3),
        "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
        "x": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        "-y": np.diag([-1.0, -1, 1]),
        "-z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
        "-x": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    }
)


@dataclass(frozen=True)
class InUnits:
    """What readers share whose files say neither unit nor axes, and are metres with y up mostly.

    Attributes:
        units: of the coordinates; None takes metres.
        up: the axis that points up; None takes y.
    """

    units: Units | None = None
    up: Up | None = None

    def placed(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates (..., C) with y up, in metres; see `placed`."""
        return placed(coordinates, self.units, self.up)


def placed(coordinates: np.ndarray, units: Units | None, up: Up | None) -> np.ndarray:
    """Coordinates (..., 3) in metres, or (..., 2) in a picture's own unit, with y up.

    Raises:
        BadClip: when places in a picture are to have another axis up than y or -y.
    """
    if coordinates.shape[-1] == 2:
        if up not in (None, "y", "-y"):
            raise BadClip(f"up is {up}, but joints have x and y only")
        return coordinates * IMAGE_TO_Y_UP if up == "-y" else coordinates
    if units is None and up is None:
        return coordinates
    with np.errstate(invalid="ignore", over="ignore"):  # a NaN of a damaged file may be one to tell
        return coordinates @ (TURNS[up or "y"] * UNITS[units or "metres"]).T


def guessed(
    bodies: Sequence[np.ndarray],
    layout: Layout,
    units: Units | None,
    up: Up | None,
    *,
    said: bool = False,
) -> tuple[Units | None, Up, tuple[str, ...]]:
    """Units and upward direction as the bodies of some recordings tell them, where not given.

    Args:
        bodies: of each recording (B, V, C) joints of the layout, NaN where missing; in the plane
            (C = 2) there are no units, and y points up or down.
        layout: names shoulders and hips.
        units: as they are known; None takes those in which a body has a person's height.
        up: the direction that points up, where it is known; None takes the one along which people
            mostly hold their torsos.
        said: the files say their units themselves.

    Returns:
        Units (None in the plane, or where files say them), direction, and what was guessed.
    """
    notes = []
    plane = bodies[0].shape[-1] == 2
    bodies = [np.pad(x, ((0, 0), (0, 0), (0, 3 - x.shape[-1]))) for x in bodies]
    if units is None and not plane and not said:
        height = float(np.median([_height(x) for x in bodies]))
        units = _nearest(height)
        notes.append(f"units are not said and taken to be {units}")
    if up is None:
        torso = np.median(np.concatenate([_torsos(x, layout) for x in bodies]), axis=0)
        up = _along(torso, ("y", "-y") if plane else tuple(TURNS))
        if up != "y":
            notes.append(f"axes turned so that y is up instead of {up}")
    return units, up, tuple(notes)


def up_in_pictures(
    clips: Iterable[np.ndarray], layout: Layout, up: Up | None
) -> tuple[Up | None, tuple[str, ...]]:
    """Whether y points up or down in pictures, as their bodies tell it, and what was guessed.

    Args:
        clips: some of a source, (T, M, V, C).
        layout: of their joints; clips of other joints do not count.
        up: the direction that points up, where it is known.

    Returns:
        `up` as it is where it is given, or clips are in space or of animals, and no notes.
    """
    own = [x for x in clips if x.shape[2] == len(layout.joints)]
    if up or not own or PEOPLE not in layout.scales or any(x.shape[-1] != 2 for x in own):
        return up, ()
    bodies = [without_corner(x).reshape(-1, *x.shape[2:]) for x in own]
    _, found, notes = guessed(bodies, layout, None, None)
    return found, notes


def measured(coordinates: np.ndarray, layout: Layout) -> tuple[float, np.ndarray]:
    """Height of the bodies of a clip (T, M, V, 3), and their torso (3,), in most of some frames."""
    frames = coordinates[:: max(1, len(coordinates) // FRAMES_MEASURED)]
    bodies = frames.reshape(-1, *frames.shape[2:])
    return _height(bodies), np.median(_torsos(bodies, layout), axis=0)


def upward(measures: Sequence[tuple[float, np.ndarray]]) -> Up:
    """The direction along which torsos lie in most clips, see `measured`."""
    return _along(np.median([torso for _, torso in measures], axis=0), tuple(TURNS))


def doubts(measures: Sequence[tuple[float, np.ndarray]], *, optional: bool) -> list[str]:
    """What speaks against metres and y up, of all clips together.

    Args:
        measures: of each clip, see `measured`.
        optional: units and the axis may be given.
    """
    found = []
    height = float(np.median([height for height, _ in measures]))
    if not LEAST_HEIGHT <= height <= MOST_HEIGHT:
        unit = _nearest(height)
        remedy = (
            f": give their unit, such as --units {unit}" if optional and unit != "metres" else ""
        )
        found.append(f"bodies are {height:,.4g} m tall in most clips{remedy}")
    up = upward(measures)
    if up != "y":
        remedy = f": if it points up, give --up {up}" if optional else ""
        found.append(f"torsos lie along {up} in most clips, not along y{remedy}")
    return found


def _nearest(height: float) -> Units:
    """The unit in which a body comes nearest to an adult's height."""
    return min(UNITS, key=lambda name: abs(np.log(height * UNITS[name] / ADULT)))


def _along(torso: np.ndarray, directions: Sequence[Up]) -> Up:
    """The direction that a torso (3,) has most of."""
    return max(directions, key=lambda name: float(TURNS[name][1] @ torso))


def metres_of(unit: str) -> float | None:
    """Length in metres of a unit as a file writes it (`mm`), None when it is left empty.

    Raises:
        BadClip: for a unit that is not known.
    """
    short = unit.strip(" \0").lower().replace("meter", "metre")
    found = next((unit for unit in SHORT if short in (SHORT[unit], unit, unit[:-1])), None)
    if short and found is None:
        raise BadClip(f"the unit '{shown(short, 16)}' is not known")
    return UNITS[found] if found else None


def _height(joints: np.ndarray) -> float:
    """The longest side of the box around a body (N, V, 3), in most frames; 1 for none."""
    seen = joints[np.isfinite(joints).all((1, 2))]
    height = float(np.median(np.ptp(seen, axis=1).max(-1))) if len(seen) else 0.0
    return height if height > 0 else 1.0


def _torsos(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """(N, 3) from between the hips to between the shoulders; without hips to the head."""
    upper, lower = (joints[:, list(pair)].mean(1) for pair in (layout.shoulders, layout.hips))
    for torsos in (upper - lower, upwards(joints, layout.joints)):
        if (seen := np.isfinite(torsos).all(-1)).any():
            return np.asarray(torsos[seen])
    return np.array([[0.0, 1.0, 0.0]])
