"""Words for messages: what files of others hold made readable, and many things listed."""

import re
from collections.abc import Iterable

# What a terminal would obey, and halves of characters, which cannot be written.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
NO_TEXT = "\ufffd"


def readable(text: str) -> str:
    """The text with a sign that no number has in place of each control character.

    Tabs and ends of lines stay.
    """
    return _CONTROL.sub(NO_TEXT, text)


def shown(value: object, most: int = 40) -> str:
    """A word of a file as a message shows it: short and on one line."""
    return readable(" ".join(str(value)[: most + 1].split()))[:most]


def listed(items: Iterable[object], limit: int = 5) -> str:
    """The first few items by name and the number of the rest, for a message."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"
