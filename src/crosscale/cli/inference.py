"""`crosscale embed`, `classify`, `index`, `search` and `segment`."""

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console

from crosscale.cli.console import plain_console, plain_table
from crosscale.data.store import ClipStore
from crosscale.encoders.engines import EngineName
from crosscale.errors import CrosscaleError, nearest
from crosscale.inference import embeddings
from crosscale.inference import segment as segments
from crosscale.inference.answers import NONE, answer
from crosscale.inference.cluster import embed_on_cluster
from crosscale.inference.features import Candidates, FeatureChoice, fit_best, saved
from crosscale.inference.head import HEADS, make_head
from crosscale.inference.head_file import FittedHead, save_head
from crosscale.inference.index import Index, build_index, refuse_to_replace
from crosscale.inference.labels import label_names, labels_of, people_of
from crosscale.inference.subclips import embed_subclips
from crosscale.inference.tables import check_ending, write_table
from crosscale.models.model import Model, load
from crosscale.models.side_by_side import Embedder
from crosscale.skeleton.layout import PEOPLE
from crosscale.utils.progress import tracked
from crosscale.utils.text import alike, composed, counted, places_of

Runner = Literal["here", "ray"]


def embed(
    run: Path,
    store: Path,
    *,
    out: Path,
    device: str = "cpu",
    engine: EngineName = "torch",
    runner: Runner = "here",
) -> None:
    """Write one vector a clip, in the store's order, with names and labels.

        crosscale embed runs/nwucla stores/mine --out mine.parquet

    A vector has length 1; the product of two is the mean of the streams' cosine similarities.

    Args:
        out: the file, ending in .parquet or .npz; encoder and store are named in its metadata.
    """
    check_ending(out, embeddings.ENDINGS)
    model, opened, chunks = _embedding(run, store, device, engine, runner)
    with closing(chunks):
        embeddings.write_embeddings(out, model, opened, chunks)
    plain_console().print(f"{counted(len(opened), 'vector')} of {model.dim} numbers: {out}")


def classify(
    run: Path,
    store: Path,
    *,
    out: Path,
    labels: Path | None = None,
    unlabelled: Path | None = None,
    head: str = "linear",
    false_rejection: float = 0.05,
    save: Path | None = None,
    subclips: bool = False,
    features: FeatureChoice = "auto",
    device: str = "cpu",
) -> pa.Table:
    """Name clips by a few labelled ones, with probabilities and "none of these".

        crosscale classify runs/nwucla stores/mine --labels labels.csv --out predictions.csv

    The labelled clips are those that the store labels, or those of a table with the columns name
    and label. All other clips of the store are named, or all of another store. With 10
    labelled clips a class probabilities are off by about 4 points in the mean, with 3 by 6 to 8,
    and rejection is rough; with 1 they are not calibrated and nothing is rejected. Where the store
    knows who is in each labelled clip, both hold for people who are in none; otherwise for the same
    people.

    Args:
        out: the predictions, ending in .csv, .parquet or .json: name, label, probability, runner_up
            and runner_up_probability.
        labels: a CSV or Parquet file that labels some of the store's clips; by default the store's
            own labels.
        unlabelled: a store whose clips are named instead of the rest of the first.
        head: linear (logistic regression), knn (the nearest labelled clip), or the file of a saved
            head, which needs no labels and names every clip.
        false_rejection: share of clips of the known classes that may be called none of these; 0
            rejects nothing.
        save: keep the head in this file, for `classify --head`, `segment` and `live`.
        subclips: learn from subclips of the labelled clips too: their beginning, middle and end.
            Such a head is for `segment`, `live` and `serve`, which see windows of recordings; whole
            clips it names a little worse.
        features: what clips are told apart by: the encoder, MiniRocket (rocket), both side by side,
            or auto, which takes what names most held-out labelled clips right.
    """
    check_ending(out)
    model, opened = _opened(run, store, device)
    other = None if unlabelled is None else ClipStore.open(unlabelled)
    queries = other or opened
    console = plain_console()
    if head in HEADS:
        given = labels_of(opened, labels)
        for doubt in alike({label for label in given if label is not None}):
            console.print(doubt, style="yellow")
        free = np.array([label is None for label in given])
        rows = np.arange(len(other)) if other else np.flatnonzero(free)
        if not len(rows):
            raise CrosscaleError(
                f"every clip of {store} has a label: label a few with --labels, or name the store "
                "to classify with --unlabelled"
            )
        fitted, embedder, vectors = _fit(
            head, opened, given, model, features, false_rejection, console, subclips
        )
        vectors = _vectors(embedder, other) if other else vectors[rows]
    else:
        fitted, embedder = _saved_head(head, model, labels=labels)
        rows, vectors = np.arange(len(queries)), _vectors(embedder, queries)
    answers = answer(fitted.head, vectors, [queries.names[i] for i in rows])
    write_table(answers, out)
    if save is not None:
        save_head(fitted, save)
    _tell_answers(console, answers, label_names(queries)[rows])
    console.print(f"predictions: {out}" + (f"\nhead: {save}" if save else ""))
    return answers


