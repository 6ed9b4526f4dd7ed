import sys

import numpy as np
import pytest
from PIL import Image
from player_pages import body

from crosscale.errors import CrosscaleError
from crosscale.viz import film
from crosscale.viz.film import projected, write_film
from crosscale.viz.player_clip import PlayedClip, stored_clip


@pytest.fixture
def short(store):
    """Five frames at 25 a second: a fifth of a second."""
    return PlayedClip("any", store.coordinates(2)[8:13], store.layout, rate=25.0)


def test_a_gif_moves_in_real_time_and_is_the_same_twice(short, tmp_path):
    paths = [write_film(tmp_path / name, [short]) for name in ("a.gif", "b.gif")]
    with Image.open(paths[0]) as picture:
        assert picture.n_frames == 4
        assert picture.info["duration"] == 50
        first = np.array(picture.convert("RGB"))
        picture.seek(3)
        assert (np.array(picture.convert("RGB")) != first).any()
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gif", "b.gif"]


def test_an_mp4_is_written_with_the_ffmpeg_of_the_video_extra(short, tmp_path, monkeypatch):
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert b"ftyp" in write_film(tmp_path / "a.mp4", [short]).read_bytes()[:16]


def test_without_ffmpeg_an_mp4_is_refused_with_the_remedy(short, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(CrosscaleError, match=r"pip install 'crosscale\[video\]', or write a .gif"):
        write_film(tmp_path / "a.mp4", [short])
    assert not list(tmp_path.iterdir())


def test_other_names_and_long_clips_are_refused(short, store, tmp_path, monkeypatch):
    with pytest.raises(CrosscaleError, match=r"\.gif or \.mp4"):
        write_film(tmp_path / "a.avi", [short])
    monkeypatch.setattr(film, "SECONDS", 1.0)
    with pytest.raises(CrosscaleError, match="a clip takes 2 s, a film at most 1"):
        write_film(tmp_path / "a.gif", [stored_clip(store, 5)])


def test_a_clip_in_the_plane_is_filmed_as_it_is(kinect20, tmp_path):
    x = body(kinect20, 0, frames=3, size=2)
    assert projected(x) is x
    write_film(tmp_path / "flat.gif", [PlayedClip("flat", x, kinect20)])


def test_up_is_up_and_the_persons_left_is_on_the_viewers_right():
    # A person facing the sensor has the left at -x, and is seen from the sensor's side.
    left, right, top = projected(np.array([[-1.0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32))
    assert left[0] > 0 > right[0]
    assert top[1] > 0.9
