"""MultiRocket, the strongest features that need no training, where the library `aeon` is installed.

Source: Tan, Dempster, Bergmeir and Webb, "MultiRocket: multiple pooling operators and
transformations for fast and effective time series classification" (DMKD 2022), as aeon has it.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from crosscale.data.conversion import in_layout
from crosscale.data.store import ClipStore
from crosscale.encoders.base import mean_over_bodies
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import load_encoders
from crosscale.models.hub import resolve
from crosscale.transforms.preprocess import load

MULTIROCKET = "MultiRocket"


def multirocket_vectors(store: ClipStore, train: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """MultiRocket's features of clips as the encoder `rocket` sees them, averaged over bodies.

    Args:
        store: the whole data set.
        train: rows of clips, without labels, whose answers give the kernels their biases.

    Returns:
        (N, 49,728); None where aeon is not installed, or `rocket` cannot take the clips' layout.
    """
    try:
        from aeon.transformations.collection.convolution_based import MultiRocket
    except ImportError:
        return None
    rocket = load_encoders(resolve("rocket"))
    try:
        source = in_layout(store, rocket.layout)
    except CrosscaleError:
        return None
    clips = load(source, range(len(store)), rocket.preprocess)
    clip, body = clips.body_mask.nonzero(as_tuple=True)
    series = clips.coordinates.permute(0, 4, 1, 3, 2)[clip, body].flatten(1, 2).numpy()
    kernels = MultiRocket(random_state=0).fit(series[np.isin(clip.numpy(), train)])
    features = torch.from_numpy(np.asarray(kernels.transform(series), np.float32))
    return mean_over_bodies(features, clip, len(store)).numpy()
