"""What `embed`, `classify`, `index`, `search` and `segment` do, apart from their options.

It takes seconds to import, which a wrong option and the help should not wait for.
"""

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console

from crosscale.cli.console import plain_console, plain_table
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, nearest
from crosscale.inference.answers import NONE
from crosscale.inference.cluster import embed_on_cluster
from crosscale.inference.features import Candidates, fit_best, saved
from crosscale.inference.head import HEADS, make_head
from crosscale.inference.head_file import FittedHead
from crosscale.inference.labels import people_of
from crosscale.inference.segment import Timing
from crosscale.inference.spreading import others
from crosscale.inference.subclips import embed_subclips
from crosscale.models.model import Model, load
from crosscale.models.side_by_side import Embedder
from crosscale.skeleton.layout import PEOPLE
from crosscale.utils.choices import EngineName, FeatureChoice, Runner
from crosscale.utils.progress import tracked
from crosscale.utils.text import counted

_SHOWN = 20  # rows of a table that may be long


def fit_head(
    kind: str,
    store: ClipStore,
    labels: NDArray[Any],
    model: Model,
    features: FeatureChoice,
    false_rejection: float,
    console: Console,
    subclips: bool = False,
) -> tuple[FittedHead, Embedder, NDArray[np.float32]]:
    """Fit a head on the labelled rows, and tell how well it does on those held out.

    Returns:
        It, what gives the embeddings that it judges, and those (N, D) of all the store's clips.
    """
    if not 0 <= false_rejection < 1:
        raise CrosscaleError(f"false_rejection is from 0 up to 1, not {false_rejection:g}")
    candidates = Candidates.of(model, features, store.layout)
    vectors = vectors_of(candidates.widest, store)
    rows = np.flatnonzero([label is not None for label in labels])
    x, clip = vectors[rows], rows
    if subclips:
        cut, of = embed_subclips(candidates.widest, store, rows)
        x, clip = np.concatenate([x, cut]), np.concatenate([clip, of])
    people = people_of(store, [store.names[row] for row in clip])
    groups = clip if people is None and subclips else people
    chosen = fit_best(
        candidates,
        x,
        labels[clip].astype(str),
        groups,
        lambda: make_head(kind, false_rejection),
        vectors[others(len(vectors), rows)],
    )
    head, embedder = chosen.head, candidates.embedder(chosen.kind)
    console.print(
        f"{counted(len(rows), 'labelled clip')} of {counted(len(head.classes_), 'class')}"
        + (
            f", and {counted(head.guessed_, 'other')} by what they are near"
            if head.guessed_
            else ""
        )
    )
    if chosen.why:
        console.print(f"features: {chosen.why}")
    if head.cv_clips_:
        what = "clips and subclips" if subclips else "clips"
        apart = people is not None and head.cv_groups_
        low, high = head.cv_interval()
        console.print(
            f"cross-validation: {100 * head.cv_accuracy_:.1f} % of {head.cv_clips_:,} held-out "
            f"labelled {what} right"
            + (f", each person's by those of the others ({apart} people)" if apart else "")
            + f"; {100 * low:.0f} to {100 * high:.0f} % with 95 % confidence"
        )
    else:
        console.print(
            "no class has two labelled clips: probabilities are not calibrated, and nothing is "
            f"called {NONE}",
            style="yellow",
        )
    fitted = FittedHead(head, embedder.fingerprint, subclips, chosen.kind)
    return fitted, embedder, candidates.columns(vectors, chosen.kind)


def saved_head(head: str, model: Model, **given: Path | None) -> tuple[FittedHead, Embedder]:
    """A head of a file, and what gives the embeddings that it judges."""
    hint = nearest(head, HEADS)
    if hint.startswith("did you mean") and not Path(head).exists():
        raise CrosscaleError(f"no head '{head}': {hint}")
    for name, clips in given.items():
        if clips is not None:
            raise CrosscaleError(f"{head} is a saved head and takes no --{name}")
    return saved(Path(head), model)


def vectors_of(model: Embedder, store: ClipStore) -> NDArray[np.float32]:
    """The embeddings (N, D) of a store's clips."""
    return np.concatenate([*model.chunks(store)])


def embedding(
    run: Path, store: Path, device: str, engine: EngineName, runner: Runner
) -> tuple[Model, ClipStore, Generator[NDArray[np.float32], None, None]]:
    """An encoder, a store, and the embeddings of its clips by an engine or a cluster."""
    if runner == "here":
        model, opened = opened_both(run, store, device, engine)
        return model, opened, model.chunks(opened)
    if engine != "torch":
        raise CrosscaleError(f"--runner ray computes with PyTorch: leave --engine {engine} out")
    # The cluster's machines may have a GPU where this one has none.
    model, opened = opened_both(run, store, "cpu")
    chunks = embed_on_cluster(model, run, opened, device)
    return model, opened, tracked(chunks, "embedding clips", len(opened), len)


def opened_both(
    run: Path, store: Path, device: str, engine: EngineName = "torch"
) -> tuple[Model, ClipStore]:
    """An encoder and a store, with a word where another encoder knows such clips better."""
    model, opened = load(run, device=device, engine=engine), ClipStore.open(store)
    people = PEOPLE in opened.layout.scales
    if str(run) == "body" and people and len(opened) and opened.coordinates(0).shape[-1] == 2:
        plain_console().print("clips in the plane: body-2d learned there, name it instead of body")
    return model, opened


def tell_answers(console: Console, answers: pa.Table, true: NDArray[Any]) -> None:
    """How many clips were named what, and how many of them as the store does."""
    labels = np.array(answers["label"].to_pylist(), object)
    counts = Counter(labels)
    none = counts.pop(NONE, 0)
    table = plain_table(["label", "clips"], [(name, f"{n:,}") for name, n in counts.most_common()])
    table.add_row(NONE, f"{none:,}", style="dim")
    console.print(table)
    labelled = np.array([label is not None for label in true])
    if labelled.any():
        right = (labels[labelled] == true[labelled]).mean()
        console.print(
            f"{100 * right:.1f} % of the {labelled.sum():,} that the store labels were named so"
        )


def tell_found(found: pa.Table, queries: int) -> None:
    """All of one query; of several, the first of each is enough for a screen."""
    rows = found.to_pylist()
    first = rows if queries == 1 else [row for row in rows if row["rank"] == 1][:_SHOWN]
    heads = [*(["query"] if queries > 1 else []), "similarity", "name", "label"]
    told = [row | {"similarity": f"{row['similarity']:.3f}"} for row in first]
    console = plain_console()
    console.print(plain_table(heads, [[row[head] or "" for head in heads] for row in told]))
    if len(first) < len(rows):
        console.print(f"the first {len(first):,} of {len(rows):,} found; --out FILE keeps them all")


def tell_segments(console: Console, found: pa.Table, timing: Timing) -> None:
    """The first segments, and how many there are."""
    digits, unit = (2, "seconds") if timing.unit == "s" else (0, timing.unit)
    heads = ["clip", "start", "end", "label", "probability"]
    shapes = ["", f".{digits}f", f".{digits}f", "", ".2f"]
    rows = [
        [format(row[head], shape) for head, shape in zip(heads, shapes, strict=True)]
        for row in found.slice(0, _SHOWN).to_pylist()
    ]
    console.print(plain_table(heads, rows))
    cut = f"; the first {_SHOWN} are shown" if found.num_rows > _SHOWN else ""
    console.print(f"{counted(found.num_rows, 'segment')}, in {unit}{cut}")
