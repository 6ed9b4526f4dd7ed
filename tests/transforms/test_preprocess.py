import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.data.clip import Clip
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import (
    PUBLISHED,
    Preprocess,
    face_front,
    load,
    preprocess,
    turn,
)

NTU = Layout.load("ntu25")
PLAIN = Preprocess(facing="none")
CASES = range(6)


def some_clip(frames=20, bodies=2, seed=0):
    draws = np.random.default_rng(seed)
    return draws.normal(size=(frames, bodies, 25, 3)).astype(np.float32)


def published_clip(raw):
    """(C, T, V, M) with zeros for nobody, as a clip with NaN for nobody."""
    clip = raw.transpose(1, 3, 2, 0).copy()
    clip[(clip == 0).all(axis=(2, 3))] = np.nan
    return clip


@pytest.fixture(scope="module")
def ntu(golden):
    return np.load(golden / "ntu_preprocess.npz", allow_pickle=False)


@pytest.mark.parametrize(("facing", "step"), [("none", "resized50"), ("frame", "aligned50")])
def test_published_clips_match_the_published_code_step_by_step(ntu, facing, step):
    clips = [published_clip(ntu[f"case{i}_raw"]) for i in CASES]
    out = preprocess(clips, NTU, dataclasses.replace(PUBLISHED, facing=facing)).coordinates
    for i in CASES:
        np.testing.assert_allclose(out[i], ntu[f"case{i}_{step}"], atol=1e-5)


@pytest.mark.parametrize("made", [PUBLISHED, Preprocess(), Preprocess(root="frame")])
def test_an_absent_body_stays_zero_and_is_marked(made):
    clip = some_clip()
    clip[:, 1] = np.nan
    out = preprocess([clip, some_clip(bodies=1)], NTU, made)
    assert out.body_mask.tolist() == [[True, False]] * 2
    assert (out.coordinates[..., 1] == 0).all()
    assert out.coordinates[..., 0].any()


def test_the_root_is_that_of_the_first_body_who_is_there():
    clip = some_clip()
    clip[:, 0] = np.nan
    out = preprocess([clip], NTU, Preprocess(root="frame", facing="none"))
    assert out.body_mask.tolist() == [[False, True]]
    assert (out.coordinates[0, :, :, 20, 1]).abs().max() < 1e-6


def test_bodies_beyond_the_wanted_are_left_out():
    clip = some_clip(bodies=3)
    out = preprocess([clip], NTU, Preprocess(bodies=2))
    expected = preprocess([clip[:, :2]], NTU, Preprocess(bodies=2))
    assert torch.equal(out.coordinates, expected.coordinates)


def test_frames_at_the_ends_without_anybody_are_trimmed():
    clip = some_clip()
    nobody = np.full((4, 2, 25, 3), np.nan, np.float32)
    surrounded = np.concatenate([nobody, clip, nobody])
    out = preprocess([clip, surrounded], NTU, Preprocess())
    assert torch.equal(out.coordinates[0], out.coordinates[1])


MOVING = dataclasses.replace(PLAIN, length="moving")


def waving(frames=40, seed=0):
    """(T, 1, 25, 3) of a body one hand of which goes to and fro, once."""
    body = np.random.default_rng(seed).normal(size=(25, 3))
    x = np.repeat(body[None, None], frames, axis=0)
    x[:, 0, 18:25] += 1 - np.cos(np.linspace(0, 2 * np.pi, frames))[:, None, None]
    return x.astype(np.float32)


def held(x, before, after, trembling=0.003):
    """The clip with people who stand still, but for a tremble, before and after."""
    whole = np.concatenate([np.repeat(x[:1], before, 0), x, np.repeat(x[-1:], after, 0)])
    return whole + np.random.default_rng(1).normal(scale=trembling, size=whole.shape).astype("f4")


def test_who_stands_still_before_and_after_moving_makes_no_difference():
    exact, loose = preprocess(
        [held(waving(), 0, 0), held(waving(), 30, 50)], NTU, MOVING
    ).coordinates
    assert (exact - loose).abs().max() < 0.5  # of a hand that moves by 2
    whole = preprocess([held(waving(), 30, 50)], NTU, PLAIN).coordinates[0]
    assert (exact - whole).abs().max() > 1.5


