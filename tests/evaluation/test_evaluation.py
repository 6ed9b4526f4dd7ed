import json
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.gaussian_process import GaussianProcessClassifier

from crosscale.data.splits import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.few import Few
from crosscale.evaluation.judge import half_whitened
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.evaluation.semi import FewLabels

QUICK = LinearProbe(epochs=8)


def features(clips=120, classes=4, noise=0.8, labels=None, seed=0):
    """Two streams that see the same classes, each with noise of its own."""
    rng = np.random.default_rng(seed)
    true = np.arange(clips) % classes
    vectors = {
        stream: (rng.normal(size=(classes, 6))[true] + noise * rng.normal(size=(clips, 6)))
        for stream in ("joint", "motion")
    }
    return Features(
        names=[f"clip{i}" for i in range(clips)],
        labels=true if labels is None else labels,
        classes=[f"class{i}" for i in range(classes)],
        vectors={stream: array.astype(np.float32) for stream, array in vectors.items()},
    )


def halves(clips=120):
    test = np.arange(clips // 2, clips)
    return Split("made up", np.arange(clips // 2), {"official": test, "leak_free": test[:40]})


@pytest.mark.parametrize("probe", [QUICK, "ridge", "knn", LinearDiscriminantAnalysis()])
def test_every_stream_and_their_sum_are_judged_on_every_test_set(probe):
    found = evaluate_features(probe, features(), halves())
    assert list(found.metrics) == ["official", "leak_free"]
    for test, clips in (("official", 60), ("leak_free", 40)):
        assert list(found.metrics[test]) == ["joint", "motion", "sum"]
        assert found.metrics[test]["sum"].clips == clips
    single = [found.metrics["official"][stream].top1 for stream in ("joint", "motion")]
    assert min(single) > 0.4
    assert max(single) < found.metrics["official"]["sum"].top1


def test_the_leak_free_figure_is_that_of_the_remaining_clips():
    found = evaluate_features("knn", features(), halves())
    assert found.judged == tuple(f"clip{i}" for i in range(60, 120))
    answers = found.scores["joint"][:40].argmax(axis=1)
    share = (answers == features().labels[60:100]).mean()
    assert found.metrics["leak_free"]["joint"].top1 == pytest.approx(share)


def test_one_stream_alone_has_no_sum():
    alone = replace(features(), vectors={"joint": features().vectors["joint"]})
    assert list(evaluate_features("knn", alone, halves()).metrics["official"]) == ["joint"]


def test_the_same_seed_gives_the_same_evaluation():
    one, two = (evaluate_features(QUICK, features(), halves(), seed=3) for _ in range(2))
    assert one == two
    for stream in one.scores:
        np.testing.assert_array_equal(one.scores[stream], two.scores[stream])


def test_the_order_of_clips_in_the_features_changes_no_accuracy():
    order = np.random.default_rng(0).permutation(120)
    place = np.argsort(order)
    split = halves()
    moved = Split(
        split.name, place[split.train], {name: place[clips] for name, clips in split.tests.items()}
    )
    straight = evaluate_features("knn", features(), split)
    shuffled = evaluate_features("knn", features().select(order), moved)
    assert straight.metrics == shuffled.metrics
    rows = [shuffled.judged.index(name) for name in straight.judged]
    for stream, scores in straight.scores.items():
        np.testing.assert_allclose(shuffled.scores[stream][rows], scores, atol=1e-6)


def test_it_says_which_clips_configuration_and_seed_were_used():
    found = evaluate_features(QUICK, features(), halves(), seed=3)
    assert found.train.per_class == {f"class{i}": 15 for i in range(4)}
    assert found.tests["leak_free"].used == 40
    assert (found.seed, found.config["epochs"], found.protocol) == (3, 8, "made up")
    assert len(found.curves["motion"].train_loss) == 8
    assert found.notes == ()


def test_it_becomes_json_without_its_scores():
    found = evaluate_features(KnnProbe(3), features(), halves())
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "scores" not in plain
    assert plain["config"] == {"neighbours": 3}
    assert plain["metrics"]["official"]["sum"]["top1"] == found.metrics["official"]["sum"].top1


def test_unlabelled_clips_are_left_out_and_counted():
    labels = np.arange(120) % 4
    labels[[3, 4, 70]] = -1
    found = evaluate_features("knn", features(labels=labels), halves())
    assert (found.train.used, found.train.unlabelled) == (58, 2)
    assert (found.tests["official"].used, found.tests["official"].unlabelled) == (59, 1)
    assert "training part: left out 2 clips without a label." in found.notes
    assert found.metrics["official"]["sum"].clips == 59


def test_classes_without_training_or_test_clips_are_named():
    labels = np.where(np.arange(120) < 60, np.arange(120) % 3, 1 + np.arange(120) % 3)
    found = evaluate_features(QUICK, features(labels=labels), halves())
    notes = " ".join(found.notes)
    assert "official: 20 clips are of classes without a training clip" in notes
    assert "class3" in notes
    assert "no test clip of the trained classes class0" in notes
    assert "is a label shifted?" in notes
    assert found.metrics["official"]["sum"].per_class[3] == 0
    assert found.metrics["official"]["sum"].per_class[0] is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(120, -1), r"0 labelled clips .*60 unlabelled"),
        (np.zeros(120, dtype=np.int64), "fewer than 2 classes"),
        (np.where(np.arange(120) < 60, np.arange(120) % 4, -1), "official has no labelled clip"),
    ],
)
def test_too_few_labels_are_refused(labels, message):
    with pytest.raises(CrosscaleError, match=message):
        evaluate_features("knn", features(labels=labels), halves())


