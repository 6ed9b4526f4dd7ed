"""The example of a reader outside the package, through the command line."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.store import ClipStore

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The numbers of a file among the recordings of the current folder, in millimetres."""
    monkeypatch.chdir(tmp_path)
    Path("recordings").mkdir()
    numbers = np.random.default_rng(0).normal(scale=300, size=(2, 10, 60))
    np.savetxt("recordings/wave_1.txt", numbers[0])
    np.savetxt("recordings/jump_2.txt", numbers[1])
    np.savetxt("recordings/jump_3.txt", numbers[1, :, :59])
    return numbers[1].reshape(10, 1, 20, 3)


def test_a_reader_of_a_file_makes_a_store(rows, capsys):
    called = ["prepare", f"{EXAMPLES / 'own_reader.py'}:Rows", "recordings", "--out", "store"]
    assert main([*called, "--reader.unit", "0.001", "--reader.frame_rate", "25"]) == 0
    store = ClipStore.open("store")
    assert store.names == ["jump_2", "wave_1"]
    assert store.classes == ("jump", "wave")
    assert store.column("subject").tolist() == [2, 1]
    assert store.column("frame_rate").tolist() == [25, 25]
    np.testing.assert_allclose(store.coordinates(0), rows / 1000, rtol=1e-6)
    assert store.provenance["options"]["unit"] == 0.001
    assert "jump_3.txt: has 59 numbers a row, not 60" in capsys.readouterr().out


def test_a_reader_is_found_in_the_current_folder_by_its_name(rows):
    shutil.copy(EXAMPLES / "own_reader.py", "a_reader_here.py")
    called = ["prepare", "a_reader_here:Rows", "recordings", "--out", "store"]
    assert main([*called, "--layout", "part10"]) == 2  # of ten joints
    assert main(called) == 0
    np.testing.assert_allclose(ClipStore.open("store").coordinates(0), rows, rtol=1e-6)


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        ("a_reader_here:Row", "'Rows'"),
        ("a_reader_nowhere:Rows", "a_reader_nowhere.py"),
        ("a_reader_here:JOINTS", "cannot be made"),
        ("a_reader_here:Path", "no reader"),
    ],
)
def test_what_is_no_reader_is_told(rows, reader, told, capsys):
    shutil.copy(EXAMPLES / "own_reader.py", "a_reader_here.py")
    assert main(["prepare", reader, "recordings", "--out", "store"]) == 2
    assert told in capsys.readouterr().err
    assert main(["prepare", "a_reader_here:Rows", "r", "--out", "s", "--reader.units", "1"]) == 2
    assert "takes no --units" in capsys.readouterr().err
