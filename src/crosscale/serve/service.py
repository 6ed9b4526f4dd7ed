"""What the server can do, apart from HTTP: one method for each question of the API."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale import __version__
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.inference.answers import Answers
from crosscale.inference.frames import Frame
from crosscale.inference.head import Head
from crosscale.inference.index import Index
from crosscale.inference.live import LiveClassifier
from crosscale.inference.segment import Timing, segment
from crosscale.models.model import Model
from crosscale.serve.isolated import Isolated
from crosscale.serve.limits import Limits
from crosscale.serve.reading import (
    AUTO,
    FORMATS,
    STORE,
    Reading,
    checked_format,
    checked_layout,
    read_upload,
)
from crosscale.serve.uploads import FILES, Sent, Upload, shown, stored
from crosscale.skeleton.layout import Layout
from crosscale.viz.player_clip import player_json, stored_clip

WEBCAM_LAYOUT = "blazepose33"  # of `@mediapipe/pose`
ASSUMED_RATE = 30.0  # frames a second, where a file does not say; the player assumes the same
RATES = (0.1, 10_000.0)  # frames a second, the lowest and the highest that are believed
MOST_PLAYED = 3000  # frames of a clip that are sent to the player
WINDOW, STEP = 2.0, 0.5  # seconds


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

    def told(self) -> dict[str, Any]:
        """`replies.Read`."""
        return {
            "format": self.reading.source_format,
            "how": self.reading.how,
            "layout": self.store.layout.name,
            "skipped": [{"name": n, "reason": r} for n, r in self.reading.skipped],
            "repaired": self.reading.repaired,
        }


class Service:
    """Answers questions about uploads, one after the other.

    Attributes:
        model: encoders.
        head: fitted on their embeddings; None when actions cannot be named.
        index: of their embeddings; None when there is nothing to search.
        store: the clips of the index, for the player; None when they are not at hand.
        limits: of requests.
    """

    def __init__(
        self,
        model: Model,
        *,
        run: str,
        head: Head | None = None,
        index: Index | None = None,
        store: ClipStore | None = None,
        limits: Limits | None = None,
        main: Sequence[str] = (),
    ) -> None:
        """Put together what fits together.

        Args:
            model: encoders.
            run: where they come from, to be shown.
            head: fitted on embeddings of `model`.
            index: of embeddings of `model`.
            store: the clips of the index.
            limits: of requests.
            main: modules that the main program imports, as a process that reads an upload does
                too; they are loaded once for all of those.

        Raises:
            CrosscaleError: when the index is of another encoder.
        """
        if index is not None:
            index.check(model)
        self.model, self.run, self.head, self.index, self.store = model, run, head, index, store
        self.limits = limits or Limits()
        self._rows = {name: row for row, name in enumerate(store.names)} if store else {}
        self._reader = Isolated(
            self.limits.seconds, self.limits.memory, [*main, "crosscale.serve.preloaded"]
        )
        self._turn = threading.Lock()  # the encoder uses all cores for one question at a time

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
            checked_format(source_format)
        if layout is not None:
            checked_layout(layout)
        with stored(files, self.limits) as upload:
            try:
                found = self._reader.call(
                    read_upload,
                    upload.folder,
                    source_format,
                    layout,
                    self.model.layout.name,
                    self.limits,
                )
            except CrosscaleError as error:
                raise CrosscaleError(_renamed(str(error), upload)) from None
            aside = tuple((_named(n, upload), _renamed(r, upload)) for n, r in found.skipped)
            opened = ClipStore.open(upload.folder / STORE)
            names = [_named(name, upload) for name in opened.names]
            yield Recording(opened, names, replace(found, skipped=aside))

    def embed(self, recording: Recording) -> NDArray[np.float32]:
        """Embeddings (N, D) of the clips."""
        with self._turn:
            return self.model.embed(recording.store)

    def search(self, vectors: NDArray[np.float32], k: int) -> list[list[dict[str, Any]]]:
        """The k nearest clips of the index to each of N embeddings.

        Raises:
            CrosscaleError: when there is no index.
        """
        if self.index is None:
            raise CrosscaleError("this server has no index: start it with --index INDEX")
        rows, similarities = self.index.search(vectors, k)
        return [
            [
                {
                    "name": self.index.names[row],
                    "label": self.index.labels[row],
                    "similarity": round(float(similarity), 4),
                    "playable": self.index.names[row] in self._rows,
                }
                for row, similarity in zip(*found, strict=True)
            ]
            for found in zip(rows.tolist(), similarities.tolist(), strict=True)
        ]

    def classify(self, names: Sequence[str], vectors: NDArray[np.float32]) -> list[dict[str, Any]]:
        """What each of N embeddings shows.

        Raises:
            CrosscaleError: when there is no head.
        """
        table = Answers.of(self._head(), vectors).table(list(names))
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    def segment(
        self, recording: Recording, window: float, step: float, rate: float
    ) -> list[dict[str, Any]]:
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
        known = store.column("frame_rate")
        rates = np.where(np.isnan(known), rate, known)
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
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in store.names}
        with self._turn:
            for _, table in segment(store, timing, self.model, head):
                for row in table.to_pylist():
                    found[row.pop("clip")].append(row)
        seconds = store.column("frames") / rates
        return [
            {
                "name": name,
                "seconds": float(seconds[i]),
                "frame_rate": float(rates[i]),
                "assumed": bool(np.isnan(known[i])),
                "segments": found[store.names[i]],
            }
            for i, name in enumerate(recording.names)
        ]

    def analyse(self, recording: Recording, k: int) -> dict[str, Any]:
        """Player, nearest clips, answer and timeline of each clip, and why one is missing."""
        count, notes = len(recording.names), []
        nearest = answers = timelines = [None] * count
        try:
            vectors = self.embed(recording)
            nearest = self.search(vectors, k) if self.index else nearest  # type: ignore[assignment]
            if self.head:
                answers = self.classify(recording.names, vectors)  # type: ignore[assignment]
                timelines = self.segment(recording, WINDOW, STEP, ASSUMED_RATE)  # type: ignore[assignment]
        except CrosscaleError as error:  # the clips can be looked at all the same
            notes.append(str(error))
        clips = [
            {
                "name": name,
                "player": self._played(recording.store, i, name, own=True),
                "nearest": nearest[i],
                "answer": answers[i],
                "timeline": timelines[i],
            }
            for i, name in enumerate(recording.names)
        ]
        return {"clips": clips, "notes": notes}

    def clip(self, name: str) -> dict[str, Any] | None:
        """A clip of the index for the player, looked up by its name; None when there is none."""
        row = self._rows.get(name)
        return None if row is None or self.store is None else self._played(self.store, row, name)

    def classifier(self, layout: str) -> "SharedClassifier":
        """A fresh memory of people for one connection.

        Args:
            layout: of its frames, a built-in name.

        Raises:
            CrosscaleError: when there is no head, or the encoder cannot take the layout.
        """
        skeleton = Layout.load(checked_layout(layout))
        return SharedClassifier(
            LiveClassifier(self.model, self._head(), skeleton, WINDOW, STEP), self._turn
        )

    def status(self, webcam: str | None) -> dict[str, Any]:
        """What this server has; `webcam` says what is wrong with the files of the webcam."""
        problem = self._live_problem()
        return {
            "version": __version__,
            "run": self.run,
            "layout": self.model.layout.name,
            "streams": list(self.model.streams),
            "width": self.model.width,
            "classes": None if self.head is None else self.head.classes_.tolist(),
            "index": None if self.index is None else len(self.index.names),
            "playable": self.store is not None,
            "formats": list(FORMATS),
            "limits": vars(self.limits),
            "live": {
                "ready": problem is None,
                "problem": problem or webcam,
                "layout": WEBCAM_LAYOUT,
                "window": WINDOW,
                "step": STEP,
                "assets": webcam is None,
            },
        }

    def _head(self) -> Head:
        if self.head is None:
            raise CrosscaleError("this server has no head to name actions: start it with --head")
        return self.head

    def _live_problem(self) -> str | None:
        try:
            self.model.check_layout(Layout.load(WEBCAM_LAYOUT))
        except CrosscaleError:
            return (
                f"the encoder knows {self.model.layout.name} only: the webcam needs one of ten "
                "parts, such as `parts`, which comes with crosscale"
            )
        return None if self.head else "there is no head to name actions: start with --head"

    def _played(
        self, store: ClipStore, row: int, name: str, *, own: bool = False
    ) -> dict[str, Any]:
        """The player's JSON; what an upload says of its own action is no answer and is left out."""
        clip = replace(stored_clip(store, row), name=name).thinned(MOST_PLAYED)
        return player_json(replace(clip, label=None) if own else clip, "float16")


