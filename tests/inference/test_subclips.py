import numpy as np
import pytest

from crosscale.data.clip import Clip
from crosscale.inference import subclips
from crosscale.inference.subclips import embed_subclips


def test_subclips_are_the_beginning_the_middle_and_the_end_at_two_lengths(model, act, write_store):
    x = act("wave", frames=40)
    store = write_store("one", [Clip("a", x, ("0",)), Clip("b", act("hop", frames=50), ("0",))])
    vectors, rows = embed_subclips(model, store, np.array([0]))
    assert rows.tolist() == [0] * 6
    cut = [x[0:20], x[10:30], x[20:40], x[0:28], x[6:34], x[12:40]]
    np.testing.assert_allclose(vectors, model.embed(cut), atol=1e-5)


def test_subclips_do_not_depend_on_how_many_clips_are_in_memory(model, store, monkeypatch):
    rows = np.array([3, 11, 4, 20, 35])
    whole, of = embed_subclips(model, store, rows)
    assert set(of) == set(rows)
    monkeypatch.setattr(subclips, "AT_ONCE", 2)
    parts, again = embed_subclips(model, store, rows)
    assert again.tolist() == of.tolist()
    np.testing.assert_allclose(parts, whole, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_of_the_shortest_clips_there_are_subclips_too(model, act, write_store, frames):
    store = write_store("short", [Clip("a", act("bow", frames=frames), ("0",))])
    vectors, rows = embed_subclips(model, store, np.array([0]))
    assert len(rows) >= 2
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_subclips_that_show_nobody_are_left_out(model, act, write_store):
    x = act("bow", frames=40)
    x[18:] = np.nan
    store = write_store("half", [Clip("a", x, ("0",))])
    vectors, rows = embed_subclips(model, store, np.array([0]))
    assert len(vectors) == len(rows) == 5  # all but the last of half the length
    assert np.isfinite(vectors).all()
