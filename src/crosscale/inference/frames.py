"""Frames of people as JSON lines, checked as they come in."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.errors import CrosscaleError

MOST_PEOPLE = 32  # in a frame; bounds the memory


@dataclass(frozen=True, eq=False)
class Frame:
    """Who is where at one time.

    Attributes:
        time: in seconds, from whatever start.
        people: id to joints (V, C) float32.
    """

    time: float
    people: dict[str, NDArray[np.float32]]


def parse_frame(line: str | bytes, joints: int) -> Frame:
    """Read `{"time": 0.03, "people": [{"id": "7", "joints": [[x, y, z], ...]}]}`.

    Args:
        line: JSON; a person has x and y, or x, y and z, of every joint in the layout's order.
        joints: how many the layout has.

    Raises:
        CrosscaleError: saying what is wrong with it.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CrosscaleError(f"not JSON: {error}") from None
    if not isinstance(value, dict) or not {"time", "people"} <= value.keys():
        raise CrosscaleError('needs {"time": seconds, "people": [...]}')
    time, people = value["time"], value["people"]
    if isinstance(time, bool) or not isinstance(time, int | float) or not np.isfinite(time):
        raise CrosscaleError("time must be a number of seconds")
    if not isinstance(people, list) or len(people) > MOST_PEOPLE:
        raise CrosscaleError(f"people must be a list of at most {MOST_PEOPLE}")
    found = dict(_person(person, joints) for person in people)
    if len(found) < len(people):
        raise CrosscaleError("two people have the same id")
    return Frame(float(time), found)


def _person(person: Any, joints: int) -> tuple[str, NDArray[np.float32]]:
    if not isinstance(person, dict) or not {"id", "joints"} <= person.keys():
        raise CrosscaleError('a person needs {"id": "...", "joints": [[x, y, z], ...]}')
    name = person["id"]
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise CrosscaleError("a person's id must be text or a whole number")
    try:
        with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused below
            places = np.array(person["joints"], dtype=np.float32)
    except (TypeError, ValueError):
        raise CrosscaleError(f"person {name}: joints must be {joints} lists of numbers") from None
    if places.ndim != 2 or len(places) != joints or places.shape[1] not in (2, 3):
        raise CrosscaleError(
            f"person {name}: joints have shape {places.shape}; the layout needs {joints} of "
            "[x, y, z] or [x, y]"
        )
    if not np.isfinite(places).all():
        raise CrosscaleError(
            f"person {name}: a joint is not a finite number; leave out whom the frame does not show"
        )
    return str(name), places
