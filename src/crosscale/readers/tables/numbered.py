"""Labels that are numbers: checked before any clip is read, and turned into class names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.utils.text import shown

MOST_SIGN = 0x10FFFF  # of Unicode


def class_names(labels: Any, origin: str, classes: Sequence[str] | None = None) -> list[str]:
    """The class names that labels stand for.

    Numbers are never shifted: labels that count from 1, or that leave numbers out, are refused
    unless `classes` says what each number means, since two parts of a data set that are shifted
    each by its own least number no longer agree.

    Args:
        labels: N names, or N whole numbers from 0.
        origin: what to call the source in messages.
        classes: the name of each number; by default the number itself is the name.

    Raises:
        CrosscaleError: naming the labels that are wrong and how many classes there are.
    """
    given = np.asarray(labels)
    if given.ndim != 1:
        raise CrosscaleError(f"{origin}: labels have shape {given.shape}, not one for each clip")
    refuse_no_text(given, f"{origin}: an array of labels")
    if given.dtype.kind in "US":
        return [str(name) for name in given.astype(str)]
    if given.dtype.kind not in "iu":
        raise CrosscaleError(
            f"{origin}: labels are {given.dtype} ({_some(np.unique(given))}); they must be whole "
            "numbers from 0, or names"
        )
    distinct = np.unique(given)
    count = len(classes) if classes is not None else len(distinct)
    wrong = distinct[(distinct < 0) | (distinct >= count)]
    if len(wrong) and classes is not None:
        raise CrosscaleError(
            f"{origin}: labels {_some(wrong)} are beyond the {count} classes, which have the "
            f"numbers 0 to {count - 1}"
        )
    if len(wrong):
        raise CrosscaleError(
            f"{origin}: the labels are {_some(distinct)}; {count} classes must have the numbers 0 "
            f"to {count - 1}. Number them so, or give class names"
        )
    return [classes[n] if classes is not None else str(n) for n in given.tolist()]


def refuse_shifted(parts: Mapping[str, Any]) -> None:
    """Refuse numbers of labels that count from 1 in one part of a data set and from 0 in another.

    Args:
        parts: labels by the name of their part, for the message.

    Raises:
        CrosscaleError: naming two such parts.
    """
    numbers = {part: set(np.asarray(labels).ravel().tolist()) for part, labels in parts.items()}
    from_zero = {len(own): part for part, own in numbers.items() if own == {*range(len(own))}}
    for part, own in numbers.items():
        count = len(own)
        if count > 1 and count in from_zero and own == {*range(1, count + 1)}:
            raise CrosscaleError(
                f"{part} has the labels 1 to {count}, {from_zero[count]} has 0 to {count - 1}: "
                "number both from 0, or give names"
            )


def refuse_no_text(array: np.ndarray, origin: str) -> None:
    """Refuse an array of texts with signs that no text has; Python fails on these in any way.

    Args:
        array: of any kind; only texts are looked at.
        origin: what to call the array in the message.

    Raises:
        CrosscaleError: when there is such a sign.
    """
    if array.dtype.kind == "U" and array.dtype.itemsize:
        code = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        signs = np.ascontiguousarray(array).reshape(-1).view(code)
        if ((signs > MOST_SIGN) | ((signs >= 0xD800) & (signs < 0xE000))).any():
            raise CrosscaleError(f"{origin} has signs that no text has; it is damaged")


def _some(values: np.ndarray) -> str:
    told = ", ".join(shown(value, 20) for value in values[:8].tolist())
    return f"{told} ... {values[-1]}" if len(values) > 8 else told
