"""Words for messages: what files of others hold made readable, and many things listed."""

from collections.abc import Iterable

from crosscale.errors import readable


def shown(value: object, most: int = 40) -> str:
    """A word of a file as a message shows it: short and on one line."""
    return readable(" ".join(str(value)[: most + 1].split()))[:most]


def listed(items: Iterable[object], limit: int = 5) -> str:
    """The first few items by name and the number of the rest, for a message."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"
