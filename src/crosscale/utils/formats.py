"""Names of file formats; each ends in a version, as in `crosscale encoder 1`."""

from pathlib import Path

from crosscale.errors import CrosscaleError


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


def _version(found: object, expected: str) -> int | None:
    kind, _, version = str(found).rpartition(" ")
    same = isinstance(found, str) and kind == expected.rpartition(" ")[0]
    return int(version) if same and version.isdecimal() else None
