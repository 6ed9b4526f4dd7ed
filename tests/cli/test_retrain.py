"""One command makes the encoder that comes with crosscale again."""

import json

import numpy as np
import pytest
from scipy.io import savemat

import crosscale
from crosscale.cli import USER_ERROR, main

FRAMES = 12


def _skeletons(action, clip):
    """A random figure whose joints swing, faster with the action's number: (T, 20, 3)."""
    draws = np.random.default_rng(clip)
    swing = np.sin(np.arange(FRAMES) * (action + 1) / 3)[:, None, None]
    figure = np.random.default_rng(0).normal(size=(20, 3))
    return figure + 0.1 * swing + 0.02 * draws.normal(size=(FRAMES, 20, 3))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folders in the form of NW-UCLA and of UTD-MHAD."""
    root = tmp_path_factory.mktemp("sources")
    kinect, depth = root / "nw-ucla" / "all_sqe", root / "utd-mhad"
    kinect.mkdir(parents=True)
    depth.mkdir()
    for clip in range(24):
        action, camera, subject = clip % 2, 1 + clip // 2 % 3, 1 + clip // 6
        name = f"a0{action + 1}_s0{subject}_e00_v0{camera}"
        skeletons = _skeletons(action, clip).tolist()
        content = {"file_name": name, "skeletons": skeletons, "label": action + 1}
        (kinect / f"{name}.json").write_text(json.dumps(content))
        moved = _skeletons(action, clip).transpose(1, 2, 0)
        name = f"a{action + 1}_s{1 + clip // 6}_t{1 + clip // 2 % 3}_skeleton.mat"
        savemat(depth / name, {"d_skel": moved})
    return root / "nw-ucla", depth


@pytest.mark.slow
def test_from_recordings_to_a_model_folder_that_is_loaded_like_parts(sources, tmp_path):
    nwucla, utdmhad = map(str, sources)
    again = ["retrain", nwucla, utdmhad, "--out", str(tmp_path / "again"), "--epochs", "1"]
    assert main(again) == 0
    model = crosscale.load(tmp_path / "again" / "parts")
    shipped = crosscale.load("parts")
    assert model.layout.joints == shipped.layout.joints
    assert model.trained.details["encoder"] == shipped.trained.details["encoder"]
    clips = [_skeletons(0, 99)[:, None].astype(np.float32)]
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
