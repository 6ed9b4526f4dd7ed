"""`crosscale layout start`: from the joints of a file to a layout that is used."""

import numpy as np
import pytest
import yaml

from crosscale.cli import main
from crosscale.data.store import ClipStore
from crosscale.skeleton.layout import Layout

NAMES = ("Nose", "EarLeft", "EarRight", "hip_L", "hip_R", "TailBase")
ANSWERS = {
    "centre": "nose",
    "root": ["nose"],
    "shoulders": ["left_ear", "right_ear"],
    "parents": {
        **{"left_ear": "nose", "right_ear": "nose", "left_hip": "left_ear"},
        **{"right_hip": "right_ear", "tail_base": "nose"},
    },
}


@pytest.fixture
def table(tmp_path):
    """One animal in long form."""
    rows = ["frame,joint,x,y"]
    for t in range(5):
        rows += [f"{t},{name},{10 * i + t},{i * i}" for i, name in enumerate(NAMES)]
    path = tmp_path / "mice" / "a.csv"
    path.parent.mkdir()
    path.write_text("\n".join(rows))
    return path


def test_a_layout_is_begun_completed_and_used(table, tmp_path, capsys):
    out, store = tmp_path / "mouse.yaml", tmp_path / "store"
    assert main(["layout", "start", str(table.parent), "--out", str(out)]) == 0
    assert "6 joints of long written to" in capsys.readouterr().out
    source = yaml.safe_load(out.read_text())
    plain = ["nose", "left_ear", "right_ear", "left_hip", "right_hip", "tail_base"]
    assert source["joints"] == plain
    assert source["hips"] == ["left_hip", "right_hip"]
    lines = [line.strip() for line in out.read_text().splitlines()]
    assert "tail_base: '?'" in lines, "so that the line of a joint can be taken out"
    assert list(source["parents"].values()) == ["?"] * 6
    assert set(source) == {"name", "joints", "hips", "parents"}, (
        "what need not be told is not asked"
    )
    assert main(["layout", "check", str(out)]) == 2
    assert "still has a question mark under parents" in capsys.readouterr().err
    out.write_text(yaml.safe_dump({**source, **ANSWERS}))
    arguments = ["prepare", "auto", str(table.parent), "--layout", str(out), "--out", str(store)]
    assert main([*arguments, "--up", "y"]) == 0
    clip = ClipStore.open(store).coordinates(0)
    np.testing.assert_allclose(clip[0, 0, :, 1], np.arange(6) ** 2)


def test_names_and_what_hangs_on_what_make_a_layout(table, tmp_path):
    out = tmp_path / "mouse.yaml"
    assert main(["layout", "start", str(table.parent), "--out", str(out)]) == 0
    source = yaml.safe_load(out.read_text())
    layout = Layout.from_dict({**source, "parents": ANSWERS["parents"]})
    nose, ears = layout.index("nose"), (layout.index("left_ear"), layout.index("right_ear"))
    assert (layout.centre, layout.root, layout.shoulders) == (nose, (nose,), ears)
    told = layout.to_dict()  # as stores, encoders and exports tell it to other programs
    assert (told["centre"], told["root"], told["shoulders"]) == (
        "nose",
        ["nose"],
        ["left_ear", "right_ear"],
    )
    assert Layout.from_dict(told).to_dict() == told
    worm = {"name": "worm", "joints": ["head", "middle", "tail"]}
    worm |= {"parents": {"head": "middle", "tail": "middle"}}
    assert Layout.from_dict(worm).shoulders == Layout.from_dict(worm).hips == (1, 1)


def test_a_file_that_is_there_is_left_alone(table, tmp_path, capsys):
    out = tmp_path / "mouse.yaml"
    out.write_text("mine")
    assert main(["layout", "start", str(table), "--out", str(out)]) != 0
    assert out.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_formats_of_one_layout_need_none(tmp_path, capsys):
    (tmp_path / "a1_s1_t1_skeleton.mat").write_text("x")
    assert main(["layout", "start", str(tmp_path), "--out", str(tmp_path / "x.yaml")]) != 0
    assert "recordings of utdmhad have a built-in layout" in capsys.readouterr().err
