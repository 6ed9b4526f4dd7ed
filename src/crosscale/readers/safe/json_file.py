"""JSON files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.bodies import MOST_FRAMES, REPEATED
from crosscale.errors import BadClip
from crosscale.readers.files import beginning


def load_json(path: Path) -> Any:
    """The content of a file.

    Raises:
        BadClip: naming the file, and the line where it stops being JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BadClip(f"{path.name}: cannot be read ({error.strerror})") from error
    except json.JSONDecodeError as error:
        raise BadClip(
            f"{path.name}: line {error.lineno}: is not whole JSON ({error.msg})"
        ) from None
    except (ValueError, RecursionError):  # no text, or a number of thousands of digits
        raise BadClip(f"{path.name}: is not JSON text") from None


def json_beginning(path: Path) -> str:
    """The first characters of a file without white space, in which its keys are seen."""
    return "".join(beginning(path).decode("utf-8", "replace").split())


def numbers(rows: Sequence[Any], size: int, places: Sequence[str]) -> np.ndarray:
    """Rows of numbers of one length, as JSON has them.

    Args:
        rows: B lists of numbers, flat or nested.
        size: numbers in the innermost group, into which a flat list is cut.
        places: B places in the file, for messages; such as "a.json: frame 3, person 0".

    Returns:
        (B, V, size) float64, null as NaN.

    Raises:
        BadClip: naming the first row that is not a list of numbers, or of another length.
    """
    joints: int | None = None
    arrays = []
    for row, place in zip(rows, places, strict=True):
        try:
            values = np.array(row, np.float64).ravel()
        except (ValueError, TypeError, OverflowError):
            raise BadClip(f"{place}: keypoints are not a list of numbers") from None
        if not len(values) or len(values) % size:
            raise BadClip(f"{place}: has {len(values)} numbers, not {size} for each keypoint")
        joints = joints or len(values) // size
        if len(values) != joints * size:
            raise BadClip(f"{place}: has {len(values) // size} keypoints, those before {joints}")
        arrays.append(values.reshape(-1, size))
    return np.stack(arrays) if arrays else np.empty((0, 0, size))


def numbers_under(keys: Sequence[str], frames: Sequence[Any]) -> np.ndarray | None:
    """Numbers (T,) that all frames have under one of some keys, and that tell most apart.

    Args:
        keys: that are looked for, the first before the others.
        frames: objects, or anything else, which has no number.
    """
    for key in keys:
        told = [frame.get(key) if isinstance(frame, Mapping) else None for frame in frames]
        known = all(isinstance(n, int | float) and abs(n) < MOST_FRAMES for n in told)
        if known and len(set(told)) >= (1 - REPEATED) * len(told):
            values = np.array(told, np.float64)
            return values.astype(np.int64) if (values % 1 == 0).all() else values
    return None
