"""Words for messages: what files of others hold made readable, and many things listed."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from crosscale.errors import readable


def shown(value: object, most: int = 40) -> str:
    """A word of a file as a message shows it: short and on one line."""
    return readable(" ".join(str(value)[: most + 1].split()))[:most]


def composed(name: str) -> str:
    """A name in the Unicode form that is compared: ü is one sign, as a Mac does not write it."""
    return unicodedata.normalize("NFC", name)


def places_of(names: Iterable[str]) -> dict[str, int]:
    """Places of names, by the form that is compared: look for `composed` ones in it."""
    return {composed(name): place for place, name in enumerate(names)}


def natural(text: str) -> list[int | str]:
    """What to sort by so that a2 comes before a10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", text))]


def alike(names: Iterable[str]) -> list[str]:
    """What is to be said of names that differ in capital letters or gaps only."""
    groups = defaultdict(list)
    for name in names:
        groups["".join(name.casefold().split())].append(name)
    return [
        f"the classes {' and '.join(map(repr, group))} differ in capital letters or blanks only"
        for group in groups.values()
        if len(group) > 1
    ]


def counted(number: int, noun: str) -> str:
    """A number of things: `1 clip`, `1,200 classes`."""
    many = noun + ("es" if noun.endswith(("s", "ch", "x")) else "s")
    return f"{number:,} {noun if number == 1 else many}"


def none_can(number: int, what: str) -> str:
    """That nothing can: `none of the 2 recordings can`, `the recording cannot`."""
    return f"the {what} cannot" if number == 1 else f"none of the {number:,} {what}s can"


def listed(items: Iterable[object], limit: int = 5) -> str:
    """The first few items by name and the number of the rest, for a message."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"