def index(
    run: Path,
    store: Path,
    *,
    out: Path,
    overwrite: bool = False,
    device: str = "cpu",
    engine: EngineName = "torch",
    runner: Runner = "here",
) -> None:
    """Make a folder in which `crosscale search` finds similar clips.

        crosscale index runs/nwucla stores/mine --out mine.index

    Args:
        out: the folder to make.
    """
    refuse_to_replace(out, overwrite)
    model, opened, chunks = _embedding(run, store, device, engine, runner)
    with closing(chunks):
        build_index(out, model, opened, chunks, run=run, overwrite=overwrite)
    plain_console().print(f"{counted(len(opened), 'clip')}: {out}")


def search(
    index: Path,
    query: str,
    *,
    k: int = 10,
    run: Path | None = None,
    out: Path | None = None,
    verify: bool = False,
    device: str = "cpu",
) -> pa.Table:
    """Find the clips most similar to a clip of the index, or to those of another store.

        crosscale search mine.index wave_07
        crosscale search mine.index stores/queries --k 3 --out found.json

    Args:
        index: a folder made by `crosscale index`.
        query: the name of a clip in the index, or a store of query clips.
        k: how many clips to find for each query.
        run: where the encoder is, for a store of queries; by default where it was.
        out: write what was found, ending in .csv, .parquet or .json.
        verify: first read every byte of the index and compare with the checksums.
    """
    if k < 1:
        raise CrosscaleError(f"k must be 1 or more, not {k}")
    if out is not None:
        check_ending(out)
    opened = Index.open(index)
    if verify:
        opened.verify()
    if composed(query) not in places_of(opened.names) and Path(query).exists():
        store = ClipStore.open(Path(query))
        model = load(run or Path(opened.facts["run"]), device=device)
        opened.check(model)
        names = store.names
        rows, similarities = opened.search(_vectors(model, store), k)
    else:
        place = opened.place(query)
        names = [query]
        rows, similarities = opened.search(np.array(opened.vectors[[place]]), k + 1)
        others = (rows != place).nonzero()[1][:k]
        rows, similarities = rows[:, others], similarities[:, others]
    found = opened.table(names, rows, similarities)
    _tell_found(found, len(names))
    if out is not None:
        write_table(found, out)
    return found


def segment(
    run: Path,
    store: Path,
    *,
    out: Path,
    head: str = "linear",
    labelled: Path | None = None,
    window: float = 2.0,
    step: float = 0.5,
    false_rejection: float = 0.05,
    features: FeatureChoice = "auto",
    device: str = "cpu",
) -> pa.Table:
    """Tell what happens when in long recordings, by windows that slide over them.

        crosscale segment runs/nwucla stores/long --head mine.head --out segments.csv
        crosscale segment runs/nwucla stores/long --labelled stores/clips --out segments.csv

    A saved head should know subclips (`crosscale classify --subclips --save`); with --labelled one
    is fitted so.

    Each instant is named by the mean of all windows that contain it; where nothing is reported, it
    is none of the classes. A window should be about two thirds as long as the labelled clips:
    shorter actions than half a window are missed.

    Args:
        store: a store of the long recordings.
        out: the segments, ending in .csv, .parquet or .json: clip, start, end, label, probability
            and unit (s or frames).
        head: a head saved by `crosscale classify --save`; or linear or knn, with --labelled.
        labelled: a store of labelled clips to fit the head on.
        window: seconds that are looked at together; frames where the store has no frame rates.
        step: seconds from one window to the next; frames where the store has no frame rates.
        features: what clips are told apart by, as in `classify`, where a head is fitted.
    """
    check_ending(out)
    model, opened = _opened(run, store, device)
    timing = segments.Timing.of(opened, window, step)
    console = plain_console()
    if head not in HEADS:
        fitted, embedder = _saved_head(head, model, labelled=labelled)
        if not fitted.subclips:
            console.print(
                f"{head} knows whole clips alone; one made with classify --subclips names more "
                "windows right",
                style="yellow",
            )
    elif labelled is None:
        raise CrosscaleError("name a saved head with --head, or a labelled store with --labelled")
    else:
        clips = ClipStore.open(labelled)
        fitted, embedder, _ = _fit(
            head, clips, labels_of(clips), model, features, false_rejection, console, subclips=True
        )
    found = pa.concat_tables([*segments.segment(opened, timing, embedder, fitted.head)])
    write_table(found, out)
    _tell_segments(console, found, timing)
    console.print(f"segments: {out}")
    return found


