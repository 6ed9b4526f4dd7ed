"""The film above the README: small, and its pictures can be drawn anew."""

import sys
from dataclasses import replace

import numpy as np
from PIL import Image
from test_pages import DOCS

from crosscale.readers import make_reader
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.examples import example_recording
from crosscale.viz.player_clip import PlayedClip

sys.path.append(str(DOCS))
import film


def test_a_picture_fills_as_the_answers_come(tmp_path):
    name, text = example_recording()
    (tmp_path / name).write_text(text)
    reader = make_reader("mediapipe")
    clip = reader.read(reader.find(tmp_path)[0])
    played = PlayedClip(clip.name, clip.coordinates, Layout.load("blazepose33"), rate=30.0)
    answer = {"label": "squat", "probability": 0.9, "runner_up": "sit"}
    scene = film.Scene(
        played, answer | {"runner_up_probability": 0.1}, [(0.8, replace(played, name="b"))] * 3
    )
    early, answered, found = (
        np.asarray(film.drawn(scene, time)) for time in (0.0, film.ANSWERED, film.FOUND)
    )
    assert early.shape == (film.HEIGHT, film.WIDTH, 3)
    right = np.s_[:, film.WIDTH // 2 :]
    assert (early[right] < 200).sum() < (answered[right] < 200).sum() < (found[right] < 200).sum()


def test_the_film_is_small_and_of_the_width_of_a_page():
    path = DOCS / "film.gif"
    assert path.stat().st_size < 800_000
    with Image.open(path) as picture:
        assert picture.size == (film.WIDTH, film.HEIGHT)
        assert picture.n_frames > 90
