"""Frozen features of a data set's clips, kept on disk so that an encoder runs over it once."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscale.errors import CrosscaleError
from crosscale.utils.arrayfiles import open_arrays
from crosscale.utils.files import atomic_path
from crosscale.utils.formats import refuse_other_version
from crosscale.utils.text import listed

FORMAT = "crosscale features 2"
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Features:
    """One vector per clip and stream, in one order of clips for all streams.

    Attributes:
        names: (N,) unique clip names.
        labels: (N,) int64 indices into `classes`; -1 for a clip without a label.
        classes: (K,) class names.
        vectors: for each stream, (N, D) float32; D may differ between streams.
        parts: for streams whose vectors hold several things side by side, such as what was read of
            each block, their lengths, which add up to D.

    Raises:
        CrosscaleError: when the parts do not fit together; the message says where.
    """

    names: Sequence[str]
    labels: NDArray[np.int64]
    classes: Sequence[str]
    vectors: Mapping[str, NDArray[np.float32]]
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "classes", tuple(self.classes))
        _check_unique("clip", self.names)
        _check_unique("class", self.classes)
        _check_labels(self.labels, len(self.names), len(self.classes))
        if not self.vectors:
            raise CrosscaleError("features need at least one stream")
        for stream, vectors in self.vectors.items():
            _check_vectors(stream, vectors, self.names)
        several = {stream: parts for stream, parts in self.parts.items() if len(parts) > 1}
        object.__setattr__(self, "parts", several)
        for stream, parts in several.items():
            if sum(parts) != self.vectors[stream].shape[1]:
                raise CrosscaleError(f"stream {stream!r}: parts of {parts} do not fit its vectors")

    def __len__(self) -> int:
        return len(self.names)

    def select(self, indices: NDArray[np.int64] | Sequence[int]) -> "Features":
        """The clips at `indices`, in that order."""
        rows = np.asarray(indices, dtype=np.int64)
        return Features(
            names=[self.names[row] for row in rows],
            labels=self.labels[rows],
            classes=self.classes,
            vectors={stream: vectors[rows] for stream, vectors in self.vectors.items()},
            parts=self.parts,
        )

    def fingerprint(self) -> str:
        """SHA-256 over names, labels, classes, vectors and their parts."""
        digest = hashlib.sha256()
        header: list[object] = [list(self.names), list(self.classes), list(self.vectors)]
        if self.parts:
            header.append({stream: list(parts) for stream, parts in self.parts.items()})
        digest.update(json.dumps(header).encode())
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        for vectors in self.vectors.values():
            digest.update(repr(vectors.shape).encode())
            digest.update(np.ascontiguousarray(vectors, dtype="<f4").data)
        return digest.hexdigest()

    def save(self, path: Path | str, key: str) -> None:
        """Write an npz file (no pickle), whole or not at all.

        Args:
            path: the file to write or replace.
            key: what the features were computed from, see `features_key`.
        """
        vectors = {f"vectors_{i}": array for i, array in enumerate(self.vectors.values())}
        parts = {
            f"parts_{i}": np.array(self.parts[stream])
            for i, stream in enumerate(self.vectors)
            if stream in self.parts
        }
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                format=np.array(FORMAT),
                key=np.array(key),
                fingerprint=np.array(self.fingerprint()),
                names=np.array(self.names, dtype=np.str_),
                labels=self.labels,
                classes=np.array(self.classes, dtype=np.str_),
                streams=np.array(list(self.vectors), dtype=np.str_),
                allow_pickle=False,
                **vectors,
                **parts,
            )

    @classmethod
    def load(cls, path: Path | str, key: str | None = None) -> "Features":
        """Read a file that `save` wrote.

        Raises:
            CrosscaleError: when the file is absent, damaged, of another format, or (with `key`)
                was computed from something else.
        """
        if not Path(path).exists():
            raise CrosscaleError(f"{path} does not exist; extract the features first")
        try:
            parts = open_arrays(path)
        except CrosscaleError as error:
            raise CrosscaleError(f"{path} is damaged or no npz file; delete it") from error
        refuse_other_version(Path(path), str(parts.get("format")), FORMAT, "delete it")
        if str(parts.get("format")) != FORMAT:
            raise CrosscaleError(f"{path} holds no features in the format {FORMAT!r}; delete it")
        vectors = [name for name in parts if name.startswith("vectors_")]
        if lost := {"key", "fingerprint", "names", "labels", "classes", "streams"} - parts.keys():
            raise CrosscaleError(f"{path} lacks {', '.join(sorted(lost))}; delete it")
        if key is not None and str(parts["key"]) != key:
            raise CrosscaleError(f"{path} was computed from another checkpoint, store or setting")
        streams = [str(stream) for stream in parts["streams"]]
        if len(streams) != len(vectors):
            raise CrosscaleError(f"{path} holds other streams than it names; delete it")
        features = cls(
            names=[str(name) for name in parts["names"]],
            labels=parts["labels"],
            classes=[str(name) for name in parts["classes"]],
            vectors={stream: parts[f"vectors_{i}"] for i, stream in enumerate(streams)},
            parts={
                stream: tuple(parts[f"parts_{i}"].tolist())
                for i, stream in enumerate(streams)
                if f"parts_{i}" in parts
            },
        )
        if features.fingerprint() != str(parts["fingerprint"]):
            raise CrosscaleError(f"{path} does not match its checksum; delete it")
        return features


def features_key(**sources: object) -> str:
    """One hash for everything that features depend on.

    Args:
        **sources: JSON values, e.g. `checkpoint` and `store` hashes and `preprocessing`.
    """
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()


def cached_features(path: Path | str, key: str, extract: Callable[[], Features]) -> Features:
    """The features saved under `path` if they carry `key` and are whole, else extracted anew."""
    try:
        return Features.load(path, key)
    except CrosscaleError:  # absent, damaged or of other sources: all are mended by extracting
        features = extract()
        features.save(path, key)
        return features


def merge_features(parts: Mapping[str, Features]) -> Features:
    """Put the streams of several runs side by side, joined by clip name.

    Args:
        parts: features by a title for their run; a stream `joint` of `run-a` becomes
            `run-a/joint` where two runs have a stream of the same name.

    Raises:
        CrosscaleError: when the runs' clips, classes or labels differ.
    """
    first = next(iter(parts.values()))
    rows = {title: _align(first.names, part.names, title) for title, part in parts.items()}
    for title, part in parts.items():
        if part.classes != first.classes:
            raise CrosscaleError(f"{title} has other classes than {next(iter(parts))}")
        if not np.array_equal(part.labels[rows[title]], first.labels):
            raise CrosscaleError(f"{title} labels some clips otherwise than {next(iter(parts))}")
    titles = stream_titles({title: list(part.vectors) for title, part in parts.items()})
    vectors = {
        titles[title, stream]: array[rows[title]]
        for title, part in parts.items()
        for stream, array in part.vectors.items()
    }
    within = {
        titles[title, stream]: lengths
        for title, part in parts.items()
        for stream, lengths in part.parts.items()
    }
    return Features(first.names, first.labels, first.classes, vectors, within)


def stream_titles(runs: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], str]:
    """One title for each run's streams: `joint`, or `run/joint` where two runs have that stream."""
    streams = [stream for own in runs.values() for stream in own]
    return {
        (run, stream): f"{run}/{stream}" if streams.count(stream) > 1 else stream
        for run, own in runs.items()
        for stream in own
    }


