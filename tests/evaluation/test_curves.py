import numpy as np

from crosscale.data.splits import Split
from crosscale.evaluation.curves import explained, labelled_panels, pretraining_panels
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.probes.linear import LinearProbe

ROWS = [
    {"epoch": 1, "lr": 0.1, "loss": 4.0, "joint/loss": 3.0, "chance_loss": 6.2},
    {
        "epoch": 2,
        "lr": 0.1,
        "loss": 2.0,
        "joint/loss": 1.0,
        "chance_loss": 6.2,
        "joint/knn": 0.5,
    },
]


def test_measurements_are_plotted_by_quantity_with_a_line_for_each_stream():
    panels = pretraining_panels({"run": ROWS})
    assert list(panels) == ["loss", "nearest-neighbour accuracy", "learning rate"]
    assert panels["loss"] == {
        "total": ([1, 2], [4.0, 2.0]),
        "joint": ([1, 2], [3.0, 1.0]),
        "guessing": ([1, 2], [6.2, 6.2]),
    }
    assert panels["nearest-neighbour accuracy"] == {"joint": ([2], [0.5])}


def test_the_loss_of_one_stream_is_drawn_once_and_guessing_told_of_where_it_is_drawn():
    rows = [{"epoch": epoch, "loss": 3.0 / epoch, "joint/loss": 3.0 / epoch} for epoch in (1, 2)]
    alone = pretraining_panels({"run": rows})
    assert alone["loss"] == {"joint": ([1, 2], [3.0, 1.5])}
    assert "guessing" not in explained(alone)["loss"]
    assert "guessing" in explained(pretraining_panels({"run": ROWS}))["loss"]


def test_lines_of_several_runs_carry_the_run():
    panels = pretraining_panels({"one": ROWS, "two": ROWS[:1]})
    assert list(panels["learning rate"]) == ["one", "two"]
    assert "two joint" in panels["loss"]


def test_no_rows_no_plots():
    assert pretraining_panels({}) == pretraining_panels({"run": []}) == {}


def test_the_linear_layer_has_curves_and_nearest_neighbours_have_none():
    labels = np.arange(12) % 2
    features = Features(
        [str(i) for i in range(12)],
        labels,
        ["a", "b"],
        {"joint": np.eye(2, dtype=np.float32)[labels]},
    )
    split = Split("x", np.arange(6), {"test": np.arange(6, 12)})
    panels = labelled_panels(evaluate_features(LinearProbe(epochs=3), features, split))
    assert [list(lines) for lines in panels.values()] == [["joint"], ["joint"]]
    assert panels["accuracy, training clips (%)"]["joint"][0] == [1, 2, 3]
    assert labelled_panels(evaluate_features("knn", features, split)) == {}