def test_a_split_that_does_not_fit_is_refused():
    split = halves()
    with pytest.raises(CrosscaleError, match="features of 100"):
        evaluate_features("knn", features().select(range(100)), split)
    leaky = Split("leaky", np.arange(62), split.tests)
    with pytest.raises(CrosscaleError, match="both training and test part: clip60, clip61"):
        evaluate_features("knn", features(), leaky)


def test_a_split_without_a_test_and_fine_tuning_of_features_are_refused():
    with pytest.raises(CrosscaleError, match="all tests no clip"):
        evaluate_features("knn", features(), Split("all", np.arange(120), {}))
    with pytest.raises(CrosscaleError, match="cannot be done on features"):
        evaluate_features("finetune", features(), halves())


@pytest.mark.parametrize("kind", ["linear", "ridge", "knn", "retrieval", "semi"])
def test_every_evaluation_says_how_many_clips_of_which_class_it_used(kind):
    probe = {"linear": QUICK, "semi": FewLabels(epochs=8, share=0.2, draws=2)}.get(kind, kind)
    found = json.loads(json.dumps(evaluate_features(probe, features(), halves()).to_dict()))
    assert found["kind"] == kind
    clips = 3 if kind == "semi" else 15
    assert found["train"]["per_class"] == {f"class{i}": clips for i in range(4)}
    assert found["tests"]["official"]["per_class"] == {f"class{i}": 15 for i in range(4)}


def test_a_stream_called_sum_and_features_that_a_probe_refuses_are_told():
    vectors = features().vectors
    named = replace(features(), vectors={"joint": vectors["joint"], "sum": vectors["motion"]})
    with pytest.raises(CrosscaleError, match="'sum'"):
        evaluate_features("knn", named, halves())
    with pytest.raises(CrosscaleError, match=r"GaussianProcess.*cannot be fitted to stream joint"):
        evaluate_features(GaussianProcessClassifier(multi_class="?"), features(), halves())


class Given(DummyClassifier):
    """Remembers what it was given."""

    seen: ClassVar[list[tuple[object, ...]]] = []

    def __init__(self, random_state=None, device="", parts=(), constant=0):
        super().__init__(strategy="constant", constant=constant)
        self.random_state, self.device, self.parts = random_state, device, parts

    def fit(self, X, y):
        self.seen.append((self.random_state, self.device, self.parts))
        return super().fit(X, y)


