"""Subclips of labelled clips, from which a head learns to name windows of long recordings.

A window that slides over a long recording seldom shows an action from its beginning to its end. A
head that knows whole clips alone takes such a window for none of its classes, or for another one.
"""

import numpy as np
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.inference.windows import Windows
from crosscale.models.model import CHUNK
from crosscale.models.side_by_side import Embedder
from crosscale.utils.progress import tracked

SHARES = (0.5, 0.7)  # of a clip's frames
AT_ONCE = CHUNK // 3  # clips, each of about three subclips
FEWEST = 2  # frames: a still shows no movement


def embed_subclips(
    model: Embedder, store: ClipStore, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings of the beginning, the middle and the end of clips, at two lengths.

    Args:
        model: encoders.
        store: of the clips.
        rows: (n,) of the clips.

    Returns:
        Embeddings (S, D) of the subclips that show anybody, and the row (S,) of the clip of each.

    Raises:
        BadClip: when the encoder makes nothing of a subclip that shows somebody.
    """
    vectors, clips = [np.empty((0, model.dim), np.float32)], [np.empty(0, np.int64)]
    frames = store.column("frames")
    for share in SHARES:
        starts = range(0, len(rows), AT_ONCE)
        for start in tracked(starts, "embedding subclips", len(starts)):
            some = rows[start : start + AT_ONCE]
            length = np.maximum(FEWEST, (share * frames[some]).astype(np.int64))
            step = np.maximum(1, -(-(frames[some] - length) // 2))
            cut = Windows.over(store.recordings(some.tolist()), store.layout, length, step)
            embedded, shown = model.embed_present(cut, range(len(cut)))
            vectors.append(embedded[shown])
            clips.append(some[cut.clip[shown]])
    return np.concatenate(vectors), np.concatenate(clips)
