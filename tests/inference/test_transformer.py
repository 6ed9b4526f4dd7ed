import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from crosscale.errors import CrosscaleError
from crosscale.inference.head import LinearHead
from crosscale.inference.transformer import SkeletonEmbedder

# Of scikit-learn's own checks, those that bring no clips of their own.
CHECKS = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)


@pytest.fixture
def embedder(run):
    return SkeletonEmbedder(str(run), layout="kinect20")


@pytest.fixture(scope="module")
def arrays(clips):
    return [clip.coordinates for clip in clips]


@pytest.fixture(scope="module")
def labels(clips):
    return np.array([clip.label for clip in clips])


@pytest.mark.parametrize("check", CHECKS)
def test_it_is_an_estimator_as_scikit_learn_wants_them(check):
    getattr(estimator_checks, check)("SkeletonEmbedder", SkeletonEmbedder())


def test_arrays_clips_objects_and_a_store_give_the_models_embeddings(
    embedder, model, clips, arrays, store
):
    expected = model.embed(store)
    assert embedder.fit(arrays) is embedder
    objects = np.empty(len(arrays), object)
    objects[:] = arrays
    for same in (arrays, clips, objects, np.array(clips, object), store):
        np.testing.assert_allclose(embedder.transform(same), expected, atol=1e-5)
    np.testing.assert_allclose(embedder.fit_transform(clips[:3]), expected[:3], atol=1e-5)
    of_one_length = np.stack([array[:36] for array in arrays[:4]])
    expected = model.embed(list(of_one_length))
    for same in (of_one_length, of_one_length.astype(object), of_one_length[:, :, 0]):
        np.testing.assert_allclose(embedder.transform(same), expected, atol=1e-5)


def test_features_are_named_by_stream_and_tables_have_those_names(embedder, clips, model):
    pandas = pytest.importorskip("pandas")
    table = embedder.set_output(transform="pandas").fit_transform(clips[:2])
    assert isinstance(table, pandas.DataFrame)
    assert list(table) == embedder.get_feature_names_out().tolist()
    assert list(table)[:2] == ["joint_0", "joint_1"]
    assert list(table)[-1] == "joint@part10_15"
    assert table.shape == (2, model.dim)


def test_copies_and_pickles_hold_the_name_and_not_the_weights(embedder, clips):
    expected = embedder.fit_transform(clips[:4])
    kept = pickle.dumps(embedder)
    assert len(kept) < 2000
    np.testing.assert_array_equal(pickle.loads(kept).transform(clips[:4]), expected)
    copy = clone(embedder)
    assert copy.get_params() == embedder.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(clips)


def test_another_encoder_of_the_same_name_is_refused(embedder, other_run, clips):
    embedder.fit(clips)
    embedder.set_params(model=str(other_run))
    with pytest.raises(CrosscaleError, match="another encoder than when this was fitted"):
        embedder.transform(clips)
    embedder.fit(clips).transform(clips[:1])


def test_it_is_made_without_a_look_and_what_cannot_be_is_told_when_it_is_fitted(clips):
    embedder = SkeletonEmbedder("nowhere")
    with pytest.raises(CrosscaleError, match="nowhere"):
        embedder.fit(clips)


@pytest.mark.parametrize("shape", [(), (7,), (5, 20, 3)])
def test_arrays_that_hold_no_clips_are_refused(embedder, clips, shape):
    embedder.fit(clips)
    with pytest.raises((ValueError, CrosscaleError)):
        embedder.transform(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        ("arrays", LinearHead()),
        ("clips", LogisticRegression(C=100)),
        ("objects", LinearHead()),
    ],
)
def test_pipelines_are_cross_validated_on_lists_and_objects(
    embedder, clips, arrays, labels, kind, last
):
    x = {"arrays": arrays, "clips": clips, "objects": np.array(clips, object)}[kind]
    right = cross_val_score(make_pipeline(embedder, last), x, labels, cv=3)
    assert right.mean() > 0.7


def test_a_grid_goes_over_encoders_and_heads(embedder, run, other_run, arrays, labels, tmp_path):
    grid = {
        "skeletonembedder__model": [str(run), str(other_run)],
        "linearhead__false_rejection": [0.0, 0.1],
    }
    pipeline = make_pipeline(embedder, LinearHead(), memory=str(tmp_path))
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(arrays, labels)
    assert search.best_score_ > 0.7
    assert search.predict(arrays[:2]).shape == (2,)
