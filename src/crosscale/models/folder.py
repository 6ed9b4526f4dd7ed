"""A trained encoder as the Hugging Face hub keeps it: weights, configuration, model card."""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

import crosscale
from crosscale.encoders import described
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import (
    ENCODER_FILE,
    OLD_DATA,
    TrainedEncoders,
    load_encoders,
    rewritten,
)
from crosscale.utils.files import atomic_folder
from crosscale.utils.formats import read_facts, read_yaml

CONFIG_FILE = "config.json"
CARD_FILE = "README.md"
FILES = (ENCODER_FILE, CONFIG_FILE, CARD_FILE)
RECIPE_FILE = "recipe.yaml"
RESULTS_FORMAT = "crosscale results 1"  # of what evaluations found
KINDS = {
    "linear": "linear layer",
    "ridge": "linear layer by least squares",
    "knn": "nearest neighbour",
    "retrieval": "retrieval",
    "few": "few labels",
    "semi": "linear layer on a share of the labels",
    "finetune": "fine-tuned",
}


@dataclass(frozen=True)
class Figure:
    """One measured accuracy.

    Attributes:
        evaluation: what was trained on the features, in words.
        data: the data set judged on.
        protocol: which clips trained and tested.
        test: the test set.
        stream: of which stream, or `sum`.
        clips: how many were tested.
        top1: share from 0 to 1.
    """

    evaluation: str
    data: str
    protocol: str
    test: str
    stream: str
    clips: int
    top1: float


def write_model_folder(run: Path, out: Path, licence: str, name: str) -> Path:
    """Write the folder that `crosscale.load` takes and `push` uploads.

    The encoder file is copied as it is, so embeddings of both are told to be of the same encoder;
    one of 0.1 is written anew, without the place of its data on this machine.

    Args:
        run: a run folder, or its encoder file, which comes without recipe and figures.
        out: the folder to make.
        licence: under which others may use it, as the hub writes licences.
        name: title of the card, and how to load it.

    Raises:
        CrosscaleError: when `out` exists, or a file of the run is missing or damaged.
    """
    trained = load_encoders(run)
    recipe = _recipe(run)
    figures = list(_figures(run, trained.encoders)) if run.is_dir() else []
    with atomic_folder(out) as folder:
        if OLD_DATA in trained.details:
            trained = load_encoders(rewritten(trained, folder))
        else:
            shutil.copyfile(run / ENCODER_FILE if run.is_dir() else run, folder / ENCODER_FILE)
        config = json.dumps(_config(trained, recipe), indent=2, ensure_ascii=False)
        (folder / CONFIG_FILE).write_text(config + "\n", encoding="utf-8")
        card = model_card(trained, recipe, figures, licence, name)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    return out


def read_results(path: Path) -> dict[str, Any]:
    """The contents of a file of results, see `read_facts`."""
    remedy = "evaluate again or delete it"
    return read_facts(path, RESULTS_FORMAT, "results of an evaluation", remedy)


def model_card(
    trained: TrainedEncoders,
    recipe: Mapping[str, Any],
    figures: list[Figure],
    licence: str,
    name: str,
) -> str:
    """The card as Markdown, with the YAML block on top that the hub reads."""
    environment = Environment(
        loader=PackageLoader("crosscale", "models/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    head = _front_matter(trained, figures, licence, name)
    return environment.get_template("model_card.md.j2").render(
        head=yaml.safe_dump(head, sort_keys=False, allow_unicode=True),
        name=name,
        trained=trained,
        facts=trained.details,
        recipe=yaml.safe_dump(dict(recipe), sort_keys=False) if recipe else "",
        figures=figures,
        version=crosscale.__version__,
    )


def _front_matter(
    trained: TrainedEncoders, figures: list[Figure], licence: str, name: str
) -> dict[str, Any]:
    """What the hub searches by; see its model card specification."""
    encoder = described(next(iter(trained.encoders.values())))["name"]
    head: dict[str, Any] = {
        "license": licence,
        "library_name": "crosscale",
        "pipeline_tag": "feature-extraction",
        "tags": ["skeleton", "action-recognition", "self-supervised-learning", str(encoder)],
        "datasets": [trained.details["store"]],
    }
    if figures:
        head["metrics"] = ["accuracy"]
        head["model-index"] = [{"name": name, "results": [_result(f) for f in figures]}]
    return head


def _result(figure: Figure) -> dict[str, Any]:
    told = f"top-1, {figure.evaluation}, {figure.stream}"
    return {
        "task": {"type": "action-recognition", "name": "Skeleton-based action recognition"},
        "dataset": {
            "type": figure.data,
            "name": f"{figure.data} {figure.protocol}",
            "split": figure.test,
        },
        "metrics": [{"type": "accuracy", "value": round(figure.top1, 4), "name": told}],
    }


def _config(trained: TrainedEncoders, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The facts inside the encoder file, readable without opening it, and the recipe."""
    return {
        "model_type": "crosscale",
        "crosscale_version": crosscale.__version__,
        **trained.details,
        "encoder_sha256": trained.fingerprint,
        "recipe": dict(recipe),
    }


def _recipe(run: Path) -> dict[str, Any]:
    path = run / RECIPE_FILE
    if not path.is_file():
        return {}
    recipe = read_yaml(path)
    if not isinstance(recipe, dict):
        raise CrosscaleError(f"{path} is no recipe; train again or delete it")
    return {name: _without_places(value) for name, value in recipe.items()}


def _without_places(value: Any) -> Any:
    """A setting without the folders of this machine that it may name."""
    if isinstance(value, dict):
        return {name: _without_places(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_places(part) for part in value]
    is_place = isinstance(value, str) and Path(value).expanduser().is_absolute()
    return Path(value).name if is_place else value


def _figures(run: Path, streams: Collection[str]) -> Iterator[Figure]:
    """All accuracies of the run's own streams, evaluation by evaluation.

    A sum with the streams of other runs says nothing about this one, and is left out.
    """
    for path in sorted(run.glob("*/results.json")):
        results = read_results(path)
        try:
            for evaluation in results["evaluations"]:
                judged = {name for test in evaluation["metrics"].values() for name in test}
                if judged - {"sum"} == set(streams):
                    yield from _figures_of(evaluation, results["title"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CrosscaleError(
                f"{path} is damaged ({type(error).__name__}: {error}); evaluate again or delete it"
            ) from error


def _figures_of(evaluation: Mapping[str, Any], title: str) -> Iterator[Figure]:
    kind = KINDS.get(evaluation["kind"], evaluation["kind"])
    share, labels = (evaluation["config"].get(key) for key in ("share", "labels"))
    data = title.partition(f", {evaluation['protocol']}")[0]
    told = kind if share in (None, 1) else f"{kind} ({100 * share:.4g} %)"
    told += "" if labels is None else f" ({labels} a class)"
    for test, streams in evaluation["metrics"].items():
        for stream, metrics in streams.items():
            yield Figure(
                told, data, evaluation["protocol"], test, stream, metrics["clips"], metrics["top1"]
            )
