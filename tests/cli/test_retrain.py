"""One command makes the encoder that comes with crosscale again."""

import numpy as np
import pytest

import crosscale
from crosscale.cli import USER_ERROR, main
from crosscale.encoders import described
from kinect_folders import skeletons, write_nwucla, write_utdmhad


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folders in the form of NW-UCLA and of UTD-MHAD."""
    root = tmp_path_factory.mktemp("sources")
    write_nwucla(root / "nw-ucla")
    write_utdmhad(root / "utd-mhad")
    return root / "nw-ucla", root / "utd-mhad"


@pytest.mark.slow
def test_from_recordings_to_a_model_folder_that_is_loaded_like_parts(sources, tmp_path):
    nwucla, utdmhad = map(str, sources)
    again = ["retrain", nwucla, utdmhad, "--out", str(tmp_path / "again"), "--epochs", "1"]
    assert main(again) == 0
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


@pytest.mark.slow
def test_what_was_begun_is_gone_on_with(sources, tmp_path, capsys):
    nwucla, utdmhad = map(str, sources)
    again = ["retrain", nwucla, "--out", str(tmp_path), "--epochs", "1"]
    assert main([*again[:2], str(tmp_path / "nowhere"), *again[2:]]) == USER_ERROR
    assert "nowhere" in capsys.readouterr().err
    assert main([*again[:2], utdmhad, *again[2:]]) == 0
    assert "nw-ucla" not in capsys.readouterr().out  # its store was there
