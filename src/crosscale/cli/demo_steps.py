"""What `crosscale demo` does, apart from its options: it takes seconds to import."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from crosscale.api import opened
from crosscale.cli.console import plain_console, plain_table
from crosscale.cli.inference import index, search
from crosscale.data.clip import Clip
from crosscale.data.conversion import in_layout
from crosscale.data.splits import GIVEN, Split, split
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.evaluation.baselines import RAW, ROCKET, raw_features, rocket_features
from crosscale.evaluation.evaluation import Evaluation, evaluate_features
from crosscale.evaluation.extract import Extraction, extract
from crosscale.evaluation.features import Features
from crosscale.evaluation.few import Few
from crosscale.evaluation.probes.knn import KnnProbe
from crosscale.evaluation.report import Report, write_report
from crosscale.models.checkpoint import TrainedEncoders, load_encoders, untrained
from crosscale.models.features import embed_stream
from crosscale.models.hub import resolve
from crosscale.objectives.base import Objective
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import ClipName, record_clips
from crosscale.synthesis.named import action
from crosscale.training.callbacks import EpochEnd, read_metrics
from crosscale.training.loop import pretrain
from crosscale.training.mixed import PERFORMED
from crosscale.training.recipe import Recipe, read_recipe
from crosscale.training.setup import make_objective
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import StoredClips

CLASSES, TAKES, LABELS = 12, 2, 3
SHIPPED = "body"
# Small enough for minutes; what else it is, the recipe of `body` says.
RECIPE = {
    "encoder.width": 64,
    "source.epoch_clips": 2048,
    "training.batch_size": 128,
    "output.dim": 256,
}
Figures = dict[str, float]  # by what judged, share of right answers


def shown(out: Path, actors: int, epochs: int, seed: int) -> Report:
    """See `crosscale.cli.demo.demo`."""
    console = plain_console()
    with _step(console, 1, f"{actors} actors perform {CLASSES} actions, twice each", "10 s"):
        store = _performed(out / "store", actors, seed)
        parts = split(store, GIVEN)
    judged = partial(_judged, store=store, parts=parts)
    with _step(console, 2, f"`{SHIPPED}` at work, beside what needs no training", "20 s"):
        shipped = load_encoders(resolve(SHIPPED))
        features = _features(shipped, store)
        index(Path(SHIPPED), store.path, out=out / "clips.index")
        query = store.names[int(next(iter(parts.tests.values()))[0])]
        console.print(f"clips most similar to {query}, without any label:")
        search(out / "clips.index", query, k=5)
        found = {SHIPPED: judged(features)}
        rocket = rocket_features(store)
        assert rocket is not None  # it takes the layout of the performers
        found |= {ROCKET: judged(rocket), RAW: judged(raw_features(store, shipped.preprocess))}
        console.print(_table(found))
    with _step(console, 3, "a small encoder learns from motion programs, without labels", "2 min"):
        values = {**RECIPE, "training.epochs": epochs, "seed": seed}
        recipe = read_recipe("programs/body", values)
        started = time.perf_counter()
        own = load_encoders(_pretrained(recipe, store, parts, out / "run", console))
        seconds = time.perf_counter() - started
    with _step(console, 4, "what came out", "10 s"):
        trained = f"the small one after {seconds:.0f} s"
        found["the small one, untrained"] = judged(_features(untrained(own, seed), store))
        found[trained] = judged(_features(own, store))
        console.print(_table(found))
        report = _report(found, features, out / "run")
        _, page = write_report(report, out)
        console.print(_verdict({name: _top1(own) for name, own in found.items()}, trained))
    console.print(f"open {page}; the clips: crosscale view {store.path} --out clips.html")
    return report


@contextmanager
def _step(console: Console, number: int, what: str, about: str) -> Iterator[None]:
    """Say what is done and how long it takes on two idle cores, and then how long it took."""
    console.print(f"\n[{number}/4] {what} (about {about})", markup=False)
    started = time.perf_counter()
    yield
    console.print(f"[{number}/4] done in {time.perf_counter() - started:.0f} s", markup=False)


def _performed(path: Path, actors: int, seed: int) -> ClipStore:
    """A store of the named actions; actors with odd numbers train, the others test."""
    with StoreWriter(path, name="named actions", layout=Layout.load(PERFORMED)) as writer:
        for who, take, what in product(
            range(1, actors + 1), range(1, TAKES + 1), range(1, CLASSES + 1)
        ):
            (seen,) = record_clips([ClipName(who, take, what, camera=1)], seed)
            label = action(what).name
            writer.add(
                Clip(
                    f"{label.replace(' ', '_')}_actor{who}_take{take}",
                    seen.coordinates,
                    tuple(map(str, seen.bodies)),
                    label=label,
                    subject=who,
                    repetition=take,
                    frame_rate=30,
                    part="train" if who % 2 else "test",
                )
            )
    return ClipStore.open(path)


def _features(encoders: TrainedEncoders, store: ClipStore) -> Features:
    return extract(encoders, store, Extraction(engine="torch"))


def _judged(features: Features, store: ClipStore, parts: Split) -> list[Evaluation]:
    """By three labels a class, and by the nearest neighbour among all labelled clips."""
    return [evaluate_features(probe, features, parts) for probe in (Few(LABELS), KnnProbe())]


def _top1(evaluations: list[Evaluation]) -> list[float]:
    return [100 * next(iter(one.headline_top1.values())) for one in evaluations]


def _table(found: dict[str, list[Evaluation]]) -> Table:
    what = "right, in % of the clips of actors never seen"
    rows = [[name, *(f"{value:.1f}" for value in _top1(own))] for name, own in found.items()]
    return plain_table([what, f"{LABELS} labels a class", "nearest labelled clip"], rows)


def _pretrained(
    recipe: Recipe, store: ClipStore, parts: Split, folder: Path, console: Console
) -> Path:
    """The file of encoders that learned from programs; tells each few epochs what they know."""
    fabric, source, _ = opened(recipe, [], "cpu")
    rows = np.arange(len(store))
    seen = StoredClips(in_layout(store, source.layout), rows, recipe.preprocess)
    clips = seen.take(torch.from_numpy(rows))
    started = time.perf_counter()

    def known(objective: Objective) -> str:
        """What the encoder as it is knows of the test clips."""
        ((name, encoder),) = objective.encoders().items()
        vectors = embed_stream(encoder, StreamTransform(Stream.parse(name), source.layout), clips)
        features = Features(store.names, store.labels, store.classes, {name: vectors.numpy()})
        few = evaluate_features(Few(LABELS), features, parts)
        return f"{_top1([few])[0]:.1f} % right from {LABELS} labels a class"

    def told(done: EpochEnd) -> None:
        if done.epoch == 1 or done.epoch % max(1, done.epochs // 5) == 0:
            console.print(
                f"after {time.perf_counter() - started:3.0f} s: loss {done.metrics['loss']:.2f}, "
                f"{known(done.objective)}"
            )

    console.print(f"before: {known(make_objective(recipe, source))}")
    return pretrain(recipe, source, folder, fabric, callbacks=[told], say=console.print)


def _report(found: dict[str, list[Evaluation]], features: Features, run: Path) -> Report:
    beaten = {
        f"{name}, {one.title.lower()}": one.headline_top1
        for name, evaluations in found.items()
        for one in evaluations
        if name != SHIPPED
    }
    return Report(
        title=f"named actions by actors never seen: {SHIPPED}",
        evaluations=found[SHIPPED],
        features=features,
        pretraining={str(run): read_metrics(run)},
        about={"clips": "synthetic: they say how features differ, and nothing about real data"},
        baselines=beaten,
    )


def _verdict(found: dict[str, list[float]], trained: str) -> str:
    """What came out of few labels, in a sentence."""
    few = {name: values[0] for name, values in found.items()}
    before, after = few["the small one, untrained"], few[trained]
    rest = max(RAW, ROCKET, key=lambda name: few[name])
    ahead = few[SHIPPED] - few[rest]
    more = "more" if ahead >= 0 else "fewer"
    return (
        f"Verdict: from {LABELS} labels a class, `{SHIPPED}` names {few[SHIPPED]:.1f} % of the "
        f"clips right, {abs(ahead):.1f} points {more} than {rest}, the better of what needs no "
        f"training (raw coordinates {few[RAW]:.1f}, MiniRocket {few[ROCKET]:.1f}); pre-training "
        f"brought the small encoder from {before:.1f} to {after:.1f} %."
    )