def _align(wanted: Sequence[str], names: Sequence[str], title: str) -> NDArray[np.int64]:
    """Where each wanted name lies in `names`; both must hold the same names."""
    places = {name: i for i, name in enumerate(names)}
    if missing := [name for name in wanted if name not in places]:
        raise CrosscaleError(f"{title} lacks {listed(missing)}")
    if extra := places.keys() - set(wanted):
        raise CrosscaleError(f"{title} has {listed(sorted(extra))}, which the others lack")
    return np.array([places[name] for name in wanted], dtype=np.int64)


def _check_unique(kind: str, names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise CrosscaleError(f"{kind} names must be unique; more than once: {listed(twice)}")


def _check_labels(labels: NDArray[np.int64], clips: int, classes: int) -> None:
    if labels.shape != (clips,) or labels.dtype != np.int64:
        raise CrosscaleError(
            f"labels must be {clips} whole numbers (int64), one per clip; "
            f"got shape {labels.shape} of {labels.dtype}"
        )
    wrong = np.unique(labels[(labels < UNLABELLED) | (labels >= classes)])
    if len(wrong):
        raise CrosscaleError(
            f"labels {listed(wrong.tolist())} do not fit {classes} classes: "
            f"allowed are 0 to {classes - 1}, and -1 for an unlabelled clip"
        )


def _check_vectors(stream: str, vectors: NDArray[np.float32], names: Sequence[str]) -> None:
    if vectors.ndim != 2 or len(vectors) != len(names) or vectors.dtype != np.float32:
        raise CrosscaleError(
            f"stream {stream!r}: vectors must be ({len(names)}, D) float32, "
            f"got {vectors.shape} of {vectors.dtype}"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise CrosscaleError(
            f"stream {stream!r}: infinite or not-a-number features of "
            f"{listed(names[row] for row in bad.tolist())}; the encoder or these clips are broken"
        )
