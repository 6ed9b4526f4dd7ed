"""`crosscale embed`, `classify`, `index`, `search` and `segment`."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa

from crosscale.cli.console import plain_console
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.inference.tables import check_ending, write_table
from crosscale.utils.choices import EngineName, FeatureChoice, Runner
from crosscale.utils.text import alike, composed, counted, places_of


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
    from crosscale.cli.inference_steps import embedding
    from crosscale.inference import embeddings

    check_ending(out, embeddings.ENDINGS)
    model, opened, chunks = embedding(run, store, device, engine, runner)
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
    labelled clips a class probabilities are off by about 4 points in the mean, with 3 by 6 to 9,
    and rejection is rough; with 1 they are not calibrated and nothing is rejected. Where the store
    knows who is in each labelled clip, both hold for people who are in none; otherwise for the same
    people.

    Args:
        out: the predictions, ending in .csv, .parquet or .json: name, label, probability, runner_up
            and runner_up_probability.
        labels: a CSV or Parquet file that labels some of the store's clips; by default the store's
            own labels.
        unlabelled: a store whose clips are named instead of the rest of the first.
        head: linear (logistic regression, which learns from the store's clips without a label too
            if there are ten for each labelled one), knn (the nearest labelled clip), or the file of
            a saved head, which needs no labels and names every clip.
        false_rejection: share of clips of the known classes that may be called none of these; 0
            rejects nothing.
        save: keep the head in this file, for `classify --head`, `segment` and `live`.
        subclips: learn from subclips of the labelled clips too: their beginning, middle and end.
            Such a head is for `segment`, `live` and `serve`, which see windows of recordings; whole
            clips it names a little worse.
        features: what clips are told apart by: the encoder, MiniRocket (rocket), both side by side,
            or auto, which takes what names most held-out labelled clips right.
    """
    from crosscale.cli.inference_steps import (
        fit_head,
        opened_both,
        saved_head,
        tell_answers,
        vectors_of,
    )
    from crosscale.inference.answers import answer
    from crosscale.inference.head import HEADS
    from crosscale.inference.head_file import save_head
    from crosscale.inference.labels import label_names, labels_of

    check_ending(out)
    model, opened = opened_both(run, store, device)
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
        fitted, embedder, vectors = fit_head(
            head, opened, given, model, features, false_rejection, console, subclips
        )
        vectors = vectors_of(embedder, other) if other else vectors[rows]
    else:
        fitted, embedder = saved_head(head, model, labels=labels)
        rows, vectors = np.arange(len(queries)), vectors_of(embedder, queries)
    answers = answer(fitted.head, vectors, [queries.names[i] for i in rows])
    write_table(answers, out)
    if save is not None:
        save_head(fitted, save)
    tell_answers(console, answers, label_names(queries)[rows])
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
    from crosscale.cli.inference_steps import embedding
    from crosscale.inference.index import build_index, refuse_to_replace

    refuse_to_replace(out, overwrite)
    model, opened, chunks = embedding(run, store, device, engine, runner)
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
    from crosscale.cli.inference_steps import tell_found, vectors_of
    from crosscale.inference.index import Index
    from crosscale.models.model import load

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
        rows, similarities = opened.search(vectors_of(model, store), k)
    else:
        place = opened.place(query)
        names = [query]
        rows, similarities = opened.search(np.array(opened.vectors[[place]]), k + 1)
        others = (rows != place).nonzero()[1][:k]
        rows, similarities = rows[:, others], similarities[:, others]
    found = opened.table(names, rows, similarities)
    tell_found(found, len(names))
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
    from crosscale.cli.inference_steps import fit_head, opened_both, saved_head, tell_segments
    from crosscale.inference import segment as segments
    from crosscale.inference.head import HEADS
    from crosscale.inference.labels import labels_of

    check_ending(out)
    model, opened = opened_both(run, store, device)
    timing = segments.Timing.of(opened, window, step)
    console = plain_console()
    if head not in HEADS:
        fitted, embedder = saved_head(head, model, labelled=labelled)
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
        fitted, embedder, _ = fit_head(
            head, clips, labels_of(clips), model, features, false_rejection, console, subclips=True
        )
    found = pa.concat_tables([*segments.segment(opened, timing, embedder, fitted.head)])
    write_table(found, out)
    tell_segments(console, found, timing)
    console.print(f"segments: {out}")
    return found
