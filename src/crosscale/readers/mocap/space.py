"""Units and axes of motion capture, where a file does not say them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from crosscale.errors import BadClip
from crosscale.skeleton.layout import Layout
from crosscale.utils.text import shown

Units = Literal["metres", "centimetres", "millimetres", "inches", "cmu"]
Up = Literal["x", "y", "z", "-x", "-y", "-z"]

ADULT = 1.6  # metres from top to toe, as a body usually stands

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


def likely_unit(heights: Sequence[float]) -> Units:
    """The unit in which bodies come nearest to an adult's height.

    Args:
        heights: of bodies, in the unknown unit, above 0.
    """
    height = float(np.median(heights))
    return min(UNITS, key=lambda name: abs(np.log(height * UNITS[name] / ADULT)))


def likely_up(torsos: np.ndarray) -> Up:
    """The direction in which people mostly hold their torsos.

    Args:
        torsos: (N, 3) from hips to shoulders, of many frames.
    """
    direction = np.median(torsos, axis=0)
    return max(TURNS, key=lambda up: float(TURNS[up][1] @ direction))


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


def height_of(joints: np.ndarray) -> float:
    """The longest side of the box around a body (N, V, 3), in most frames; 1 for none."""
    seen = joints[np.isfinite(joints).all((1, 2))]
    height = float(np.median(np.ptp(seen, axis=1).max(-1))) if len(seen) else 0.0
    return height if height > 0 else 1.0


def torsos_of(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """(N, 3) from between the hips to between the shoulders."""
    upper, lower = (joints[:, list(pair)].mean(1) for pair in (layout.shoulders, layout.hips))
    torsos = upper - lower
    seen = np.isfinite(torsos).all(-1)
    return torsos[seen] if seen.any() else np.array([[0.0, 1.0, 0.0]])
