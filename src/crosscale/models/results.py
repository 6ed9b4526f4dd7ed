"""What evaluations found of a run's encoders, as `results.json` keeps it."""

import json
from pathlib import Path
from typing import Any

from crosscale.errors import CrosscaleError
from crosscale.utils.formats import checked, refuse_other_version

RESULTS_FORMAT = "crosscale results 1"


def read_results(path: Path) -> dict[str, Any]:
    """The contents of a results file; older ones have no checksum.

    Raises:
        CrosscaleError: when the file is damaged, or of another format or version.
    """
    remedy = "evaluate again or delete it"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CrosscaleError(f"{path} is damaged ({error}); {remedy}") from error
    found = results.get("format") if isinstance(results, dict) else None
    refuse_other_version(path, found, RESULTS_FORMAT, remedy)
    if found != RESULTS_FORMAT:
        raise CrosscaleError(f"{path} holds no results of an evaluation; {remedy}")
    return checked(results, path, remedy)