def test_a_probe_is_given_seed_device_and_parts_and_is_left_as_it_was():
    probe = Given(constant=2)
    given = replace(features(), parts={"motion": (2, 4)})
    found = evaluate_features(probe, given, halves(), kind="mine:Given", seed=7)
    assert Given.seen == [(7, "cpu", None), (7, "cpu", (2, 4))]
    assert (probe.random_state, probe.device) == (None, "")
    assert (found.kind, found.title, found.config) == ("mine:Given", "Given", {"constant": 2})
    assert found.metrics["official"]["sum"].per_class == (0, 0, 1, 0)


def thirds(clips=120, leaked=([], [], [])):
    rows = np.arange(clips)
    parts = [(rows[rows % 3 != k], {"test": rows[rows % 3 == k]}) for k in range(3)]
    return [
        Split("thirds", *part, "subject", np.array(own, np.int64))
        for part, own in zip(parts, leaked, strict=True)
    ]


@pytest.mark.parametrize(
    "probe", [QUICK, "ridge", "knn", "retrieval", FewLabels(epochs=2, draws=2), Few(5, 2)]
)
def test_figures_of_folds_are_over_the_clips_of_all(probe):
    folds = thirds()
    alone = [evaluate_features(probe, features(), fold, seed=2) for fold in folds]
    found = evaluate_features(probe, features(), folds, seed=2)
    assert found.metrics["test"]["joint"].clips == 120
    assert found.judged == features().names
    assert found.train.used == alone[0].train.used
    assert "3 folds of whole subjects" in found.notes[0]
    for stream, metrics in found.metrics["test"].items():
        single = [one.metrics["test"][stream] for one in alone]
        if not isinstance(probe, Few):  # its classifier is the one that is best in all
            assert metrics.top1 == pytest.approx(np.mean([one.top1 for one in single]))
            assert metrics.confusion == tuple(
                map(tuple, np.sum([one.confusion for one in single], axis=0))
            )
        for fold, one in zip(folds, alone, strict=True):
            rows = fold.tests["test"]
            if not isinstance(probe, Few):
                np.testing.assert_array_equal(found.scores[stream][rows], one.scores[stream])
        if found.precision:
            each = [one.precision["test"][stream] for one in alone]
            assert found.precision["test"][stream] == pytest.approx(np.mean(each))
    assert np.mean(found.folds) == pytest.approx(found.headline_top1["test"])
    assert [one.folds for one in alone] == [(), (), ()]


def test_clips_that_folds_separate_from_their_like_are_left_out_of_leak_free():
    found = evaluate_features("knn", features(), thirds(leaked=([0, 3], [1], [])))
    assert {test: count.used for test, count in found.tests.items()} == {
        "test": 120,
        "leak_free": 117,
    }
    assert any(
        "3 clips with an equal in another fold, in all coordinates" in note for note in found.notes
    )


def test_a_class_that_only_one_fold_holds_is_told():
    labels = np.arange(120) % 4
    labels[labels == 3] = 0
    labels[[0, 3, 6]] = 3  # all of the first fold
    found = evaluate_features("ridge", features(labels=labels), thirds())
    told = "their folds: 3 clips are of classes without a training clip and cannot be right: class3"
    assert any(told in note for note in found.notes)


def test_half_whitened_features_are_fitted_to_each_folds_training_clips():
    folds, alone = thirds(), replace(features(), vectors={"joint": features().vectors["joint"]})
    found = evaluate_features("ridge", alone, folds, half_white=True)
    for fold in folds:
        white = half_whitened(alone.vectors["joint"], fold.train)
        one = evaluate_features("ridge", replace(alone, vectors={"joint": white}), fold)
        np.testing.assert_allclose(
            found.scores["joint"][fold.tests["test"]], one.scores["joint"], rtol=1e-5
        )
