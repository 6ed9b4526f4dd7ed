"""The example of a training loop of one's own runs as it is, and learns."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "fine_tune.py"


@pytest.mark.slow
def test_people_never_seen_are_named_better_after_training(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", done.stdout)]
    right = [int(share) for share in re.findall(r"(\d+) % right", done.stdout)]
    assert losses[-1] < losses[0]
    assert right[-1] > 60  # of four actions
    assert list(tmp_path.iterdir()) == []
