"""Checksums that travel inside what they are of.

A changed bit is told by name when a file is read. What was written before there were checksums has
none, and is read as it is.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosscale.errors import CrosscaleError

KEY = "checksum"


def with_checksum(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values and, under `checksum`, the SHA-256 of them."""
    return {**values, KEY: hashlib.sha256(canonical(values)).hexdigest()}


def checked(values: Mapping[str, Any], where: Path, remedy: str) -> dict[str, Any]:
    """JSON values as read, without their checksum.

    Args:
        values: what was read.
        where: the file, for messages.
        remedy: what to do about a changed one.

    Raises:
        CrosscaleError: when they are not those that were written.
    """
    own = {key: value for key, value in values.items() if key != KEY}
    if KEY in values and values != with_checksum(own):
        raise CrosscaleError(
            f"{where} has changed since it was written (its checksum differs); {remedy}"
        )
    return own


def canonical(values: Mapping[str, Any]) -> bytes:
    """The one way to write JSON values for a checksum, as they are when they are read back."""
    return json.dumps(json.loads(json.dumps(values)), sort_keys=True).encode()