@dataclass
class SharedClassifier:
    """A `LiveClassifier` that waits for its turn with the encoder.

    Attributes:
        classifier: of one connection.
        turn: shared by all.
    """

    classifier: LiveClassifier
    turn: threading.Lock

    @property
    def joints(self) -> int:
        """How many each person has."""
        return len(self.classifier.layout.joints)

    def push(self, frame: Frame) -> list[dict[str, Any]]:
        """See `LiveClassifier.push`."""
        with self.turn:
            return self.classifier.push(frame)


def store_of(index: Index, given: Path | None) -> ClipStore | None:
    """The clips of an index: where it says, or where the user says.

    Raises:
        CrosscaleError: when the user names a store that lacks clips of the index.
    """
    if given is None:
        path = Path(str(index.facts.get("store", "")))
        return ClipStore.open(path) if path.is_dir() else None
    store = ClipStore.open(given)
    absent = set(index.names) - set(store.names)
    if absent:
        raise CrosscaleError(
            f"{given} lacks {len(absent):,} clips of {index.path}, such as {min(absent)}: name the "
            "store that the index was made from"
        )
    return store


def _named(name: str, upload: Upload) -> str:
    """As the sender calls a clip; one out of a file of many clips has its name from there."""
    return upload.names.get(name.rpartition("/")[2], shown(name))


def _renamed(message: str, upload: Upload) -> str:
    """A message without the server's folders, in the sender's names."""
    files = str(upload.folder / FILES)
    message = message.replace(f"{files}/", "").replace(files, "the upload")
    message = message.replace(str(upload.folder), "the upload")
    for made, given in upload.names.items():
        message = message.replace(made, given)
    return " ".join(message.split())
