"""What happens when in long recordings: windows are named, and equal neighbours become one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.inference.head import Head
from crosscale.inference.windows import Windows
from crosscale.models.model import CHUNK, Model
from crosscale.utils.text import listed


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

    The middle of a window is named by the mean of all windows that contain it, and is none of the
    classes where most of these are. It speaks for the time half-way to its neighbours, the first
    and the last one to the recording's ends. Neighbours of one label are one segment, whose
    probability is their mean. What is none of the classes, or shows nobody, is left out: a gap.

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
        codes, probabilities = _judged(windows, timing.step[rows], model, head)
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
    windows: Windows, step: NDArray[np.int64], model: Model, head: Head
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class codes (W,), -1 for none, and their probabilities (W,)."""
    probabilities = np.zeros((len(windows), len(head.classes_)))
    known, shown = np.zeros((2, len(windows)), bool)
    for start in range(0, len(windows), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(windows)))
        vectors, present = model.embed_present(windows, rows.tolist())
        if present.any():
            rows = rows[present]
            probabilities[rows], known[rows] = head.answer(vectors[present])
            shown[rows] = True
    reach = windows.whole.frames // (2 * step[windows.clip])
    return _smoothed(probabilities, known, shown, windows.clip, reach)


def _smoothed(
    probabilities: NDArray[np.float64],
    known: NDArray[np.bool_],
    shown: NDArray[np.bool_],
    clip: NDArray[np.int64],
    reach: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Codes and probabilities (W,) from the windows around each one's middle.

    Args:
        probabilities: (W, K).
        known: (W,) whether a window is familiar.
        shown: (W,) whether it shows anybody; only such windows count.
        clip: (W,) recording of each.
        reach: (W,) how many windows before and after contain the middle.
    """
    at = np.arange(len(clip))
    low = np.maximum(at - reach, np.searchsorted(clip, clip, "left"))
    high = np.minimum(at + reach + 1, np.searchsorted(clip, clip, "right"))

    def sums(values: NDArray[Any]) -> NDArray[np.float64]:
        total = np.zeros((len(values) + 1, *values.shape[1:]))
        np.cumsum(values, axis=0, out=total[1:])
        return total[high] - total[low]

    count = sums(shown)
    mean = sums(probabilities * shown[:, None]) / np.maximum(count, 1)[:, None]
    best = mean.argmax(axis=1)
    named = shown & (2 * sums(known & shown) >= count)
    return np.where(named, best, -1), mean[at, best]


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
