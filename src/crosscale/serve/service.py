"""What the server can do, apart from HTTP: one method for each question of the API."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale import __version__
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.inference.answers import answer
from crosscale.inference.head import Head
from crosscale.inference.index import Index
from crosscale.inference.live import LiveClassifier
from crosscale.inference.segment import Timing, segment
from crosscale.models.model import Model
from crosscale.models.side_by_side import Embedder
from crosscale.serve.isolated import Isolated
from crosscale.serve.limits import Limits
from crosscale.serve.reading import (
    AUTO,
    FORMATS,
    STORE,
    Reading,
    check_format,
    check_layout,
    read_upload,
)
from crosscale.serve.replies import (
    Analysed,
    Classified,
    LiveStatus,
    Near,
    Segment,
    Segmented,
    Status,
)
from crosscale.serve.uploads import Sent, stored
from crosscale.skeleton.layout import Layout, builtin_layouts
from crosscale.viz.player_clip import player_json, stored_clip

WEBCAM_LAYOUT = "blazepose33"  # of `@mediapipe/pose`
ASSUMED_RATE = 30.0  # frames a second, where a file does not say; the player assumes the same
RATES = (0.1, 10_000.0)  # frames a second, the lowest and the highest that are believed
MOST_PLAYED = 3000  # frames of a clip that are sent to the player
WINDOW, STEP = 2.0, 0.5  # seconds
SAME = 0.999  # similarity, below which a clip of the index is not the very recording
# Labelled clips of an action, and by how many points probabilities are off in the mean; see
# docs/own-data.md, where it was measured.
ROUGH = ((10, 4), (5, 5), (3, 7), (2, 8))


@dataclass(frozen=True, eq=False)
class Recording:
    """An upload that was read.

    Attributes:
        store: its clips.
        names: of the clips, as the sender calls them.
        reading: how it was read.
    """

    store: ClipStore
    names: list[str]
    reading: Reading

    @property
    def told(self) -> dict[str, Any]:
        """The fields of `replies.Read`."""
        return vars(self.reading)


@dataclass(eq=False)
class Service:
    """Answers questions about uploads, one after the other.

    Attributes:
        model: encoders.
        run: where they come from, to be shown.
        head: to name actions; None when they cannot be named.
        namer: gives the embeddings that the head judges; by default the model does.
        index: of their embeddings; None when there is nothing to search.
        store: the clips of the index, for the player; None when they are not at hand.
        limits: of requests.
        main: modules that the main program imports, as a process that reads an upload does too;
            they are loaded once for all of those.
        turn: the encoder, which uses all cores, answers one question at a time.

    Raises:
        CrosscaleError: when the index is of another encoder.
    """

    model: Model
    run: str
    head: Head | None = None
    namer: Embedder | None = None
    index: Index | None = None
    store: ClipStore | None = None
    limits: Limits = field(default_factory=Limits)
    main: Sequence[str] = ()
    turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        if self.index is not None:
            self.index.check(self.model)
        self._rows = {name: row for row, name in enumerate(self.store.names if self.store else ())}
        self._reader = Isolated(
            self.limits.seconds, self.limits.memory, [*self.main, "crosscale.serve.preloaded"]
        )

    @contextmanager
    def reading(
        self, files: Sequence[Sent], source_format: str, layout: str | None
    ) -> Iterator[Recording]:
        """Read an upload; it is gone when the block ends.

        Args:
            files: of the request.
            source_format: one of `FORMATS`, or `AUTO`.
            layout: a built-in one, for formats that do not fix it.

        Raises:
            CrosscaleError: when it cannot be read.
        """
        if source_format != AUTO:
            check_format(source_format)
        if layout is not None:
            check_layout(layout)
        with stored(files, self.limits) as upload:
            try:
                found = self._reader.call(
                    read_upload,
                    upload.folder,
                    source_format,
                    layout,
                    self.model.layout,
                    self.limits,
                )
            except CrosscaleError as error:
                raise CrosscaleError(upload.told(str(error))) from None
            skipped = [
                {"name": upload.called(one["name"]), "reason": upload.told(one["reason"])}
                for one in found.skipped
            ]
            opened = ClipStore.open(upload.folder / STORE)
            names = [upload.called(name) for name in opened.names]
            how = upload.told(found.how)
            yield Recording(opened, names, replace(found, how=how, skipped=skipped))

    def embed(self, recording: Recording) -> NDArray[np.float32]:
        """Embeddings (N, D) of the clips."""
        with self.turn:
            return self.model.embed(recording.store)

    def search(self, vectors: NDArray[np.float32], k: int) -> list[list[Near]]:
        """The k nearest clips of the index to each of N embeddings.

        Raises:
            CrosscaleError: when there is no index.
        """
        if self.index is None:
            raise CrosscaleError("this server has no index: start it with --index INDEX")
        names, labels = self.index.names, self.index.labels
        rows, similarities = self.index.search(vectors, k)
        return [
            [
                Near(
                    name=names[row],
                    label=labels[row],
                    similarity=round(similarity, 4),
                    playable=names[row] in self._rows,
                )
                for row, similarity in zip(*found, strict=True)
            ]
            for found in zip(rows.tolist(), similarities.tolist(), strict=True)
        ]

    def classify(
        self, recording: Recording, embedded: NDArray[np.float32] | None = None
    ) -> list[Classified]:
        """What each clip shows.

        Args:
            recording: the clips.
            embedded: their embeddings by the model, where they are there already.

        Raises:
            CrosscaleError: when there is no head.
        """
        head, vectors = self._head(), embedded
        if vectors is None or self._namer is not self.model:
            with self.turn:
                vectors = np.concatenate([*self._namer.chunks(recording.store)])
        rows = answer(head, vectors, recording.names).to_pylist()
        return [Classified(**row) for row in rows]

    def segment(
        self, recording: Recording, window: float, step: float, rate: float
    ) -> list[Segmented]:
        """What happens when in each clip.

        Args:
            recording: the clips.
            window: seconds that are looked at together.
            step: seconds from one window to the next.
            rate: frames a second, where the files do not say.

        Raises:
            CrosscaleError: when there is no head, or a frame rate is none that a sensor has.
        """
        head, store = self._head(), recording.store
        told = store.column("frame_rate")
        rates = np.where(np.isnan(told), rate, told)
        slowest, fastest = RATES
        if ((rates < slowest) | (rates > fastest)).any():
            raise CrosscaleError(
                f"a frame rate is not from {slowest:g} to {fastest:g} frames a second: mend it in "
                "the file"
            )
        timing = Timing(
            np.maximum(np.rint(window * rates).astype(np.int64), 2),
            np.maximum(np.rint(step * rates).astype(np.int64), 1),
            rates,
            "s",
        )
        found: dict[str, list[Segment]] = {name: [] for name in store.names}
        with self.turn:
            for table in segment(store, timing, self._namer, head):
                for row in table.to_pylist():
                    found[row["clip"]].append(Segment(**row))
        return [
            Segmented(
                name=name,
                seconds=float(frames / rates[i]),
                frame_rate=float(rates[i]),
                assumed=bool(np.isnan(told[i])),
                segments=found[store.names[i]],
            )
            for i, (name, frames) in enumerate(
                zip(recording.names, store.column("frames"), strict=True)
            )
        ]

    def analyse(self, recording: Recording, k: int) -> tuple[list[Analysed], list[str]]:
        """Player, nearest other clips, answer and timeline of each, and why one is missing."""
        notes: list[str] = []
        told: dict[str, Sequence[Any]] = {}
        try:
            vectors = self.embed(recording)
            if self.index:
                found = self.search(vectors, k + 1)
                itself = [
                    next((near.name for near in nearest if self._is(near, recording, i)), None)
                    for i, nearest in enumerate(found)
                ]
                told["itself"] = itself
                told["nearest"] = [
                    [near for near in nearest if near.name != own][:k]
                    for nearest, own in zip(found, itself, strict=True)
                ]
            if self.head:
                told["answer"] = self.classify(recording, vectors)
                told["timeline"] = self.segment(recording, WINDOW, STEP, ASSUMED_RATE)
        except CrosscaleError as error:  # the clips can be looked at all the same
            notes.append(str(error))
        clips = [
            Analysed(
                name=name,
                player=self._played(recording.store, i, name, own=True),
                **{what: values[i] for what, values in told.items()},
            )
            for i, name in enumerate(recording.names)
        ]
        return clips, notes

    def clip(self, name: str) -> dict[str, Any] | None:
        """A clip of the index for the player, looked up by its name; None when there is none."""
        row = self._rows.get(name)
        return None if row is None or self.store is None else self._played(self.store, row, name)

    def classifier(self, layout: str) -> LiveClassifier:
        """A fresh memory of people for one connection, to be asked when it is its `turn`.

        Args:
            layout: of its frames, a built-in name.

        Raises:
            CrosscaleError: when there is no head, or the encoder cannot take the layout.
        """
        check_layout(layout)
        return LiveClassifier(self._namer, self._head(), Layout.load(layout), WINDOW, STEP)

    def status(self, webcam: str | None) -> Status:
        """What this server has; `webcam` says what is wrong with the files of the webcam."""
        problem = self._live_problem()
        return Status(
            version=__version__,
            run=self.run,
            layout=self.model.layout.name,
            streams=list(self.model.streams),
            width=self.model.dim,
            classes=None if self.head is None else self.head.classes_.tolist(),
            index=None if self.index is None else len(self.index.names),
            playable=self.store is not None,
            trust=None if self.head is None else _trust(self.head),
            rough=None if self.head is None else _rough(self.head),
            formats=FORMATS,
            layouts=sorted(builtin_layouts()),
            limits=vars(self.limits),
            live=LiveStatus(
                ready=problem is None,
                problem=problem or webcam,
                layout=WEBCAM_LAYOUT,
                window=WINDOW,
                step=STEP,
                assets=webcam is None,
            ),
        )

    @property
    def _namer(self) -> Embedder:
        return self.namer or self.model

    def _head(self) -> Head:
        if self.head is None:
            raise CrosscaleError("this server has no head to name actions: start it with --head")
        return self.head

    def _is(self, near: Near, recording: Recording, i: int) -> bool:
        """Whether a clip of the index is the very recording; its name tells where it is absent."""
        if near.similarity < SAME:
            return False
        if self.store is None or near.name not in self._rows:
            return near.name == recording.names[i]
        theirs, own = self.store.coordinates(self._rows[near.name]), recording.store.coordinates(i)
        return theirs.shape == own.shape and np.allclose(theirs, own, atol=1e-3, equal_nan=True)

    def _live_problem(self) -> str | None:
        try:
            self._namer.check_layout(Layout.load(WEBCAM_LAYOUT))
        except CrosscaleError:
            return (
                f"the encoder knows {self.model.layout.name} only; the webcam needs one for any "
                "sensor, such as `body`, which comes with crosscale"
            )
        return None if self.head else "this server was started without labels to name actions by"

    def _played(
        self, store: ClipStore, row: int, name: str, *, own: bool = False
    ) -> dict[str, Any]:
        """The player's JSON; what an upload says of its own action is no answer and is left out."""
        clip = replace(stored_clip(store, row), name=name).thinned(MOST_PLAYED)
        return player_json(replace(clip, label=None) if own else clip, "float16")


