import hashlib
import tarfile

import pytest

from crosscale.cli import main
from crosscale.errors import CrosscaleError
from crosscale.serve import webcam


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A package as npm packs it, whose checksum is taken for the published one."""
    path = tmp_path / "mediapipe-pose.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name in [*webcam.FILES, "../../owned", "pose_landmark_heavy.tflite"]:
            source = tmp_path / "content"
            source.write_text(name)
            tar.add(source, f"package/{name}")
    digest = hashlib.sha512(path.read_bytes()).digest()
    monkeypatch.setattr(webcam, "INTEGRITY", webcam.base64.b64encode(digest).decode())
    return path


def test_only_the_files_that_are_served_are_unpacked(packed, tmp_path):
    out = tmp_path / "cache" / "pose"
    assert webcam.absent(out) is not None
    assert main(["webcam", "--archive", str(packed), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(webcam.FILES)
    assert (out / "pose.js").read_text() == "pose.js"
    assert webcam.absent(out) is None
    assert main(["webcam", "--archive", str(packed), "--out", str(out)]) == 0


def test_what_is_not_the_published_package_is_not_unpacked(packed, tmp_path):
    packed.write_bytes(packed.read_bytes()[:-1] + b"!")
    with pytest.raises(CrosscaleError, match="its checksum differs"):
        webcam.install(packed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_npm_one_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(webcam.shutil, "which", lambda name: None)
    with pytest.raises(CrosscaleError, match=r"npm pack @mediapipe/pose.*--archive"):
        webcam.install(None, tmp_path / "out")
