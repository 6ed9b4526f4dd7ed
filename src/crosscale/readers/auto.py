"""Which format a source has, told from a look at a few of its files."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crosscale.errors import CrosscaleError
from crosscale.readers import known_readers
from crosscale.readers.files import paths_below, refuse_absent
from crosscale.utils.plugins import load_object
from crosscale.utils.text import counted

# A table in long form may have the joints of a sensor whose own reader knows more of it, and videos
# often lie beside the joints that were found in them.
GENERAL = ("long", "video")
LOOKED_AT = 10_000  # files whose endings are told when no format fits


@dataclass(frozen=True)
class Recognised:
    """A format that fits a source.

    Attributes:
        source_format: one of `known_readers`.
        reason: how one sees it.
    """

    source_format: str
    reason: str


def recognise(source: Path) -> Recognised:
    """The format of a source, by what the readers' own `recognises(source)` tell.

    Raises:
        CrosscaleError: when none fits, or several; tells which and why.
    """
    found = fitting(source)
    if len(found) == 1:
        return found[0]
    if not found:
        there = _endings(source)
        if not there:
            raise CrosscaleError(f"{source} has no files: name the folder with the recordings")
        raise CrosscaleError(
            f"{source} has no format that is known; it has {there}. If it has one "
            "(`crosscale list readers`), name it in place of auto, such as table --layout ntu25 "
            "for rows of x y z. Otherwise there are two short ways: write each recording with "
            "numpy.savez(file, coordinates=array), frames by joints by x y z in metres, and "
            "prepare npz --layout LAYOUT; or write a reader of ten lines (docs/extend.md)"
        )
    reasons = "; ".join(f"{one.source_format}, since {one.reason}" for one in found)
    raise CrosscaleError(
        f"{source} may have several formats: {reasons}. Name the one you mean in place of auto"
    )


def fitting(source: Path) -> list[Recognised]:
    """All formats that a source may have, without general ones where others fit.

    Raises:
        CrosscaleError: when it is not there or cannot be read.
    """
    refuse_absent(source)
    found = [Recognised(name, reason) for name, reason in _reasons(source).items()]
    return [one for one in found if one.source_format not in GENERAL] or found


def _reasons(source: Path) -> dict[str, str]:
    """How one sees that a source is of a format, by the format."""
    reasons = {}
    for name, path in known_readers().items():
        recognises = getattr(load_object(path), "recognises", None)
        try:
            if recognises and (reason := recognises(source)):
                reasons[name] = reason
        except OSError as error:
            raise CrosscaleError(f"{error.filename}: cannot be read ({error.strerror})") from None
    return reasons


def _endings(source: Path) -> str:
    paths = islice(paths_below(source), LOOKED_AT)
    counts = Counter(path.suffix.lower() or "no ending" for path in paths)
    told = [f"{counted(count, 'file')} of {ending}" for ending, count in counts.most_common(5)]
    return ", ".join(told)