def _fit(
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
    vectors = _vectors(candidates.widest, store)
    rows = np.flatnonzero([label is not None for label in labels])
    x, clip = vectors[rows], rows
    if subclips:
        cut, of = embed_subclips(candidates.widest, store, rows)
        x, clip = np.concatenate([x, cut]), np.concatenate([clip, of])
    people = people_of(store, [store.names[row] for row in clip])
    groups = clip if people is None and subclips else people
    chosen = fit_best(
        candidates, x, labels[clip].astype(str), groups, lambda: make_head(kind, false_rejection)
    )
    head, embedder = chosen.head, candidates.embedder(chosen.kind)
    console.print(
        f"{counted(len(rows), 'labelled clip')} of {counted(len(head.classes_), 'class')}"
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


def _saved_head(head: str, model: Model, **given: Path | None) -> tuple[FittedHead, Embedder]:
    hint = nearest(head, HEADS)
    if hint.startswith("did you mean") and not Path(head).exists():
        raise CrosscaleError(f"no head '{head}': {hint}")
    for name, clips in given.items():
        if clips is not None:
            raise CrosscaleError(f"{head} is a saved head and takes no --{name}")
    return saved(Path(head), model)


def _vectors(model: Embedder, store: ClipStore) -> NDArray[np.float32]:
    return np.concatenate([*model.chunks(store)])


def _embedding(
    run: Path, store: Path, device: str, engine: EngineName, runner: Runner
) -> tuple[Model, ClipStore, Generator[NDArray[np.float32], None, None]]:
    """An encoder, a store, and the embeddings of its clips by an engine or a cluster."""
    if runner == "here":
        model, opened = _opened(run, store, device, engine)
        return model, opened, model.chunks(opened)
    if engine != "torch":
        raise CrosscaleError(f"--runner ray computes with PyTorch: leave --engine {engine} out")
    # The cluster's machines may have a GPU where this one has none.
    model, opened = _opened(run, store, "cpu")
    chunks = embed_on_cluster(model, run, opened, device)
    return model, opened, tracked(chunks, "embedding clips", len(opened), len)


def _opened(
    run: Path, store: Path, device: str, engine: EngineName = "torch"
) -> tuple[Model, ClipStore]:
    """An encoder and a store, with a word where another encoder knows such clips better."""
    model, opened = load(run, device=device, engine=engine), ClipStore.open(store)
    people = PEOPLE in opened.layout.scales
    if str(run) == "body" and people and len(opened) and opened.coordinates(0).shape[-1] == 2:
        plain_console().print("clips in the plane: body-2d learned there, name it instead of body")
    return model, opened


def _tell_answers(console: Console, answers: pa.Table, true: NDArray[Any]) -> None:
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


def _tell_found(found: pa.Table, queries: int) -> None:
    """All of one query; of several, the first of each is enough for a screen."""
    rows = found.to_pylist()
    first = rows if queries == 1 else [row for row in rows if row["rank"] == 1][:_SHOWN]
    heads = [*(["query"] if queries > 1 else []), "similarity", "name", "label"]
    told = [row | {"similarity": f"{row['similarity']:.3f}"} for row in first]
    console = plain_console()
    console.print(plain_table(heads, [[row[head] or "" for head in heads] for row in told]))
    if len(first) < len(rows):
        console.print(f"the first {len(first):,} of {len(rows):,} found; --out FILE keeps them all")


def _tell_segments(console: Console, found: pa.Table, timing: segments.Timing) -> None:
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


_SHOWN = 20  # rows of a table that may be long