def store_of(index: Index, given: Path | None) -> ClipStore | None:
    """The clips of an index: where it says, if all are there still, or where the user says.

    Raises:
        CrosscaleError: when the user names a store that lacks clips of the index.
    """
    if given is None:
        path = Path(str(index.facts.get("store", "")))
        found = ClipStore.open(path) if path.is_dir() else None
        return found if found and set(index.names) <= set(found.names) else None
    store = ClipStore.open(given)
    absent = set(index.names) - set(store.names)
    if absent:
        raise CrosscaleError(
            f"{given} lacks {len(absent):,} clips of {index.path}, such as {min(absent)}: name the "
            "store that the index was made from"
        )
    return store


def _trust(head: Head) -> str:
    """How far the head's probabilities can be relied on, in a sentence."""
    fewest, points = int(head.counts_.min()), _rough(head)
    if points is None or not head.cv_clips_:
        told = "Some action has one labelled clip only, so nobody knows how rough probabilities are"
    else:
        low, high = head.cv_interval()
        told = (
            f"Of {head.cv_clips_:,} labelled clips held out, {100 * head.cv_accuracy_:.0f} % were "
            f"named right ({100 * low:.0f} to {100 * high:.0f} with 95 % confidence). With "
            f"{fewest} labelled clips of an action, probabilities are off by about {points} points"
        )
    return f"{told}. An action that is none of these may be named as one of them."


def _rough(head: Head) -> int | None:
    """By how many points probabilities are off in the mean; None with one label of an action."""
    fewest = head.counts_.min()
    return next((points for labels, points in ROUGH if labels <= fewest), None)
