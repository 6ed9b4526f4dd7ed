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
from crosscale.models.model import CHUNK
from crosscale.models.side_by_side import Embedder
from crosscale.utils.progress import tracked
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
            told = (
                f"; {store.path} has no frame rates, so both count frames: say --window 40 --step "
                "10, or prepare it with --frame-rate"
                if unknown.all()
                else ""
            )
            raise CrosscaleError(
                f"a window of {window:g} {unit} and a step of {step:g} {unit} are too short: a "
                f"window needs two frames, a step one{told}"
            )
        return cls(length, stride, rate, unit)


def segment(store: ClipStore, timing: Timing, model: Embedder, head: Head) -> Iterator[pa.Table]:
    """Segments of a store's recordings: clip, start, end, label, probability, unit.

    The middle of a window is named by the mean of all windows that contain it, and is none of the
    classes where most of these are. It speaks for the time half-way to its neighbours, the first
    and the last one to the recording's ends. Neighbours of one label are one segment, whose
    probability is their mean. What is none of the classes is left out: a gap. So are frames that
    show nobody, as many in a row as a step or more, whatever the windows around them show.

    Yields:
        The segments of each recording, in the store's order.
    """
    frames = store.column("frames")
    for row, name in enumerate(tracked(store.names, "segmenting recordings", len(store))):
        windows = Windows.over(
            store.recordings([row]), store.layout, timing.length[[row]], timing.step[[row]]
        )
        reach = int(windows.whole.frames[0] // (2 * timing.step[row]))
        codes, probabilities = _smoothed(*_judged(windows, model, head), reach)
        middle = windows.begin + windows.whole.frames / 2
        ends = np.concatenate([[0], (middle[1:] + middle[:-1]) / 2, [frames[row]]])
        edges, window, nobody = _parts(ends, _absences(store.coordinates(row), timing.step[row]))
        first, last, mean = _runs(np.where(nobody, -1, codes[window]), probabilities[window])
        edges = edges / timing.rate[row]
        yield pa.table(
            {
                "clip": pa.array([name] * len(first), pa.string()),
                "start": edges[first],
                "end": edges[last + 1],
                "label": pa.array(head.classes_[codes[first]].tolist(), pa.string()),
                "probability": mean,
                "unit": pa.array([timing.unit] * len(first), pa.string()),
            }
        )


def _judged(
    windows: Windows, model: Embedder, head: Head
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Probabilities (W, K), and which windows are familiar and show anybody, (W,) each."""
    probabilities = np.zeros((len(windows), len(head.classes_)))
    known, shown = np.zeros((2, len(windows)), bool)
    for start in range(0, len(windows), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(windows)))
        vectors, present = model.embed_present(windows, rows.tolist())
        if present.any():
            rows = rows[present]
            probabilities[rows], known[rows] = head.answer(vectors[present])
            shown[rows] = True
    return probabilities, known, shown


def _smoothed(
    probabilities: NDArray[np.float64],
    known: NDArray[np.bool_],
    shown: NDArray[np.bool_],
    reach: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Codes (W,), -1 for none, and probabilities (W,) from the windows around each one's middle.

    Args:
        probabilities: (W, K).
        known: (W,) whether a window is familiar.
        shown: (W,) whether it shows anybody; only such windows count.
        reach: how many windows before and after contain a window's middle.
    """
    at = np.arange(len(known))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(known))

    def sums(values: NDArray[Any]) -> NDArray[np.float64]:
        total = np.zeros((len(values) + 1, *values.shape[1:]))
        np.cumsum(values, axis=0, out=total[1:])
        return total[high] - total[low]

    count = sums(shown)
    mean = sums(probabilities * shown[:, None]) / np.maximum(count, 1)[:, None]
    best = mean.argmax(axis=1)
    named = shown & (2 * sums(known & shown) >= count)
    return np.where(named, best, -1), mean[at, best]


def _runs(
    codes: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """First and last part (S,) of each run of one class, and its mean probability (S,)."""
    first = np.flatnonzero(np.diff(codes, prepend=-2))
    last = np.append(first[1:], len(codes)) - 1
    mean = np.add.reduceat(probabilities, first) / (last - first + 1)
    kept = codes[first] >= 0
    return first[kept], last[kept], mean[kept]


def _absences(coordinates: NDArray[np.float32], least: np.int64) -> NDArray[np.int64]:
    """Where runs of frames that show nobody begin and end (A, 2), those of so many frames or more.

    Args:
        coordinates: (T, M, V, C), NaN where a body is absent.
        least: frames.
    """
    absent = ~np.isfinite(coordinates).any(axis=(1, 2, 3))
    changes = np.flatnonzero(np.diff(absent, prepend=False, append=False)).reshape(-1, 2)
    return changes[np.diff(changes, axis=1)[:, 0] >= least]


def _parts(
    ends: NDArray[np.float64], absences: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """The time of a recording, cut where windows or absences end.

    Args:
        ends: of the time that each window names, frames (W + 1,).
        absences: where each begins and ends (A, 2).

    Returns:
        Edges of the parts, frames (P + 1,); the window (P,) that names each; whether nobody is
        there (P,).
    """
    edges = np.union1d(ends, absences)
    middle = (edges[1:] + edges[:-1]) / 2
    window = np.searchsorted(ends, middle) - 1
    return edges, window, np.searchsorted(absences.ravel(), middle) % 2 == 1
