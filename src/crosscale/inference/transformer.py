"""Clips to embeddings as a step of scikit-learn, before a head or any other estimator."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.models.clips import Clips
from crosscale.models.model import Model, load


class SkeletonEmbedder(TransformerMixin, BaseEstimator):
    """Embeds clips with a trained encoder, which learns nothing here.

        make_pipeline(SkeletonEmbedder("body", layout="kinect20"), LinearHead()).fit(clips, labels)

    Clips are a list or an array of objects, so that cross-validation can take some of them; see
    `crosscale.models.model.Model.embed` for what a clip is. The encoder is loaded when it is first
    needed; copies and pickles hold its name only, and look for it where they are.

    Attributes:
        fingerprint_: SHA-256 of the encoder's file when it was fitted.
        dims_: length of each stream's block in an embedding.
    """

    def __init__(
        self, model: str = "body", *, layout: str | None = None, device: str = "cpu"
    ) -> None:
        """Remember what to embed with.

        Args:
            model: a run folder, its encoder file, `body` (which comes with the package), or
                `user/model` on the Hugging Face hub.
            layout: of the clips, a name or a file; None is the encoder's own.
            device: cpu or cuda.
        """
        self.model = model
        self.layout = layout
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Look at the encoder; clips and classes are not looked at.

        Raises:
            CrosscaleError: when there is no such encoder.
        """
        model = self._encoder()
        self.fingerprint_, self.dims_ = model.fingerprint, model.dims
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embeddings (N, D) float32 of N clips, each of length 1.

        Raises:
            CrosscaleError: when the clips do not fit the layout, that does not fit the encoder, or
                the encoder is another one than in `fit`.
            BadClip: when a clip is broken or shows nobody that could be embedded.
        """
        check_is_fitted(self)
        model = self._encoder()
        if model.fingerprint != self.fingerprint_:
            raise CrosscaleError(f"{self.model} is another encoder than when this was fitted")
        return model.embed(_clips(X), self.layout)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names (D,) of an embedding's numbers: stream and place in its block."""
        check_is_fitted(self)
        names = [f"{stream}_{i}" for stream, width in self.dims_.items() for i in range(width)]
        return np.array(names, dtype=object)

    def _encoder(self) -> Model:
        wanted = (self.model, self.device)
        loaded: tuple[Any, Model] | None = self.__dict__.get("_loaded")
        if loaded is None or loaded[0] != wanted:
            loaded = self._loaded = wanted, load(self.model, device=self.device)
        return loaded[1]

    def __getstate__(self) -> dict[str, Any]:
        """All but the encoder."""
        return {name: v for name, v in super().__getstate__().items() if name != "_loaded"}

    def __sklearn_tags__(self) -> Tags:
        """Clips have four dimensions and gaps."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags


def _clips(X: Any) -> Clips:
    """A store as it is; of an array the first axis is the clips, as everywhere in scikit-learn."""
    if isinstance(X, ClipStore):
        return X
    if isinstance(X, np.ndarray) and X.ndim != 1:  # of one shape, perhaps as objects
        if X.ndim < 4:
            raise ValueError(f"X has shape {X.shape}, and clips (clips, frames, joints, 3)")
        X = X.astype(np.float32)
    return list(X)
