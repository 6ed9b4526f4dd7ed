"""Text out of files of others, made fit for a message or a parser."""

import re

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
