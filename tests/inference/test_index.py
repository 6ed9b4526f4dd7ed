import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.errors import CrosscaleError
from crosscale.inference import index as index_module
from crosscale.inference.index import Index, build_index
from crosscale.models.model import load


@pytest.fixture(scope="module")
def built(model, store, run, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "mine"
    build_index(path, model, store, model.chunks(store), run=run)
    return path


def test_each_clip_is_most_similar_to_itself(built, model, store):
    index = Index.open(built)
    index.verify()
    index.check(model)
    rows, similarities = index.search(model.embed(store), 3)
    assert rows.shape == similarities.shape == (36, 3)
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-5)
    assert (np.diff(similarities, axis=1) <= 0).all()
    assert [index.names[i] for i in rows[:, 0]] == store.names
    assert index.labels == [store.classes[i] for i in store.labels]
    assert isinstance(index.vectors, np.memmap)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 60), st.integers(1, 9))
def test_searching_block_by_block_finds_what_sorting_all_finds(seed, block, k, count):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(50, 6)).astype(np.float32)
    index = Index(None, {}, [str(i) for i in range(50)], [None] * 50, vectors)
    queries = rng.normal(size=(count, 6)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "BLOCK", block)
        patch.setattr(index_module, "QUERIES", 4)
        rows, similarities = index.search(queries, k)
    plain = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    order = np.argsort(-plain, axis=1, kind="stable")[:, :k]
    np.testing.assert_allclose(similarities, np.take_along_axis(plain, order, 1), atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(plain, rows, 1), similarities, atol=1e-5)


def test_another_encoder_is_refused(built, other_run):
    with pytest.raises(CrosscaleError, match="made by another encoder"):
        Index.open(built).check(load(other_run))


@pytest.mark.parametrize("file", ["embeddings.npy", "clips.parquet"])
def test_a_changed_or_truncated_file_is_named(built, model, store, run, tmp_path, file):
    path = tmp_path / "copy"
    build_index(path, model, store, model.chunks(store), run=run)
    data = bytearray((path / file).read_bytes())
    data[-3] ^= 1
    (path / file).write_bytes(data)
    with pytest.raises(CrosscaleError, match=rf"{file} has changed"):
        Index.open(path).verify()
    (path / file).write_bytes(data[:-10])
    with pytest.raises(CrosscaleError, match=rf"{file} has .* bytes, not"):
        Index.open(path)
    (path / file).unlink()
    with pytest.raises(CrosscaleError, match=rf"{file} has 0 bytes"):
        Index.open(path)


def test_only_an_index_is_replaced_and_only_when_asked(built, model, store, run, tmp_path):
    def build(path, **options):
        build_index(path, model, store, model.chunks(store), run=run, **options)

    other = tmp_path / "other"
    other.mkdir()
    (other / "diary").write_text("dear")
    with pytest.raises(CrosscaleError, match="say --overwrite"):
        build(built)
    with pytest.raises(CrosscaleError, match="is no search index"):
        build(other, overwrite=True)
    assert (other / "diary").read_text() == "dear"
    build(tmp_path / "new")
    build(tmp_path / "new", overwrite=True)
    assert len(Index.open(tmp_path / "new").names) == 36


def test_an_interrupted_build_leaves_nothing(model, store, run, tmp_path):
    def stopped():
        yield from [next(model.chunks(store))[:5]]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(tmp_path / "index", model, store, stopped(), run=run)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_index_says_so(tmp_path):
    with pytest.raises(CrosscaleError, match="does not exist"):
        Index.open(tmp_path / "nowhere")
    with pytest.raises(CrosscaleError, match="is no search index"):
        Index.open(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"format": "crosscale index 1"}))
    with pytest.raises(CrosscaleError, match="lacks bytes, encoder"):
        Index.open(tmp_path)
