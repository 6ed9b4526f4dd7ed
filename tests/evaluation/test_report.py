import io
import json
import math
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from crosscale.data.splits import Split
from crosscale.errors import CrosscaleError
from crosscale.evaluation import report as report_module
from crosscale.evaluation.baselines import HALF_WHITE, RAW, UNTRAINED
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.evaluation.report import (
    Report,
    report_html,
    results_json,
    verdict,
    write_report,
)
from crosscale.evaluation.table import accuracy_table

NASTY = ["<script>alert(1)</script>", '"quoted" & $math$', "喝水"]
CURVE = [
    {"epoch": epoch, "lr": 0.1, "loss": 5 / epoch, "joint/loss": 5 / epoch, "chance_loss": 6.2}
    for epoch in range(1, 6)
]


def features(classes=3, clips=60, streams=("joint", "part10")):
    rng = np.random.default_rng(0)
    labels = np.arange(clips) % classes
    names = (NASTY * 50)[:classes] if classes <= 3 else [f"action {i}" for i in range(classes)]
    vectors = {
        stream: (rng.normal(size=(classes, 8))[labels] + rng.normal(size=(clips, 8)))
        for stream in streams
    }
    return Features(
        [f"clip{i}" for i in range(clips)],
        labels,
        names,
        {stream: array.astype(np.float32) for stream, array in vectors.items()},
    )


def make_report(given=None, **changes):
    given = given or features()
    half = len(given) // 2
    test = np.arange(half, len(given))
    split = Split("made up", np.arange(half), {"official": test, "leak_free": test[::2]})
    parts = {
        "title": "A run",
        "evaluations": [
            evaluate_features(LinearProbe(epochs=2), given, split),
            evaluate_features("knn", given, split),
        ],
        "about": {"run": "runs/<b>1</b>"},
        "baselines": {"chance": {"official": 1 / 3, "leak_free": 1 / 3}, "raw": {"official": 0.5}},
        "pretraining": {"runs/1": CURVE},
    }
    return Report(**(parts | changes))


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(source)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def source():
    return report_html(make_report(features=features()))


def test_the_page_needs_nothing_beside_itself(source):
    page = Page(source)
    links = [value for _, name, value in page.attributes if name in {"src", "href", "srcset"}]
    assert links
    assert all(link.startswith("data:image/svg+xml;base64,") for link in links)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in source
    assert "@import" not in source


def test_every_picture_has_a_text_in_its_place(source):
    page = Page(source)
    texts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(texts) == page.tags.count("img") == 4  # confusion, map, two rows of curves
    assert all(len(text) > 20 for text in texts)


def test_texts_from_outside_are_escaped(source):
    assert "<script>" not in source
    assert "runs/<b>" not in source
    page = Page(source)
    for name in NASTY:
        assert name in page.text


def test_the_table_gives_each_stream_each_test_set_and_each_baseline(source):
    text = Page(source).text
    given = make_report()
    for evaluation in given.evaluations:
        for streams in evaluation.metrics.values():
            for metrics in streams.values():
                assert f"{100 * metrics.top1:.1f}" in text
    for words in ("official (30 clips)", "leak-free (15 clips)", "Nearest neighbours", "chance"):
        assert words in text
    assert "raw 50.0 – – –" in text  # no figure on the leak-free test was given


def test_the_best_of_all_trained_classes_are_no_figure(source):
    text = Page(source).text
    assert set(re.findall(r"top-\d", text.lower())) == {"top-1"}
    report = make_report(features(classes=6), baselines={})
    assert set(re.findall(r"top-\d", Page(report_html(report)).text.lower())) == {"top-1", "top-5"}
    console = Console(width=200, record=True, file=io.StringIO())
    for shown, expected in ((make_report(baselines={}), {"top-1"}), (report, {"top-1", "top-5"})):
        console.print(accuracy_table(shown))
        assert set(re.findall(r"top-\d", console.export_text())) == expected


def test_classes_that_only_the_format_names_are_not_shown():
    given = features(classes=3)
    many = Features(
        given.names, given.labels + 20, [f"class {i}" for i in range(60)], given.vectors
    )
    report = make_report(many)
    found = report.evaluations[0]
    assert found.classes == ("class 20", "class 21", "class 22")
    assert list(found.train.per_class) == list(found.tests["official"].per_class)
    assert np.shape(found.metrics["official"]["sum"].confusion) == (3, 3)
    assert found.scores["sum"].shape == (30, 3)
    plain = make_report(given).evaluations[0]
    assert found.headline_top1 == plain.headline_top1
    text = Page(report_html(make_report(many, features=many))).text
    assert "of 3 classes" in text
    assert "class 19" not in text


