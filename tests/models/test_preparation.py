"""The numpy that the docs show for exported programs prepares clips as crosscale does."""

import re
from pathlib import Path

import numpy as np
import pytest

from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import Preprocess, preprocess

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
LAYOUT = Layout.load("ntu25")


@pytest.fixture(scope="module")
def prepared():
    written = re.search(r"^def prepared\(.*?\n\n\n", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    space = {"np": np}
    exec(written[0], space)
    return space["prepared"]


@pytest.mark.parametrize(
    ("frames", "bodies", "away"), [(1, 1, 0), (7, 1, 0.4), (30, 2, 0.3), (61, 3, 0.6), (16, 2, 0)]
)
def test_the_docs_prepare_clips_as_crosscale_does(prepared, frames, bodies, away):
    random = np.random.default_rng(frames)
    pose = random.normal(size=(1, bodies, 25, 3))
    clip = pose + random.normal(scale=0.05, size=(frames, bodies, 25, 3)).cumsum(axis=0)
    clip[random.random((frames, bodies)) < away] = np.nan
    if bodies == 2:
        clip[: frames // 3, 0] = np.nan
    settings = Preprocess(frames=16, reference="each")
    right = preprocess([clip.astype(np.float32)], LAYOUT, settings)
    facts = {"layout": LAYOUT.to_dict(), "preparation": {"settings": vars(settings)}}
    coordinates, body_mask = prepared(clip, facts)
    np.testing.assert_array_equal(body_mask, right.body_mask[0])
    np.testing.assert_allclose(coordinates, right.coordinates[0], atol=2e-5)
