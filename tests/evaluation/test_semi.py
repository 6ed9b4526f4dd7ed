import numpy as np
import pytest

from crosscale.data.splits import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.probes import make_probe
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.evaluation.report import Report, report_html
from crosscale.evaluation.semi import FewLabels, draw
from crosscale.evaluation.table import accuracy_table

SIZES = (60, 30, 5)  # training clips of each class
QUICK = {"epochs": 8, "draws": 3}


def labels():
    return np.repeat([0, 1, 2], SIZES)


def features(scale=1.0, noise=0.5):
    """Training clips of unequal classes, then thirty test clips."""
    rng = np.random.default_rng(0)
    every = np.concatenate([labels(), np.arange(30) % 3])
    vectors = {
        stream: scale * (rng.normal(size=(3, 6))[every] + noise * rng.normal(size=(len(every), 6)))
        for stream in ("joint", "motion")
    }
    return Features(
        [f"clip{i}" for i in range(len(every))],
        every,
        ["walk", "run", "jump"],
        {stream: array.astype(np.float32) for stream, array in vectors.items()},
    )


SPLIT = Split("made up", np.arange(95), {"official": np.arange(95, 125)})


def test_a_draw_keeps_the_share_of_every_class_and_at_least_one_clip():
    for share, expected in ((0.1, [6, 3, 1]), (0.01, [1, 1, 1]), (1, [60, 30, 5])):
        for rows in draw(np.arange(95), labels(), share, 5, 0):
            assert np.bincount(labels()[rows]).tolist() == expected
            assert len(set(rows.tolist())) == len(rows)


def test_draws_follow_from_the_seed_and_differ_from_each_other():
    one, two = (draw(np.arange(95), labels(), 0.1, 4, seed=3) for _ in range(2))
    other = draw(np.arange(95), labels(), 0.1, 4, seed=4)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert len({tuple(rows.tolist()) for rows in [*one, *other]}) == 8


def test_a_larger_share_holds_the_clips_of_a_smaller_one():
    small, large = (draw(np.arange(95), labels(), share, 1, 0)[0] for share in (0.05, 0.2))
    assert set(small.tolist()) < set(large.tolist())


def test_clips_that_do_not_train_are_never_drawn():
    train = np.arange(0, 95, 2)
    (rows,) = draw(train, labels(), 0.5, 1, 0)
    assert set(rows.tolist()) <= set(train.tolist())


def test_figures_are_means_over_the_draws_and_each_draw_is_kept():
    found = evaluate_features(FewLabels(share=0.05, **QUICK), features(), SPLIT)
    for stream in ("joint", "motion", "sum"):
        draws = found.draws["official"][stream]
        assert len(draws) == 3
        assert found.metrics["official"][stream].top1 == pytest.approx(np.mean(draws))
    assert np.sum(found.metrics["official"]["sum"].confusion) == 3 * 30
    assert found.metrics["official"]["sum"].clips == 30
    assert evaluate_features(FewLabels(share=0.05, **QUICK), features(), SPLIT) == found


def test_it_says_how_many_clips_of_which_class_it_used():
    found = evaluate_features(FewLabels(share=0.1, **QUICK), features(), SPLIT)
    assert found.train.per_class == {"walk": 6, "run": 3, "jump": 1}
    assert found.notes == (
        "10 % of the labels are 10 training clips, drawn 3 times: walk 6, run 3, jump 1.",
    )
    assert found.title == "Linear layer with 10 % of the labels"


def test_all_labels_give_what_linear_evaluation_gives():
    semi = evaluate_features(FewLabels(share=1, epochs=8, draws=1), features(), SPLIT)
    linear = evaluate_features(LinearProbe(epochs=8), features(), SPLIT)
    assert semi.metrics == linear.metrics


def test_few_labels_are_normalised_by_all_training_clips():
    config = FewLabels(share=0.01, **QUICK)  # one clip a class says little about their spread
    one, other = (evaluate_features(config, features(scale), SPLIT) for scale in (1.0, 100.0))
    assert one.draws == other.draws
    assert min(one.draws["official"]["sum"]) > 0.5


@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": 1.1}, {"draws": 0}, {"epochs": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(CrosscaleError):
        make_probe("semi", wrong)


def test_the_report_and_the_table_show_every_share_with_its_spread():
    found = [
        evaluate_features(FewLabels(share=share, **QUICK), features(noise=2), SPLIT)
        for share in (0.05, 0.5)
    ]
    report = Report("A run", found, {}, {"chance": {"official": 1 / 3}})
    page = report_html(report)
    for evaluation in found:
        draws = evaluation.draws["official"]["sum"]
        assert evaluation.title in page
        assert f"{100 * np.mean(draws):.1f} ± {100 * np.std(draws, ddof=1):.1f}</td>" in page
        assert evaluation.notes[0] in page
    assert "Clips are counted once a draw." in page
    assert [title for title in accuracy_table(report).columns[0].cells if "labels" in title] == [
        evaluation.title for evaluation in found
    ]
