"""Which format a source has, told from a look at a few of its files."""

import importlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crosscale.errors import CrosscaleError
from crosscale.readers import known_readers

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
    """The format of a source.

    A module of a reader takes part with a function `recognises(source)`, which gives the reason or
    None. One that reads several data sets tells by `variant(source)` which one it is.

    Raises:
        CrosscaleError: when none fits, or several; tells which and why.
    """
    if not source.exists():
        raise CrosscaleError(f"{source} does not exist")
    found = [one for one in _all(source) if one.source_format not in GENERAL]
    found = found or list(_all(source))
    if len(found) == 1:
        return found[0]
    if not found:
        raise CrosscaleError(
            f"{source} has no format that is known; it has {_endings(source)}. Name the format in "
            f"place of auto: {', '.join(sorted(known_readers()))}"
        )
    reasons = "; ".join(f"{one.source_format}, since {one.reason}" for one in found)
    raise CrosscaleError(
        f"{source} may have several formats: {reasons}. Name the one you mean in place of auto"
    )


def _all(source: Path) -> Iterator[Recognised]:
    modules: dict[str, list[str]] = {}
    for name, path in known_readers().items():
        modules.setdefault(path.partition(":")[0], []).append(name)
    for module, names in modules.items():
        reader = importlib.import_module(module)
        try:
            reason = reader.recognises(source) if hasattr(reader, "recognises") else None
            if reason is not None:
                variant = names[0] if len(names) == 1 else reader.variant(source)
                yield Recognised(variant, reason)
        except OSError as error:
            raise CrosscaleError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _endings(source: Path) -> str:
    paths = [source] if source.is_file() else islice(source.rglob("*"), LOOKED_AT)
    counts = Counter(path.suffix.lower() or "no ending" for path in paths if path.is_file())
    told = [f"{count:,} files of {ending}" for ending, count in counts.most_common(5)]
    return ", ".join(told) or "no files"
