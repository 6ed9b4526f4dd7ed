"""Results as JSON, and as one HTML page that needs nothing beside itself."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

import crosscale
from crosscale.errors import CrosscaleError
from crosscale.evaluation.baselines import MULTIROCKET, RAW, ROCKET, UNTRAINED
from crosscale.evaluation.curves import Panels, Rows, explained, labelled_panels, pretraining_panels
from crosscale.evaluation.evaluation import Evaluation
from crosscale.evaluation.features import Features
from crosscale.evaluation.metrics import Metrics
from crosscale.evaluation.plots import (
    NAMED_CLASSES,
    NO_FIGURES,
    can_draw,
    confusion_svg,
    curves_svg,
    map_svg,
    tsne,
)
from crosscale.evaluation.retrieval import side_by_side
from crosscale.models.folder import RESULTS_FORMAT
from crosscale.utils.files import atomic_path
from crosscale.utils.formats import with_checksum

MAP_CLIPS = 2000
CONFUSED_PAIRS = 12
# What a verdict compares with, by the beginning of a baseline's name.
RIVALS = {
    RAW: RAW,
    ROCKET: ROCKET,
    MULTIROCKET: MULTIROCKET,
    UNTRAINED: "the untrained encoder",
    "trained from scratch": "training from scratch",
}


@dataclass(frozen=True)
class Report:
    """All that the results file and the page show.

    Attributes:
        title: of the page, e.g. the run's name.
        evaluations: at least one; the first one's confusion and classes are drawn.
        about: facts on how the figures were made (run, checkpoint, data, recipe), as text.
        baselines: top-1 (0 to 1) by test set, by a baseline's name, e.g. chance.
        features: to draw a map of the test clips.
        pretraining: rows of `metrics.jsonl` by run, see `pretraining_panels`.
        seed: of the map and of the choice of its clips.
    """

    title: str
    evaluations: Sequence[Evaluation]
    about: Mapping[str, str]
    baselines: Mapping[str, Mapping[str, float]]
    features: Features | None = None
    pretraining: Mapping[str, Rows] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise CrosscaleError("a report needs at least one evaluation")
        tests = [list(evaluation.tests) for evaluation in self.evaluations]
        if any(other != tests[0] for other in tests):
            raise CrosscaleError(f"evaluations in one report need the same test sets: {tests}")


def write_report(report: Report, folder: Path | str) -> tuple[Path, Path]:
    """Write `results.json` and `report.html` into a folder, each whole or not at all.

    Returns:
        The paths of the two files.
    """
    results, page = Path(folder) / "results.json", Path(folder) / "report.html"
    with atomic_path(results) as temporary:
        temporary.write_text(results_json(report), encoding="utf-8")
    with atomic_path(page) as temporary:
        temporary.write_text(report_html(report), encoding="utf-8")
    return results, page


def results_json(report: Report) -> str:
    """All figures of the report; accuracies are shares from 0 to 1."""
    results = {
        "format": RESULTS_FORMAT,
        "title": report.title,
        "about": dict(report.about),
        "baselines": {name: dict(tests) for name, tests in report.baselines.items()},
        "evaluations": [evaluation.to_dict() for evaluation in report.evaluations],
    }
    text = json.dumps(with_checksum(results), indent=2, ensure_ascii=False, allow_nan=False)
    # one line per list of plain values; a line break is never inside a JSON string
    rows = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]")
    return rows.sub(lambda row: "[" + re.sub(r"\n\s*", " ", row[1]) + "]", text) + "\n"


def report_html(report: Report) -> str:
    """The page; every text from outside is escaped, every picture is inside.

    Without matplotlib it has no pictures, and says so.
    """
    headline = report.evaluations[0]
    test = next(iter(headline.tests))
    stream = headline.headline
    metrics = headline.metrics[test][stream]
    classes = headline.classes
    learning = pretraining_panels(report.pretraining or {})
    return page_template("report.html.j2").render(
        report=report,
        version=crosscale.__version__,
        headline=headline,
        test=test,
        stream=stream,
        metrics=metrics,
        verdict=verdict(report),
        wide_confusion=len(classes) > NAMED_CLASSES,
        has_top_k=headline.has_top_k,
        has_precision=any(evaluation.precision for evaluation in report.evaluations),
        accuracy_rows=_accuracy_rows(report.evaluations),
        notes=list(dict.fromkeys(note for e in report.evaluations for note in e.notes))
        + ([] if can_draw() else [NO_FIGURES]),
        class_rows=_class_rows(headline, test, metrics),
        is_frozen=headline.kind != "finetune",
        confused=_confused(metrics, classes),
        confusion=confusion_svg(np.array(metrics.confusion), classes) if can_draw() else None,
        map=_map(report) if can_draw() else None,
        pretraining=_curves(learning),
        explained=explained(learning),
        curves=_curves(labelled_panels(headline)),
    )


def verdict(report: Report) -> str | None:
    """How far the headline is above or below what needs no training, in a sentence or two.

    Each rival counts with its best figure on the headline's test; those of the other evaluations
    of the report, such as of more labels a class, do not count. None where none was measured.
    """
    first, *others = report.evaluations
    test = next(iter(first.tests))
    titles = {other.title.lower() for other in others} - {first.title.lower()}
    measured = {
        name: top1[test]
        for name, top1 in report.baselines.items()
        if test in top1 and not any(name.endswith(title) for title in titles)
    }
    best: dict[str, float] = {}
    for name, top1 in measured.items():
        for begin, rival in RIVALS.items():
            if name.startswith(begin):
                best[rival] = max(top1, best.get(rival, 0.0))
    if not best:
        return None
    ours = first.headline_top1[test]
    told = [f"{_apart(ours - top1)} {rival}" for rival, top1 in best.items()]
    top = max(best, key=lambda rival: best[rival])
    end = f"Here {top} does better." if best[top] > ours else "None of these does better."
    sentence = re.sub(" (above|below)", r" points \1", ", ".join(told), count=1)
    return f"{sentence[0].upper()}{sentence[1:]}. {end}"


def _apart(difference: float) -> str:
    points = round(100 * difference, 1)
    if not points:
        return "level with"
    return f"{abs(points):.1f} {'above' if points > 0 else 'below'}"


def page_template(name: str) -> Template:
    """A template of the package's pages: escapes all texts, knows `percent` and `picture`."""
    folders = ("evaluation/templates", "evaluation/comparison/templates", "viz/templates")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("crosscale", folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.1f}"
    data = "data:image/svg+xml;base64,"
    environment.filters["picture"] = lambda svg: data + base64.b64encode(svg.encode()).decode()
    return environment.get_template(name)


