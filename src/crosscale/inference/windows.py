"""Windows that slide over long recordings, as clips over the same rows: nothing is copied."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosscale.data.recordings import Recordings
from crosscale.skeleton.layout import Layout


@dataclass(frozen=True)
class Windows:
    """W windows of recordings, in the recordings' order, early ones first.

    Attributes:
        layout: of the recordings.
        whole: the windows as clips.
        clip: (W,) which recording each is of.
        begin: (W,) its first frame there.
    """

    layout: Layout
    whole: Recordings
    clip: NDArray[np.int64]
    begin: NDArray[np.int64]

    @classmethod
    def over(
        cls,
        recordings: Recordings,
        layout: Layout,
        length: NDArray[np.int64],
        step: NDArray[np.int64],
    ) -> "Windows":
        """Slide over each of N recordings; the last window ends with the recording.

        A recording shorter than a window is one window.

        Args:
            recordings: N of them.
            layout: theirs.
            length: (N,) frames of a window, 1 or more.
            step: (N,) frames from one window to the next, 1 or more.
        """
        room = np.maximum(recordings.frames - length, 0)  # places where a window may begin, less 1
        count = -(-room // step) + 1
        clip = np.repeat(np.arange(len(recordings)), count)
        number = np.arange(len(clip)) - np.repeat(np.cumsum(count) - count, count)
        begin = np.minimum(number * step[clip], room[clip])
        whole = Recordings(
            recordings.rows,
            recordings.first[clip] + begin * recordings.bodies[clip],
            np.minimum(length, recordings.frames)[clip],
            recordings.bodies[clip],
        )
        return cls(layout, whole, clip, begin)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.clip)

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The windows at `indices`, in that order."""
        return self.whole.part(np.asarray(indices, np.int64))
