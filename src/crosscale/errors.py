"""The errors that a user can mend, and the hints in them; the command line prints one line."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