def test_moving_takes_all_people_and_goes_by_who_is_there():
    one, other = held(waving(), 0, 60), held(waving(), 60, 0)
    both = np.concatenate([one, other], axis=1)
    found = preprocess([both, both[:, ::-1]], NTU, MOVING)
    plain = preprocess([both], NTU, PLAIN).coordinates
    assert (found.coordinates[0, ..., 0] - plain[0, ..., 0]).abs().max() < 0.3
    assert (found.coordinates[0, ..., 1] - plain[0, ..., 1]).abs().max() < 0.3
    apart = waving()
    apart[5:35] = np.nan  # nobody is there while the place changes
    apart[35:] += 1
    assert preprocess([apart], NTU, MOVING).body_mask.tolist() == [[True, False]]


@given(st.integers(1, 70), st.integers(0, 2**31), st.booleans())
@settings(deadline=None, max_examples=40)
def test_moving_shows_whoever_is_there_and_does_not_depend_on_other_clips(frames, seed, still):
    clip = some_clip(frames, seed=seed)
    clip = np.repeat(clip[:1], frames, axis=0) if still else clip
    clip[: frames // 3, 1] = np.nan
    out = preprocess([clip], NTU, MOVING)
    assert torch.isfinite(out.coordinates).all()
    assert out.body_mask.tolist() == preprocess([clip], NTU, PLAIN).body_mask.tolist()
    among = preprocess([some_clip(30), clip, waving()], NTU, MOVING)
    torch.testing.assert_close(among.coordinates[1], out.coordinates[0], rtol=0, atol=0)
    if still:
        present = preprocess([clip], NTU, PLAIN).coordinates
        torch.testing.assert_close(out.coordinates, present, rtol=0, atol=1e-6)


def test_published_length_counts_frames_of_the_first_body_and_takes_as_many_from_the_start():
    clip = some_clip(frames=10)
    clip[3:5, 0] = np.nan
    clip[7, 0, 0] = 0
    made = dataclasses.replace(PLAIN, frames=7, length="published", root="frame")
    expected = preprocess([clip[:7]], NTU, dataclasses.replace(made, length="present"))
    assert torch.equal(preprocess([clip], NTU, made).coordinates, expected.coordinates)


def test_a_gap_is_crossed_in_a_straight_line_and_ends_are_held():
    clip = np.arange(8, dtype=np.float32)[:, None, None, None] ** 2 * np.ones((2, 25, 3), "f4")
    clip[[0, 3, 4, 7], 1] = np.nan
    out = preprocess([clip], NTU, dataclasses.replace(PLAIN, frames=8)).coordinates
    expected = [1, 1, 4, 4 + 7, 4 + 14, 25, 36, 36]
    torch.testing.assert_close(out[0, 0, :, 0, 1], torch.tensor(expected).float())


def test_resampling_within_a_gap_stays_on_its_line():
    clip = np.arange(7, dtype=np.float32)[:, None, None, None] * np.ones((1, 25, 3), "f4")
    clip[0] = 3  # the others lie on a line through 0
    whole = preprocess([clip], NTU, dataclasses.replace(PLAIN, frames=23))
    clip[3:6] = np.nan
    gap = preprocess([clip], NTU, dataclasses.replace(PLAIN, frames=23))
    torch.testing.assert_close(gap.coordinates, whole.coordinates)


def test_a_clip_of_the_right_length_keeps_its_frames():
    clip = some_clip(frames=50)
    out = preprocess([clip], NTU, PLAIN).coordinates[0].permute(1, 3, 2, 0)
    np.testing.assert_allclose(out, clip - clip[0, 0, 20], atol=1e-6)


def test_resampling_never_reads_beyond_a_clip():
    clip = some_clip(frames=9)
    together = preprocess([clip[:6], clip[6:]], NTU, PLAIN).coordinates
    alone = preprocess([clip[:6]], NTU, PLAIN).coordinates
    assert torch.equal(together[:1], alone)


@pytest.mark.parametrize("made", [PUBLISHED, Preprocess()])
def test_a_clip_of_one_frame_is_held(made):
    out = preprocess([some_clip(frames=1)], NTU, made).coordinates
    assert out.isfinite().all()
    torch.testing.assert_close(out, out[:, :, :1].expand_as(out))


@pytest.mark.parametrize("made", [PUBLISHED, Preprocess(), Preprocess(root="frame")])
def test_where_the_sensor_stands_does_not_matter(made):
    clip = some_clip()
    moved = clip + np.float32([1, 2, 3])
    here, there = preprocess([clip, moved], NTU, made).coordinates
    torch.testing.assert_close(here, there, atol=1e-4, rtol=0)


def test_a_common_root_keeps_paths_and_where_two_people_stand():
    clip = np.repeat(some_clip(frames=1), 50, axis=0)
    clip[..., 2] += np.linspace(0, 2, 50, dtype=np.float32)[:, None, None]
    clip[:, 1, :, 0] += 1.5
    out = preprocess([clip], NTU, PLAIN).coordinates[0].permute(1, 3, 2, 0).numpy()
    np.testing.assert_allclose(out, clip - clip[0, 0, 20], atol=1e-5)


def test_each_body_in_turn_is_seen_as_if_it_were_the_first():
    clip = some_clip(bodies=3)
    clip[:, :, :, 0] += 2 * np.arange(3)[:, None]
    settings = Preprocess(bodies=3, size="normal", reference="each")
    out = preprocess([clip], NTU, settings)
    assert out.coordinates.shape == (1, 3, 50, 25, 9)
    assert out.body_mask.all()
    usual = dataclasses.replace(settings, reference="first")
    for first in range(3):
        order = [first, *(body for body in range(3) if body != first)]
        seen = preprocess([clip[:, order]], NTU, usual).coordinates
        places = [3 * first + body for body in order]
        torch.testing.assert_close(out.coordinates[..., places], seen)


def test_bodies_that_are_not_there_are_no_reference():
    clip = some_clip(bodies=2)
    clip[:, 0] = np.nan
    alone = preprocess([clip, clip[:, 1:]], NTU, Preprocess(reference="each"))
    assert alone.body_mask.tolist() == [[False, False, False, True], [True, False, False, False]]
    torch.testing.assert_close(alone.coordinates[0, ..., 3], alone.coordinates[1, ..., 0])


@given(degrees=st.floats(-179, 179))
@settings(max_examples=25, deadline=None)
def test_clip_facing_undoes_any_turn_of_the_whole_scene(degrees):
    clip = some_clip()
    clip[:, 0, 8] += [5, 0, 1]  # shoulders that give the body a front
    bodies = torch.from_numpy(clip).permute(1, 3, 0, 2)
    turned = turn(bodies, torch.full((2, 1), np.deg2rad(degrees))).permute(2, 0, 3, 1)
    out = preprocess([clip, turned.numpy()], NTU, Preprocess()).coordinates
    torch.testing.assert_close(out[0], out[1], atol=1e-3, rtol=0)
    across = out[0, :, :, [8, 16], 0] - out[0, :, :, [4, 12], 0]
    line = across.sum(2).mean(1)
    assert line[0] > 0
    assert line[2].abs() < 1e-4


def test_clip_facing_keeps_a_body_turning_within_the_clip():
    clip = some_clip()
    out = preprocess([clip], NTU, Preprocess(frames=20)).coordinates[0]
    plain = preprocess([clip], NTU, Preprocess(frames=20, facing="none")).coordinates[0]
    steps = [torch.linalg.vector_norm(x.diff(dim=1), dim=0) for x in (out, plain)]
    torch.testing.assert_close(*steps, atol=1e-4, rtol=0)


def test_shoulders_and_hips_in_one_point_leave_a_clip_as_it_is():
    x = torch.zeros(1, 3, 5, 25)
    x[:, 0, :, 3] = 1
    assert torch.equal(face_front(x, torch.tensor([0]), NTU, "clip"), x)


@pytest.mark.parametrize("made", [PUBLISHED, Preprocess()])
def test_a_clip_does_not_depend_on_its_company(made, monkeypatch):
    clips = [some_clip(frames=n, seed=n) for n in (30, 1, 7, 50, 12)]
    together = preprocess(clips, NTU, made).coordinates
    monkeypatch.setattr("crosscale.transforms.preprocess.CHUNK", 2)
    order = [4, 2, 0, 3, 1]
    shuffled = preprocess([clips[i] for i in order], NTU, made).coordinates
    torch.testing.assert_close(shuffled, together[order])


def test_load_takes_clips_of_a_store_by_index(tmp_path):
    clips = [some_clip(seed=i) for i in range(3)]
    names = tuple("abc")
    with StoreWriter(tmp_path / "store", name="own", layout=NTU, classes=None) as writer:
        for name, clip in zip(names, clips, strict=True):
            writer.add(Clip(name, clip, ("1", "2")))
    out = load(ClipStore.open(tmp_path / "store"), np.array([2, 0]), PLAIN)
    expected = preprocess([clips[2], clips[0]], NTU, PLAIN)
    assert torch.equal(out.coordinates, expected.coordinates)


def test_no_clips_give_no_rows():
    assert preprocess([], NTU, Preprocess()).coordinates.shape == (0, 3, 50, 25, 2)


def test_clips_that_do_not_fit_are_named():
    with pytest.raises(CrosscaleError, match=r"clip 1 has shape .*layout ntu25"):
        preprocess([some_clip(), some_clip()[:, :, :20]], NTU, Preprocess())
    with pytest.raises(CrosscaleError, match="all need 2, or all need 3"):
        preprocess([some_clip(), some_clip()[..., :2]], NTU, PLAIN)
    with pytest.raises(CrosscaleError, match="at least 1 frame"):
        Preprocess(frames=0)


def standing(shift=0.0):
    """(T, 1, V, 3): one person who sways and faces the camera."""
    draws = np.random.default_rng(3)
    pose = draws.normal(size=(25, 3)) * 0.1
    pose[[NTU.shoulders[0], NTU.shoulders[1]], 0] = 0.2, -0.2
    pose[list(NTU.shoulders), 1] += 0.6
    sway = np.sin(np.arange(30) / 4)[:, None, None] * draws.normal(size=(25, 3)) * 0.05
    return (pose + sway + shift)[:, None].astype(np.float32)


def test_a_clip_in_the_plane_is_one_in_space_at_depth_zero():
    flat = standing()
    flat[..., 2] = 0
    middle = [flat[:, 0, list(pair)].mean(1) for pair in (NTU.shoulders, NTU.hips)]
    lengths = np.sort(np.linalg.norm(middle[0] - middle[1], axis=-1))
    flat *= 0.5 / lengths[(len(lengths) - 1) // 2]
    expected = preprocess([flat], NTU, Preprocess()).coordinates
    found = preprocess([flat[..., :2]], NTU, Preprocess()).coordinates
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_clip_in_the_plane_does_not_depend_on_its_unit_or_place():
    metres = standing()[..., :2]
    pixels = metres * 400 + np.float32(900)
    a, b = (preprocess([clip], NTU, Preprocess()).coordinates for clip in (metres, pixels))
    assert torch.allclose(a, b, atol=1e-4)


def test_an_animal_seen_from_above_heads_up_wherever_it_went():
    layout = Layout.load("mouse8")
    mouse = np.random.default_rng(0).normal(size=(6, 1, 8, 2)).astype(np.float32)
    mouse[..., [0, 1, 2, 3], 1] += 9  # the head is ahead
    turned = mouse @ np.array([[0.6, 0.8], [-0.8, 0.6]], np.float32) + np.float32(40)
    settings = Preprocess(frames=6, facing="heading", bodies=1)
    one, other = (preprocess([x], layout, settings).coordinates for x in (mouse, turned))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    spine = (one[..., [1, 2], 0].mean(-1) - one[..., [5, 6], 0].mean(-1))[0].mean(dim=1)
    assert spine[1] > 0
    assert abs(spine[0]) < 1e-4
