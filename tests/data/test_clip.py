import numpy as np
import pytest

from crosscale.data.clip import Clip
from crosscale.errors import BadClip


def coordinates(frames: int = 4, bodies: int = 2, joints: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(frames, bodies, joints, 3))


def make(x: np.ndarray, **fields) -> Clip:
    bodies = tuple(f"b{i}" for i in range(x.shape[1])) if x.ndim > 1 else ()
    return Clip(**{"name": "wave", "coordinates": x, "bodies": bodies} | fields)


def test_a_clip_holds_contiguous_float32_metres():
    x = make(coordinates()[:, :, ::-1]).coordinates
    assert x.dtype == np.float32
    assert x.flags.c_contiguous


def test_a_body_may_be_absent_in_some_frames_and_is_known_to_be():
    x = coordinates()
    x[2:, 1] = np.nan
    np.testing.assert_array_equal(make(x).present[:, 1], [True, True, False, False])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda x: x[:0], "has no frames"),
        (lambda x: x[:, :0], "no body"),
        (lambda x: x[:, :, :0], "no joints"),
        (lambda x: x[..., :1], r"shape \(4, 2, 3, 1\)"),
        (lambda x: x[0], "shape"),
        (lambda x: x * np.nan, "no body in any frame"),
        (lambda x: x.astype(int), "int64, not floating-point numbers"),
        (lambda x: _put(x, (2, 1, 0, 1), np.nan), "frame 2, body 1, joint 0 is missing"),
        (
            lambda x: _put(x, (3, 0, slice(None), 1), np.nan),
            "frame 3, body 0, joint 0 has a coordinate missing",
        ),
        (lambda x: _put(x, (1, 0, 2), np.nan), "frame 1, body 0, joint 2 is missing"),
        (lambda x: _put(x, (3, 0, 1, 2), np.inf), "frame 3, body 0, joint 1 is infinite"),
        (lambda x: _put(x, (3, 0, 1, 2), 1e300), "frame 3, body 0, joint 1 is infinite or too"),
        (lambda x: _put(x, (1, 1), 0), "frame 1, body 1: every joint is at 0 0 0"),
    ],
)
def test_a_bad_clip_is_refused_by_name_and_place(spoil, reason: str):
    with pytest.raises(BadClip, match=f"wave: .*{reason}"):
        make(spoil(coordinates()))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "empty name"),
        ({"bodies": ("a",)}, "2 bodies need as many different ids"),
        ({"bodies": ("a", "a")}, "2 bodies need as many different ids"),
        ({"label": ""}, "label is empty"),
        ({"frame_rate": 0.0}, "frame rate 0.0"),
        ({"frame_rate": float("nan")}, "frame rate nan"),
    ],
)
def test_bad_words_and_numbers_are_refused(fields: dict, reason: str):
    with pytest.raises(BadClip, match=reason):
        make(coordinates(), **fields)


def _put(x: np.ndarray, place: tuple, value: float) -> np.ndarray:
    x[place] = value
    return x
