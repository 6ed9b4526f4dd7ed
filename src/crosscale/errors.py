"""The errors that a user can mend, and the hints in them; the command line prints one line."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import SequenceMatcher
from heapq import nlargest

FEW = 8  # names that fit into a line
_LIKE = 0.65  # share of letters in common and in order, from which a name is taken for mistyped
_AS_LIKE = 0.07  # less than the most like one, and still worth naming
# What a terminal would obey, and halves of characters, which cannot be written.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
NO_TEXT = "\ufffd"


class CrosscaleError(Exception):
    """Something in the input, the settings or the surroundings is wrong.

    The message names the file, the place and the remedy, in one short line. It may quote what a
    file holds, so what no terminal should be sent is taken out of it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(readable(message))


class BadClip(CrosscaleError):
    """One recording cannot be used; the message says where and why."""


class BadCheckpoint(CrosscaleError):
    """A checkpoint does not fit; the message tells how many keys are wrong, and the first."""


@contextmanager
def needs(what: str, extra: str) -> Iterator[None]:
    """Around imports of libraries that only an extra of this package brings.

        with needs("training", extra="train"):
            import lightning_fabric

    Args:
        what: is done with them.
        extra: brings them.

    Raises:
        CrosscaleError: when one is missing, with the command that installs the extra.
    """
    try:
        yield
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library == "crosscale":
            raise
        missing = library if isinstance(error, ModuleNotFoundError) else error
        raise CrosscaleError(f"{what} needs {missing}: pip install 'crosscale[{extra}]'") from error


def nearest(wrong: str, right: Iterable[str], see: str = "") -> str:
    """A hint for a mistyped name: those that are near; if none is, a few, or where all are listed.

    Args:
        wrong: what was written.
        right: the names that exist; of dotted ones, the last part alone may match.
        see: the command that lists them.
    """
    known = sorted(right)
    near = _near(wrong, {name: name for name in known})
    near = near or _near(
        wrong.rpartition(".")[2], {name.rpartition(".")[2]: name for name in known}
    )
    if near:
        return f"did you mean {' or '.join(repr(name) for name in near)}?"
    if len(known) <= FEW:
        return f"there are {', '.join(known)}"
    return (
        f"see `{see}`" if see else f"there are {len(known):,}, from '{known[0]}' to '{known[-1]}'"
    )


def most_like(wrong: str, right: Iterable[str], count: int = 5) -> str:
    """A hint for a name of which there may be thousands: those most like it, however little.

    Args:
        wrong: what was written; names that hold all of it come first.
        right: the names that exist.
        count: how many are named.
    """
    letters = SequenceMatcher(b=wrong.lower(), autojunk=False)

    def likeness(name: str, exact: bool) -> tuple[bool, float]:
        letters.set_seq1(name.lower())
        return wrong.lower() in name.lower(), letters.ratio() if exact else letters.quick_ratio()

    few = nlargest(40 * count, right, key=lambda name: likeness(name, exact=False))
    found = nlargest(count, few, key=lambda name: likeness(name, exact=True))
    if len(found) < 2:
        return f"there is {found[0]!r} alone" if found else "there are none"
    return f"did you mean {', '.join(map(repr, found[:-1]))} or {found[-1]!r}?"


def refuse_unknown(given: Iterable[object], known: Iterable[str], told: str) -> None:
    """Refuse names that do not exist.

    Args:
        given: names.
        known: those that exist.
        told: before the first unknown name, in the message.

    Raises:
        CrosscaleError: with the nearest that do.
    """
    known = list(known)
    for name in given:
        if name not in known:
            hint = nearest(str(name), known) if known else "there is nothing to set"
            raise CrosscaleError(f"{told} '{name}': {hint}")


def _near(wrong: str, known: Mapping[str, str]) -> list[str]:
    """The names that are most like the wrong one, at most three, if any is much like it."""
    lower = {word.lower(): name for word, name in known.items()}
    likeness = SequenceMatcher(b=wrong.lower())
    rated = []
    for word, name in lower.items():
        likeness.set_seq1(word)
        if likeness.real_quick_ratio() > _LIKE and likeness.quick_ratio() > _LIKE:
            rated.append((likeness.ratio(), name))
    best = max(rated, default=(0.0, ""))[0]
    near = [(-ratio, not name.startswith(wrong), name) for ratio, name in rated]
    return [name for ratio, _, name in sorted(near)[:3] if -ratio > max(_LIKE, best - _AS_LIKE)]


def readable(text: str) -> str:
    """The text with a sign that no number has in place of each control character.

    Tabs and ends of lines stay.
    """
    return _CONTROL.sub(NO_TEXT, text)
