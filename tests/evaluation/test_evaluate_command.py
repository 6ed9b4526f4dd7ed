"""`crosscale evaluate`: names of 0.1, and probes of one's own."""

import json
from dataclasses import replace

import pytest

from crosscale.cli import main
from crosscale.errors import CrosscaleError
from crosscale.evaluation.extract import Extraction, extract
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.runner import evaluate
from crosscale.models.checkpoint import load_encoders

pytestmark = pytest.mark.usefixtures("plain_figures")

PROTOTYPES = '''
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

class Prototypes(ClassifierMixin, BaseEstimator):
    """The nearest class mean."""

    def __init__(self, power: float = 1.0):
        self.power = power

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def decision_function(self, X):
        return -(abs(X[:, None] - self.means_) ** self.power).sum(axis=2)
'''


def figures(folder):
    (found,) = json.loads((folder / "results.json").read_text())["evaluations"]
    return found


def test_a_probe_in_a_file_of_ones_own_is_judged_like_any_other(run, tmp_path, monkeypatch):
    (tmp_path / "mine_to_judge.py").write_text(PROTOTYPES)
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", "mine_to_judge:Prototypes", str(run), "--power=2", "--baselines"]
    assert main(words) == 0
    found = figures(run / "Prototypes")
    assert (found["kind"], found["title"]) == ("mine_to_judge:Prototypes", "Prototypes")
    assert found["config"] == {"power": 2.0}
    results = json.loads((run / "Prototypes" / "results.json").read_text())
    assert "untrained, prototypes" in results["baselines"]


def test_any_classifier_of_scikit_learn_is_a_probe(run):
    words = ["evaluate", "sklearn.svm:LinearSVC", str(run), "--C=0.5", "--seed=4"]
    assert main(words) == 0
    found = figures(run / "LinearSVC")
    assert (found["config"]["C"], found["seed"]) == (0.5, 4)
    assert found["config"].keys().isdisjoint({"random_state", "device"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["--floors"], ["--baselines"]),
        (["--readout", "blocks"], ["--pooling", "nodes", "--layers", "3"]),
        (["--readout=all"], ["--pooling=nodes", "--layers=all"]),
        (["--config.penalty", "0.1"], ["--penalty", "0.1"]),
    ],
)
def test_options_of_0_1_are_read_with_a_line_that_says_the_new_name(
    old, new, run, tmp_path, capsys
):
    for name, words in (("old", old), ("new", new)):
        out = str(tmp_path / name)
        assert main(["evaluate", "ridge", str(run), "--out", out, *words]) == 0
        told = capsys.readouterr().err
        assert told.count("is called") == (name == "old")
    one, two = ((tmp_path / name / "results.json").read_text() for name in ("old", "new"))
    assert one == two


def test_a_probe_that_is_not_there_is_refused_with_the_nearest(run, capsys):
    assert main(["evaluate", "linaer", str(run)]) == 2
    assert "did you mean 'linear'" in capsys.readouterr().err
    assert main(["evaluate", "knn", str(run), "--neighbors=3"]) == 2
    assert "did you mean '--neighbours'?" in capsys.readouterr().err
    assert main(["evaluate", "finetune", str(run), "--mirror"]) == 2


def test_from_python_a_run_an_encoder_or_features_give_the_same_figures(run, nwucla):
    assert main(["evaluate", "knn", str(run), "--neighbours=3", "--pooling=nodes"]) == 0
    found = evaluate("knn", run, neighbours=3, pooling="nodes")
    assert figures(run / "knn-nodes") == json.loads(json.dumps(found.to_dict()))
    encoders = load_encoders(run)
    assert evaluate(KnnProbe(3), [encoders], nwucla.path, pooling="nodes") == found
    features = extract(encoders, nwucla, Extraction("nodes"))
    assert evaluate(KnnProbe(), features, nwucla, neighbours=3) == found
    assert 0 < found.headline_top1["official"] <= 1


def test_from_python_fine_tuning_leaves_no_file(run):
    before = {path.name for path in run.iterdir()}
    found = evaluate("finetune", str(run), epochs=1, warmup=0, seed=1)
    assert (found.kind, found.seed) == ("finetune", 1)
    assert {path.name for path in run.iterdir()} == before


def test_from_python_what_does_not_fit_is_refused(run, nwucla):
    encoders = load_encoders(run)
    features = extract(encoders, nwucla)
    for arguments, message in (
        ([features], "need the store"),
        ([[run, run]], "named twice"),
        ([run, nwucla, "xsub"], "no protocol"),
    ):
        model, store, protocol = [*arguments, None, None][:3]
        with pytest.raises(CrosscaleError, match=message):
            evaluate("knn", model, store, protocol=protocol)


@pytest.mark.parametrize(
    ("options", "folds"),
    [
        ([], "4 folds of whole subjects"),
        (["--protocol=folds:3"], "3 folds of whole subjects"),
        (["--protocol=leave_one_subject_out"], "4 folds of whole subjects"),
    ],
)
def test_a_store_without_a_published_split_is_judged_by_folds_and_says_so(
    options, folds, run, write_store, tmp_path, capsys
):
    store, out = write_store("mine"), tmp_path / "out"
    words = ["evaluate", "knn", str(run), "--data", str(store.path), "--out", str(out)]
    assert main([*words, *options, "--baselines"]) == 0
    assert folds in " ".join(capsys.readouterr().out.split())
    found = figures(out)
    assert found["tests"]["test"]["used"] == len(store)
    assert len(found["folds"]) == int(folds[0])
    total = found["metrics"]["test"]["sum"]["top1"]
    assert sum(found["folds"]) / len(found["folds"]) == pytest.approx(total)
    baselines = json.loads((out / "results.json").read_text())["baselines"]
    assert all(tests.keys() == {"test"} for tests in baselines.values())


def test_clips_are_dealt_out_where_subjects_are_not_known(run, write_store):
    store = write_store("mine", lambda clip: replace(clip, subject=None))
    found = evaluate("knn", run, store)
    assert found.notes[0].startswith("5 folds of clips, as subjects are not known")
    assert found.tests["test"].used == len(store)


def test_fine_tuning_keeps_one_encoder_and_says_how_to_get_one_split(run, write_store):
    with pytest.raises(CrosscaleError, match=r"makes 4 splits, .* --protocol random_subjects"):
        evaluate("finetune", run, write_store("mine"))


def test_a_protocol_without_a_test_names_the_way_on(run, nwucla):
    with pytest.raises(CrosscaleError, match="leave it out, or take --protocol folds"):
        evaluate("knn", run, nwucla, protocol="all")