def test_many_classes_keep_their_names_and_are_listed_best_first():
    report = make_report(features(classes=30, clips=240))
    source = report_html(report)
    text = Page(source).text
    shares = [float(found) for found in re.findall(r'class="share">([\d.]+)<', source)]
    assert len(shares) == 30
    assert shares == sorted(shares, reverse=True)
    assert all(f"action {i} " in text for i in range(30))


def test_a_verdict_tells_how_far_the_headline_is_from_what_needs_no_training():
    ours = make_report().evaluations[0].headline_top1["official"]
    measured = {
        "chance": {"official": 0.3},
        f"{RAW}, nearest neighbours": {"official": ours - 0.05},
        f"{RAW}, linear layer": {"official": ours - 0.1},
        f"{HALF_WHITE}, linear layer": {"official": ours + 0.021},
        f"{UNTRAINED}, linear layer": {"official": ours},
    }
    told = verdict(make_report(baselines=measured))
    assert told == (
        "10.0 points above raw coordinates, 2.1 below MiniRocket, level with the untrained "
        "encoder. Here MiniRocket does better."
    ), "what other evaluations of the page are compared with does not count"
    assert told in Page(report_html(make_report(baselines=measured))).text
    only = make_report().evaluations[:1]
    told = verdict(make_report(evaluations=only, baselines=measured))
    assert told is not None
    assert told.startswith("5.0 points above raw coordinates")
    measured = {RAW: {"official": ours}, HALF_WHITE: {"official": ours - 0.03}}
    told = verdict(make_report(baselines=measured))
    assert told.startswith("Level with raw coordinates, 3.0 points above MiniRocket")
    assert verdict(make_report(baselines={"chance": {"official": 0.3}})) is None


def test_notes_reach_the_page():
    given = features()
    given.labels[:3] = -1
    assert (
        "training part: left out 3 clips without a label."
        in Page(report_html(make_report(given))).text
    )


def test_parts_that_are_not_given_are_left_out():
    page = Page(report_html(make_report(pretraining=None, baselines={})))
    assert "Map of the features" not in page.text
    assert "Pre-training" not in page.text
    assert page.tags.count("img") == 2


def test_features_all_alike_have_no_map_and_the_page_says_why():
    collapsed = features()
    for vectors in collapsed.vectors.values():
        vectors[:] = 1
    text = Page(report_html(make_report(features=collapsed))).text
    assert "a collapsed encoder" in text


def test_the_map_takes_a_seeded_share_of_many_clips(monkeypatch):
    monkeypatch.setattr(report_module, "MAP_CLIPS", 10)
    one, two = (report_html(make_report(features=features())) for _ in range(2))
    assert "of 10 test clips" in Page(one).text
    assert one == two


def test_results_are_json_of_all_figures_in_short_lines():
    given = make_report()
    text = results_json(given)
    results = json.loads(text)
    assert results["evaluations"] == json.loads(
        json.dumps([evaluation.to_dict() for evaluation in given.evaluations])
    )
    assert results["about"] == {"run": "runs/<b>1</b>"}
    assert results["baselines"]["raw"] == {"official": 0.5}
    assert re.search(r"\n +\[\d+, \d+, \d+\],\n", text)  # a row of the confusion is one line


def test_names_with_brackets_and_spaces_survive_in_the_results():
    names = ["[ a  b ]", '",\n [', "{}"]
    given = features()
    given = Features(given.names, given.labels, names, given.vectors)
    assert json.loads(results_json(make_report(given)))["evaluations"][0]["classes"] == names


def test_both_files_are_written_and_nothing_else(tmp_path):
    results, page = write_report(make_report(), tmp_path / "linear")
    assert sorted(path.name for path in (tmp_path / "linear").iterdir()) == [
        "report.html",
        "results.json",
    ]
    assert json.loads(results.read_text(encoding="utf-8"))["title"] == "A run"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_evaluations_of_different_test_sets_do_not_share_a_table():
    given = make_report().evaluations[0]
    other = evaluate_features(
        "knn", features(), Split("x", np.arange(30), {"test": np.arange(30, 60)})
    )
    with pytest.raises(CrosscaleError, match="same test sets"):
        make_report(evaluations=[given, other])
    with pytest.raises(CrosscaleError, match="at least one evaluation"):
        make_report(evaluations=[])


def test_a_loss_that_is_no_number_does_not_stop_the_report():
    rows = [*CURVE, {"epoch": 6, "loss": math.nan, "note": "text", "flag": True}]
    assert "Pre-training" in Page(report_html(make_report(pretraining={"run": rows}))).text


def test_without_matplotlib_the_page_has_all_but_the_figures(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = report_html(make_report())
    assert "<img" not in page
    assert "crosscale[plots]" in page
    assert "Which classes are told apart" in page
