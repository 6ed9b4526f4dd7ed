"""What happens when in long recordings: windows are named, and equal neighbours become one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.evaluate.named import listed
from crosscale.predict.answers import Answers
from crosscale.predict.head import Head
from crosscale.predict.model import CHUNK, Model
from crosscale.predict.windows import Windows


@dataclass(frozen=True, eq=False)
class Timing:
    """How windows slide over the recordings of a store.

    Attributes:
        length: (N,) frames of a window.
        step: (N,) frames between windows.
        rate: (N,) frames a unit of time: a second, or a frame where the rate is unknown.
        unit: `s` or `frames`.
    """

    length: NDArray[np.int64]
    step: NDArray[np.int64]
    rate: NDArray[np.float64]
    unit: str

    @classmethod
    def of(cls, store: ClipStore, window: float, step: float) -> "Timing":
        """Seconds where the store knows its frame rates, frames where it knows none.

        Raises:
            CrosscaleError: when only some recordings have a rate, or a window has no frame.
        """
        rate = store.column("frame_rate")
        unknown = np.isnan(rate)
        if unknown.any() and not unknown.all():
            names = listed([store.names[i] for i in np.flatnonzero(unknown)])
            raise CrosscaleError(
                f"{store.path} has the frame rate of some recordings, but not of {names}; put "
                "recordings with and without a rate into stores of their own"
            )
        unit = "frames" if unknown.all() else "s"
        rate = np.ones(len(store)) if unknown.all() else rate
        length, stride = (np.rint(value * rate).astype(np.int64) for value in (window, step))
        if (length < 2).any() or (stride < 1).any():
            told = f"{store.path} has no frame rates, so both count frames" if unknown.all() else ""
            raise CrosscaleError(
                f"a window of {window:g} {unit} and a step of {step:g} {unit} are too short: a "
                "window needs two frames, a step one" + (f"; {told}" if told else "")
            )
        return cls(length, stride, rate, unit)


def segment(
    store: ClipStore, timing: Timing, model: Model, head: Head
) -> Iterator[tuple[int, pa.Table]]:
    """Segments of a store's recordings: clip, start, end, label, probability, unit.

    Each window names the time around its middle, half-way to the middles of its neighbours; the
    first and the last reach to the recording's ends. Windows of one label that follow each other
    are one segment, whose probability is their mean. What is none of the classes, or shows nobody,
    is left out: a gap.

    Args:
        store: the recordings.
        timing: of the windows.
        model: encoders.
        head: fitted on their embeddings.

    Yields:
        How many recordings are done, in the store's order, and the segments of the newest ones.
    """
    for rows in _parts(store, timing):
        windows = Windows.over(
            store.recordings(rows.tolist()), store.layout, timing.length[rows], timing.step[rows]
        )
        codes, probabilities = _judged(windows, model, head)
        yield (
            int(rows[-1]) + 1,
            _merged(store, rows, windows, codes, probabilities, head, timing),
        )


def _parts(store: ClipStore, timing: Timing) -> Iterator[NDArray[np.int64]]:
    """Recordings of about a thousand windows together."""
    windows = np.cumsum(store.column("frames") // timing.step + 1)
    part = windows // CHUNK
    yield from np.split(np.arange(len(store)), np.flatnonzero(np.diff(part)) + 1)


def _judged(
    windows: Windows, model: Model, head: Head
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class codes (W,), -1 for none, and their probabilities (W,)."""
    codes = np.full(len(windows), -1, np.int64)
    probabilities = np.zeros(len(windows))
    for start in range(0, len(windows), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(windows)))
        vectors, present = model.embed_present(windows, rows.tolist())
        answers = Answers.of(head, vectors[present])
        codes[rows[present]] = answers.codes
        probabilities[rows[present]] = answers.probabilities
    return codes, probabilities


def _merged(
    store: ClipStore,
    rows: NDArray[np.int64],
    windows: Windows,
    codes: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    head: Head,
    timing: Timing,
) -> pa.Table:
    starts, ends = _reach(windows, store.column("frames")[rows])
    clip = windows.clip
    new = np.ones(len(clip), bool)
    new[1:] = (clip[1:] != clip[:-1]) | (codes[1:] != codes[:-1])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(clip)) - 1
    mean = np.add.reduceat(probabilities, first) / (last - first + 1)
    kept = codes[first] >= 0
    first, last, mean = first[kept], last[kept], mean[kept]
    row = rows[clip[first]]
    return pa.table(
        {
            "clip": pa.array([store.names[i] for i in row], pa.string()),
            "start": starts[first] / timing.rate[row],
            "end": ends[last] / timing.rate[row],
            "label": pa.array(head.classes_[codes[first]].tolist(), pa.string()),
            "probability": mean,
            "unit": pa.array([timing.unit] * len(row), pa.string()),
        }
    )


def _reach(
    windows: Windows, frames: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the time begins and ends that each window names, in frames (W,) each."""
    clip = windows.clip
    middle = windows.begin + windows.whole.frames / 2
    between = (middle[1:] + middle[:-1]) / 2
    same = clip[1:] == clip[:-1]
    starts, ends = np.zeros(len(clip)), frames[clip].astype(np.float64)
    starts[1:][same] = between[same]
    ends[:-1][same] = between[same]
    return starts, ends
