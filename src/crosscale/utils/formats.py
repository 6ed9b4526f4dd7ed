"""What this package's files say of themselves: their format, and a checksum of what they hold.

A format's name ends in a version, as in `crosscale encoder 1`. A checksum tells a changed bit by
the file's name when it is read. What was written before there were checksums has none, and is read
as it is.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from crosscale.errors import CrosscaleError

CHECKSUM = "checksum"


def is_version_of(found: object, expected: str) -> bool:
    """Whether a format is the expected one, in whatever version."""
    return _version(found, expected) is not None


def refuse_other_version(path: Path, found: object, expected: str, remedy: str) -> None:
    """Tell what another version of this program wrote by its name.

    What is no version of the expected format passes: the caller knows what to say of it.

    Args:
        path: the file, for the message.
        found: the format that it says it has.
        expected: the format that is read.
        remedy: for an older version.

    Raises:
        CrosscaleError: when it is an older or newer version.
    """
    version = _version(found, expected)
    if version is None or found == expected:
        return
    is_newer = version > int(expected.rpartition(" ")[2])
    age = "newer" if is_newer else "older"
    raise CrosscaleError(
        f"{path} has the format '{found}', {age} than the '{expected}' that this program reads; "
        + ("bring crosscale up to date" if is_newer else remedy)
    )


def with_checksum(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values and, under `checksum`, the SHA-256 of them."""
    return {**values, CHECKSUM: hashlib.sha256(canonical(values)).hexdigest()}


def checked(values: Mapping[str, Any], where: Path, remedy: str) -> dict[str, Any]:
    """JSON values as read, without their checksum.

    Raises:
        CrosscaleError: when they are not those that were written.
    """
    own = {key: value for key, value in values.items() if key != CHECKSUM}
    if CHECKSUM in values and values != with_checksum(own):
        raise CrosscaleError(
            f"{where} has changed since it was written (its checksum differs); {remedy}"
        )
    return own


def read_facts(path: Path, expected: str, kind: str, remedy: str) -> dict[str, Any]:
    """The JSON values of one of this package's files; older ones have no checksum.

    Args:
        path: the file.
        expected: its format.
        kind: what it holds, for messages.
        remedy: what to do about another one.

    Raises:
        CrosscaleError: when the file is damaged, or of another format or version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = values.get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise CrosscaleError(f"{path} is damaged ({error}); {remedy}") from error
    refuse_other_version(path, found, expected, remedy)
    if found != expected:
        raise CrosscaleError(f"{path} holds no {kind}; {remedy}")
    return checked(values, path, remedy)


def canonical(values: Mapping[str, Any]) -> bytes:
    """The one way to write JSON values for a checksum, as they are when they are read back."""
    return json.dumps(json.loads(json.dumps(values)), sort_keys=True).encode()


def _version(found: object, expected: str) -> int | None:
    kind, _, version = str(found).rpartition(" ")
    same = isinstance(found, str) and kind == expected.rpartition(" ")[0]
    return int(version) if same and version.isdecimal() else None


def read_yaml(file: Path | Traversable, *, as_text: bool = False) -> Any:
    """What a YAML file holds.

    Args:
        file: of a user, or inside the package.
        as_text: leave words as they are written: `1` and `no` stay text.

    Raises:
        CrosscaleError: when it cannot be read, naming the file and the line.
    """
    try:
        text = file.read_text(encoding="utf-8")
        return yaml.load(text, Loader=yaml.BaseLoader) if as_text else yaml.safe_load(text)
    except OSError as error:
        raise CrosscaleError(f"{file} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise CrosscaleError(f"{file} is not a YAML file{line}") from error
