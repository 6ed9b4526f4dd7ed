"""Every page that is written, on desks and phones, light and dark."""

import numpy as np
import pytest

from accessibility import findings
from crosscale.data.splits import Split
from crosscale.evaluation.baselines import HALF_WHITE, RAW, ROCKET
from crosscale.evaluation.comparison.benchmark import Benchmark, Ground, Tallies
from crosscale.evaluation.comparison.benchmark_page import benchmark_html
from crosscale.evaluation.comparison.page import html as comparison_html
from crosscale.evaluation.comparison.plan import read_plan
from crosscale.evaluation.comparison.table import Column, Comparison, Cost, Difference, Figure
from crosscale.evaluation.evaluation import evaluate_features
from crosscale.evaluation.features import Features
from crosscale.evaluation.judge import COLUMNS, Answers
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.evaluation.report import Report, report_html
from crosscale.models.model import load
from crosscale.training.recipe import read_recipe
from crosscale.viz.drawn_views import drawn_views
from crosscale.viz.embedding_map import map_html
from crosscale.viz.layout_figure import write_layout
from crosscale.viz.layout_places import tree_places
from crosscale.viz.page import clips_html

pytestmark = pytest.mark.slow
SCREENS = {"desk": (1440, 900), "phone": (390, 844)}


def view(store, kinect20, folder):
    clips = drawn_views(store, [0, 2], read_recipe("nwucla/crosscale", {}), seed=2)
    return clips_html(clips, "Clips", "Two of them.", 3)


def clip_map(store, kinect20, folder):
    parts = Split("half", np.arange(3), {"test": np.arange(3, 6)})
    return map_html(store, load("parts"), np.arange(6), 48, parts, seed=0, title="Map")


def layout(store, kinect20, folder):
    page = write_layout(folder / "layout.html", kinect20, tree_places(kinect20))
    return page.read_text(encoding="utf-8")


def report(store, kinect20, folder):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 30
    names = [f"an action with number {i}" for i in range(30)]
    vectors = {"joint": rng.normal(size=(90, 8)).astype(np.float32)}
    given = Features([f"clip{i}" for i in range(90)], labels, names, vectors)
    split = Split("made up", np.arange(60), {"official": np.arange(60, 90)})
    curve = [{"epoch": epoch, "loss": 5 / epoch, "chance_loss": 6.2} for epoch in range(1, 6)]
    return report_html(
        Report(
            title="A run",
            evaluations=[evaluate_features(LinearProbe(epochs=2), given, split)],
            about={"run": "runs/one"},
            baselines={"chance": {"official": 1 / 30}, f"{RAW}, knn": {"official": 0.5}},
            features=given,
            pretraining={"run": curve},
        )
    )


def benchmark(store, kinect20, folder):
    group = np.repeat(np.arange(10), 10)
    tallies = {}
    for i, name in enumerate(("mine", RAW, ROCKET, HALF_WHITE)):
        right = np.arange(100) % 10 > i
        answers = Answers(np.arange(100), right, np.full(100, 0.01))
        tallies[name] = dict.fromkeys(COLUMNS, Tallies.of([answers], group))
    grounds = tuple(Ground(title, tallies, subjects=True) for title in ("one", "two"))
    return benchmark_html(Benchmark(("mine",), dict.fromkeys(tallies, 512), grounds, draws=10))


def comparison(store, kinect20, folder):
    plan = folder / "plan.yaml"
    plan.write_text(
        f"data: {{synthetic: {{store: {store.path}}}}}\n"
        "methods: {one: skeletonclr, two: crosscale}\n"
        "seeds: [0, 1]\nevaluations: [linear]\nagainst: one\n"
    )
    column = Column("synthetic", "official", "linear")
    means = {"one": 0.5, "two": 0.6}
    return comparison_html(
        Comparison(
            read_plan(plan),
            (column,),
            {(m, column, "joint"): Figure({0: x, 1: x + 0.02}) for m, x in means.items()},
            {(method, column): "joint" for method in means},
            {(method, "synthetic"): Cost(1.5, 1234) for method in means},
            {("two", column): Difference(2, 0.1, (0.05, 0.15), 0.02)},
            ("2 cells are finished.",),
            ("0.2.0",),
        )
    )


@pytest.mark.parametrize("make", [view, clip_map, layout, report, benchmark, comparison])
def test_a_page_has_no_grave_finding_and_no_part_beside_the_screen(
    make, store, kinect20, browser, tmp_path
):
    path = tmp_path / "page.html"
    path.write_text(make(store, kinect20, tmp_path), encoding="utf-8")
    for screen, (width, height) in SCREENS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(path.as_uri())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert findings(page) == [], (screen, scheme)
            room = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert room <= 0, (screen, scheme)
        assert page.locator("main h1").count() == 1
        page.close()