def _curves(panels: Panels) -> str | None:
    return curves_svg(panels) if panels and can_draw() else None


def _accuracy_rows(evaluations: Sequence[Evaluation]) -> list[dict[str, object]]:
    """One row per classifier and stream: metrics by test set."""
    return [
        {
            "kind": evaluation.title,
            "stream": stream,
            "headline": evaluation is evaluations[0] and stream == evaluation.headline,
            "first": stream == next(iter(streams)),
            "streams": len(streams),
            "tests": [_figures(evaluation, test, stream) for test in evaluation.tests],
        }
        for evaluation in evaluations
        for streams in [next(iter(evaluation.metrics.values()))]
        for stream in streams
    ]


def _figures(evaluation: Evaluation, test: str, stream: str) -> dict[str, object]:
    """Metrics of one cell of the table; what the kind of evaluation has not is None."""
    draws = evaluation.draws.get(test, {}).get(stream, ())
    return {
        "metrics": evaluation.metrics[test][stream],
        "spread": float(np.std(draws, ddof=1)) if len(draws) > 1 else None,
        "precision": evaluation.precision.get(test, {}).get(stream),
    }


@dataclass(frozen=True)
class _ClassRow:
    name: str
    train: int
    test: int
    share: float | None


def _class_rows(evaluation: Evaluation, test: str, metrics: Metrics) -> list[_ClassRow]:
    """The classes with their clips and accuracy, best first, those without test clips last."""
    learned, judged = evaluation.train.per_class, evaluation.tests[test].per_class
    rows = [
        _ClassRow(name, learned[name], judged[name], share)
        for name, share in zip(evaluation.classes, metrics.per_class, strict=True)
    ]
    return sorted(rows, key=lambda row: -1 if row.share is None else row.share, reverse=True)


def _confused(metrics: Metrics, classes: Sequence[str]) -> list[dict[str, object]]:
    """The pairs in which the largest share of a class gets one wrong answer."""
    confusion = np.array(metrics.confusion)
    clips = confusion.sum(axis=1)
    wrong = confusion / np.maximum(clips, 1)[:, None] * (1 - np.eye(len(confusion)))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED_PAIRS]
    pairs = [divmod(int(place), len(confusion)) for place in order]
    return [
        {
            "true": classes[row],
            "answer": classes[column],
            "share": wrong[row, column],
            "clips": confusion[row, column],
            "of": clips[row],
        }
        for row, column in pairs
        if wrong[row, column] > 0
    ]


def _map(report: Report) -> dict[str, object] | None:
    """A map of (at most `MAP_CLIPS`) judged clips by all streams, or why there is none."""
    if report.features is None:
        return None
    features = report.features
    judged = set(report.evaluations[0].judged)
    rows = np.array([i for i, name in enumerate(features.names) if name in judged])
    if len(rows) > MAP_CLIPS:
        rows = np.sort(np.random.default_rng(report.seed).permutation(rows)[:MAP_CLIPS])
    points = tsne(side_by_side(features.select(rows).vectors), report.seed)
    if points is None:
        return {"svg": None, "clips": len(rows)}
    classes = report.evaluations[0].classes
    labels = [classes.index(features.classes[label]) for label in features.labels[rows]]
    svg = map_svg(points, np.array(labels), classes)
    return {"svg": svg, "clips": len(rows), "streams": list(features.vectors)}
