"""Labels while people move: frames in, answers out, a short memory of each person."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.data.recordings import Recordings
from crosscale.errors import CrosscaleError
from crosscale.inference.answers import answer
from crosscale.inference.frames import Frame
from crosscale.inference.head import Head
from crosscale.models.clips import InMemory
from crosscale.models.side_by_side import Embedder
from crosscale.skeleton.layout import Layout

CAPACITY = 512  # frames kept of a person: 2 s at 256 frames a second
REMEMBERED = 64  # people at most; of more, those are dropped that were seen longest ago
FULL_ENOUGH = 0.5  # share of a window that must have been seen before a person gets an answer

Seen = deque[tuple[float, NDArray[np.float32]]]  # seconds and joints (V, C), the oldest first


@dataclass
class LiveClassifier:
    """Names what each person does, from the last seconds; one person's clip at a time.

    Frames may come at any rate and with gaps: a window is read on an even grid of time, between
    the frames that there are. Somebody who is not seen for as long as a window is forgotten.

    Attributes:
        model: encoders.
        head: fitted on their embeddings.
        layout: of the frames.
        window: seconds that an answer looks back.
        step: seconds from one answer to the next.
        people: the newest frames of each person, who was seen last comes last.
    """

    model: Embedder
    head: Head
    layout: Layout
    window: float = 2.0
    step: float = 0.5
    people: dict[str, Seen] = field(default_factory=dict)
    newest: float = -np.inf
    answered: float = -np.inf

    def __post_init__(self) -> None:
        if not (np.isfinite(self.window) and self.window > 0 and 0 < self.step <= self.window):
            raise CrosscaleError(
                f"a window of {self.window:g} s and a step of {self.step:g} s do not fit: both "
                "must be above 0, and the step at most a window"
            )
        self.model.check_layout(self.layout)

    def push(self, frame: Frame) -> list[dict[str, Any]]:
        """Take in a frame; at every step, answer for each person in it.

        Returns:
            One dict a person: time (of this, the newest frame), id, label, probability, runner_up,
            runner_up_probability, and frames, the number of frames looked at.

        Raises:
            CrosscaleError: when the frame is not later than the one before, or a person's joints
                have another number of coordinates than before.
        """
        if frame.time <= self.newest:
            raise CrosscaleError(
                f"time {frame.time:g} is not after {self.newest:g}, that of the frame before"
            )
        sizes = {places.shape[-1] for places in frame.people.values()}
        sizes |= {seen[-1][1].shape[-1] for seen in self.people.values()}
        if len(sizes) > 1:
            raise CrosscaleError("some joints have two coordinates, others three; all need as many")
        self.newest = frame.time
        for name, places in frame.people.items():
            seen = self.people.pop(name, None) or deque(maxlen=CAPACITY)
            seen.append((frame.time, places))
            self.people[name] = seen
        self._forget()
        if frame.time - self.answered < self.step:
            return []
        return self._answers(frame)

    def _forget(self) -> None:
        for name, seen in list(self.people.items()):
            if self.newest - seen[-1][0] > self.window or len(self.people) > REMEMBERED:
                del self.people[name]

    def _answers(self, frame: Frame) -> list[dict[str, Any]]:
        begin = frame.time - self.window
        windows = {
            name: [(time, places) for time, places in self.people[name] if time >= begin]
            for name in frame.people
        }
        names = [
            name
            for name, seen in windows.items()
            if seen[-1][0] - seen[0][0] >= FULL_ENOUGH * self.window
        ]
        if not names:
            return []
        self.answered = frame.time
        clips = [_evenly(windows[name])[:, None] for name in names]
        whole = Recordings.of(clips, len(self.layout.joints))
        source = InMemory(tuple(names), self.layout, whole)
        vectors, _ = self.model.embed_present(source, range(len(names)))
        answers = answer(self.head, vectors, names).to_pylist()
        return [
            {
                "time": frame.time,
                "id": row["name"],
                "label": row["label"],
                "probability": _rounded(row["probability"]),
                "runner_up": row["runner_up"],
                "runner_up_probability": _rounded(row["runner_up_probability"]),
                "frames": len(clip),
            }
            for row, clip in zip(answers, clips, strict=True)
        ]


def _evenly(seen: Sequence[tuple[float, NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Joints (F, V, C) at F even steps of time, linear between the F frames that were seen."""
    times, places = np.array([time for time, _ in seen]), np.stack([x for _, x in seen])
    at = np.linspace(times[0], times[-1], len(times))
    after = np.searchsorted(times, at).clip(1, len(times) - 1)
    share = ((at - times[after - 1]) / (times[after] - times[after - 1])).clip(0, 1)
    low, high = places[after - 1], places[after]
    return low + (high - low) * share[:, None, None].astype(np.float32)


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 4)
