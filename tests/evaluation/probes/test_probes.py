import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes import (
    PROBES,
    class_scores,
    make_probe,
    parameters,
    settings_of,
    title_of,
)
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.evaluation.probes.ridge import RidgeProbe

pipeline = make_pipeline(StandardScaler(), LinearSVC())


@pytest.mark.slow
@parametrize_with_checks([LinearProbe(epochs=20), RidgeProbe(), KnnProbe()])
def test_probes_are_estimators_as_scikit_learn_wants_them(estimator, check):
    check(estimator)


def clusters(classes=3, clips=60):
    rng = np.random.default_rng(0)
    labels = np.arange(clips) % classes
    return np.float32(
        rng.normal(size=(classes, 5))[labels] + 0.1 * rng.normal(size=(clips, 5))
    ), labels


@pytest.mark.parametrize("name", ["linear", "ridge", "knn", "sklearn.svm:LinearSVC"])
@pytest.mark.parametrize("classes", [2, 3])
def test_every_probe_scores_all_classes_and_never_names_one_without_clips(name, classes):
    x, y = clusters(classes)
    scores = class_scores(make_probe(name).fit(x, 1 + y), x, classes + 2)
    assert scores.shape == (60, classes + 2)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == 1 + y).all()
    assert (scores[:, [0, -1]].max(axis=1) < scores[:, 1:-1].min(axis=1)).all()


class Answers:
    """The least that a probe can do."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[-1])


class Wrong(Answers):
    def decision_function(self, X):
        return np.full((len(X), len(self.classes_)), np.nan)


def test_answers_alone_are_scores_and_scores_that_are_no_numbers_are_refused():
    x, y = clusters()
    assert (class_scores(Answers().fit(x, y), x, 4).argmax(axis=1) == 2).all()
    with pytest.raises(CrosscaleError, match="Wrong gives scores that are not finite"):
        class_scores(Wrong().fit(x, y), x, 4)


def test_an_instance_is_a_probe_too():
    name = f"{__name__}:pipeline"
    made = make_probe(name, {"linearsvc__C": 0.5})
    assert made.get_params()["linearsvc__C"] == 0.5
    assert pipeline.get_params()["linearsvc__C"] == 1
    assert made.score(*clusters()) if hasattr(made.fit(*clusters()), "classes_") else None


def test_settings_are_a_probes_own_and_not_what_the_evaluation_gives():
    assert parameters(RidgeProbe) == ["penalty", "root"]
    assert settings_of(RidgeProbe(0.1, parts=(1, 2))) == {"penalty": 0.1, "root": True}
    assert settings_of(LinearProbe())["milestones"] == [80]
    assert title_of(LinearSVC()) == "LinearSVC"
    assert title_of(make_probe("semi", {"share": 0.05})) == "Linear layer with 5 % of the labels"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("linaer", {}, "did you mean 'linear'"),
        ("knn", {"neighbour": 3}, "did you mean 'neighbours'"),
        ("linear", {"epochs": "many"}, "epochs"),
        ("retrieval", {"neighbours": 3}, "nothing to set"),
        ("sklearn.svm:LinearSVCC", {}, "did you mean 'LinearSVC'"),
        ("sklearn.ensemble:VotingClassifier", {}, "cannot be made: .*estimators"),
    ],
)
def test_a_mistake_is_refused_with_the_nearest_right_name(name, settings, message):
    with pytest.raises(CrosscaleError, match=message):
        make_probe(name, settings)


def test_every_registered_probe_is_there():
    assert {"linear", "ridge", "knn", "retrieval", "semi", "finetune"} <= PROBES.paths().keys()
    for name in PROBES.built_in():
        assert title_of(make_probe(name))
