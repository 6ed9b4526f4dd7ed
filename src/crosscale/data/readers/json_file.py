"""JSON files."""

import json
from pathlib import Path
from typing import Any

from crosscale.errors import BadClip


def load_json(path: Path) -> Any:
    """The content of a file.

    Raises:
        BadClip: naming the file, and the line where it stops being JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BadClip(f"{path.name}: cannot be read ({error.strerror})") from error
    except json.JSONDecodeError as error:
        raise BadClip(
            f"{path.name}: line {error.lineno}: is not whole JSON ({error.msg})"
        ) from None
    except (UnicodeDecodeError, RecursionError):
        raise BadClip(f"{path.name}: is not JSON text") from None
