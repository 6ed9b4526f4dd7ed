"""The errors that a user can mend, and the hints in them; the command line prints one line."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMED = 100


class CrosscaleError(Exception):
    """Something in the input, the settings or the surroundings is wrong.

    The message names the file, the place and the remedy, in one short line.
    """


class BadClip(CrosscaleError):
    """One recording cannot be used; the message says where and why."""


class BadCheckpoint(CrosscaleError):
    """A checkpoint does not fit; the message names every missing and unexpected key."""


def nearest(wrong: str, right: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest right one, or all of them if they fit into a line.

    Args:
        wrong: what was written.
        right: the names that exist; of dotted ones, the last part alone may match.
    """
    known = sorted(right)
    close = get_close_matches(wrong, known, n=1, cutoff=0.5)
    if not close:
        leaf = {name.rsplit(".", 1)[-1]: name for name in known}
        close = [leaf[match] for match in get_close_matches(wrong.rsplit(".", 1)[-1], leaf, n=1)]
    if close:
        return f"did you mean '{close[0]}'?"
    if len(known) > MOST_NAMED:
        return f"there are {len(known):,}, from '{known[0]}' to '{known[-1]}'"
    return f"there are {', '.join(known)}"
