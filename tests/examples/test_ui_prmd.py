"""The example of a reader that places joints by offsets and angles."""

import gzip
from pathlib import Path

import numpy as np

from crosscale.cli import main
from crosscale.data.store import ClipStore

EXAMPLE = Path(__file__).parents[2] / "examples" / "ui_prmd.py"


def write(path: Path, rows: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    text = "\n".join(",".join(f"{number:.6f}" for number in row) for row in rows.reshape(2, -1))
    path.write_bytes(gzip.compress(text.encode()))


def test_a_bone_turns_all_that_hangs_on_it(tmp_path):
    offsets, angles = np.zeros((2, 22, 3)), np.zeros((2, 22, 3))
    offsets[:, 1:, 1] = 10  # centimetres, each bone upwards
    angles[1, 0] = 0, 0, 90  # the waist about z: upwards becomes to -x
    angles[1, 2] = 90, 0, 0  # then the chest about x, within the turned waist: to z
    write(tmp_path / "positions" / "m02_s03_e04_positions.txt.gz", offsets)
    write(tmp_path / "angles" / "m02_s03_e04_angles.txt.gz", angles)
    store = tmp_path / "store"
    assert main(["prepare", f"{EXAMPLE}:UiPrmd", str(tmp_path), "--out", str(store)]) == 0
    (clip,) = ClipStore.open(store)
    assert (clip.name, clip.label, clip.subject, clip.repetition) == ("m02_s03_e04", "m02", 3, 4)
    still, turned = clip.coordinates[:, 0]
    np.testing.assert_allclose(still[[0, 1, 2, 3]], [[0, k / 10, 0] for k in range(4)], atol=1e-6)
    expected = [[0, 0, 0], [-0.1, 0, 0], [-0.2, 0, 0], [-0.2, 0, 0.1], [-0.2, 0, 0.2]]
    np.testing.assert_allclose(turned[:5], expected, atol=1e-6)
