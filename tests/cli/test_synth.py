"""`crosscale synth`: what the command makes and says."""

import pytest

from crosscale.cli.synth import synth
from crosscale.errors import CrosscaleError


def test_it_writes_the_clips_and_says_where(tmp_path, capsys):
    made = synth(tmp_path / "set", classes=2, subjects=2, cameras=1, clips=3, frames=(8, 10))
    assert made.clips == 3
    assert len(list(made.folder.glob("*.skeleton"))) == 3
    assert "3 synthetic clips" in capsys.readouterr().out


def test_impossible_settings_leave_no_folder(tmp_path):
    with pytest.raises(CrosscaleError, match="cameras"):
        synth(tmp_path / "set", cameras=7)
    assert not (tmp_path / "set").exists()
