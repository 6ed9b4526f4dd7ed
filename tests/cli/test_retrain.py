"""One command makes the encoder that comes with crosscale again."""

import numpy as np
import pytest

import crosscale
from crosscale.cli import USER_ERROR, main
from crosscale.encoders import described
from kinect_folders import skeletons, write_nwucla, write_utdmhad


@pytest.mark.slow
def test_from_recordings_to_a_model_folder_that_is_loaded_like_parts(tmp_path, capsys):
    """What was begun is gone on with."""
    write_nwucla(tmp_path / "nw-ucla")
    write_utdmhad(tmp_path / "utd-mhad")
    told = ["--out", str(tmp_path / "again"), "--epochs", "1"]
    begun, again = (
        ["retrain", str(tmp_path / "nw-ucla"), str(tmp_path / other), *told]
        for other in ("nowhere", "utd-mhad")
    )
    assert main(begun) == USER_ERROR
    assert "nowhere" in capsys.readouterr().err
    assert main(again) == 0
    assert "nw-ucla" not in capsys.readouterr().out  # its store was there
    model = crosscale.load(tmp_path / "again" / "parts")
    shipped = crosscale.load("parts")
    assert model.layout.joints == shipped.layout.joints
    assert described(model.encoder) == described(shipped.encoder)
    clips = [skeletons(0, 99)[:, None].astype(np.float32)]
    assert model.embed(clips, "kinect20").shape == shipped.embed(clips, "kinect20").shape
    card = (tmp_path / "again" / "parts" / "README.md").read_text()
    assert "nwucla | xview" in card
    assert "utdmhad | odd_even" in card
    assert main(again) == USER_ERROR  # it is there
