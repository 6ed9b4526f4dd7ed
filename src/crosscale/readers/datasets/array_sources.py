"""Opening the array files of `arrays.py`, so that one clip after the other can be taken out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.readers.files import kept_open, paths_below, refuse_absent
from crosscale.readers.safe.pickles import load_pickle
from crosscale.readers.tables.numbered import refuse_no_text, refuse_shifted
from crosscale.utils.arrayfiles import open_array, open_arrays
from crosscale.utils.text import shown

# bone and motion arrays lie beside these; they are no coordinates
_ARRAY = re.compile(r"(train|val|test)_(position|data|data_joint)\.npy")
_LABELS = "_label.pkl"
_SEQUENCES = (list, tuple, np.ndarray)
_TEST = {"val": "test", "test": "test", "train": "train"}


@dataclass(frozen=True, eq=False)
class ArraySource:
    """One file that holds many clips.

    Attributes:
        names: N clip names.
        labels: N class numbers or names, None where a clip has none.
        parts: "train", "test" or None for each clip.
        joints: V.
        clip: gives the coordinates of a clip by its index, (T, M, V, C), filled with zeros; in a
            picture C = 2 and y points down.
        arrays: from which they are taken.
        size: C.
        scores: gives how sure a pose estimator was of a clip's joints, (T, M, V), or None.
    """

    names: Sequence[str]
    labels: Sequence[Any]
    parts: Sequence[str | None]
    joints: int
    clip: Callable[[int], np.ndarray]
    arrays: Sequence[np.ndarray] = ()
    size: int = 3
    scores: Callable[[int], np.ndarray | None] = lambda index: None


def sources_below(source: Path) -> list[Path]:
    """The files in a folder and its folders that hold clips, or the file itself.

    Raises:
        CrosscaleError: when there are none.
    """
    refuse_absent(source)
    if source.is_file():
        return [source]
    files = [
        path
        for path in paths_below(source, (".npz", ".npy", ".pkl"))
        if not path.name.endswith(_LABELS) and (path.suffix != ".npy" or is_joint_array(path))
    ]
    if not files:
        raise CrosscaleError(
            f"{source} has neither train_position.npy (or train_data.npy, train_data_joint.npy) "
            "nor npz files with x_train nor pkl files of annotations"
        )
    return sorted(files)


@kept_open(most=8)
def open_source(path: Path) -> ArraySource:
    """Open a file of clips, whichever form it has; arrays are mapped, not loaded.

    Raises:
        CrosscaleError: when the file, or its file of labels, is not of that form.
    """
    forms = {".npy": _open_npy, ".npz": _open_npz, ".pkl": _open_annotations}
    if path.suffix not in forms:
        raise CrosscaleError(f"{path} is neither npy, npz nor pkl")
    source = forms[path.suffix](path)
    names, labels = len(source.names), len(source.labels)
    if names != labels or names == 0:
        raise CrosscaleError(f"{path}: {names} clips and {labels} labels")
    return source


def is_joint_array(path: Path) -> bool:
    """Whether a file is named as ST-GCN and its kin name arrays of joints."""
    return _ARRAY.fullmatch(path.name) is not None


def _open_npy(path: Path) -> ArraySource:
    array = open_array(path)
    if array.ndim != 5 or array.shape[1] != 3:
        raise CrosscaleError(f"{path}: shape {array.shape}, not (clips, 3, frames, joints, bodies)")
    _refuse_other_than_numbers(str(path), array)
    part, _, _ = path.name.partition("_")
    beside = path.with_name(part + _LABELS)
    if beside.exists():
        names, labels = _names_and_labels(beside)
    else:
        names, labels = _counted(part, len(array)), [None] * len(array)
    if len(names) != len(array):
        raise CrosscaleError(
            f"{path}: {len(array)} clips, but {len(names)} names in {part}{_LABELS}"
        )
    return ArraySource(
        names=names,
        labels=labels,
        parts=[_TEST.get(part)] * len(names),
        joints=array.shape[3],
        clip=lambda index: np.asarray(array[index]).transpose(1, 3, 2, 0),
        arrays=[array],
    )


def _counted(part: str, count: int) -> list[str]:
    """Names of clips that have none of their own."""
    return [f"{part}_{i:06d}" for i in range(count)]


def _names_and_labels(path: Path) -> tuple[list[str], Sequence[Any]]:
    content = load_pickle(path)
    if not isinstance(content, list | tuple) or len(content) != 2:
        raise CrosscaleError(f"{path} does not hold names and labels")
    for one in content:
        if isinstance(one, np.ndarray):
            refuse_no_text(one, str(path))
    names, labels = (one.tolist() if isinstance(one, np.ndarray) else one for one in content)
    if not _are_names(names):
        raise CrosscaleError(f"{path}: the names are no list of texts, or one is empty")
    return [name.removesuffix(".skeleton") for name in names], _labels(path, labels)


def _are_names(names: Any) -> bool:
    return isinstance(names, list | tuple) and all(name and isinstance(name, str) for name in names)


def _labels(path: Path, labels: Any) -> Sequence[Any]:
    """N labels of one kind, numbers or names, or None."""
    # lists in lists, each there twice, would make numpy fill all memory
    if isinstance(labels, list | tuple) and not any(isinstance(n, _SEQUENCES) for n in labels):
        given = np.asarray([label for label in labels if label is not None])
        if given.dtype.kind in "biufUS":
            return labels
    raise CrosscaleError(f"{path}: the labels are no list of numbers or of names")


def _refuse_other_than_numbers(origin: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "iuf":
        raise CrosscaleError(f"{origin}: holds {shown(array.dtype)}, not numbers")


def _open_npz(path: Path) -> ArraySource:
    arrays = open_arrays(path)
    parts = [part for part in ("train", "test") if f"x_{part}" in arrays]
    if not parts:
        raise CrosscaleError(
            f"{path} has neither x_train nor x_test; it has {shown(', '.join(arrays), 200)}"
        )
    clips = [arrays[f"x_{part}"] for part in parts]
    for array in clips:
        if array.ndim != 3 or array.shape[2] % 6:
            raise CrosscaleError(
                f"{path}: shape {array.shape}, not (clips, frames, 2 bodies * joints * 3)"
            )
        _refuse_other_than_numbers(str(path), array)
    joints = clips[0].shape[2] // 6
    places = [(k, i) for k, array in enumerate(clips) for i in range(len(array))]

    def clip(index: int) -> np.ndarray:
        k, i = places[index]
        return np.asarray(clips[k][i]).reshape(-1, 2, joints, 3)

    labels = [
        _class_numbers(path, arrays[key]).tolist() if key in arrays else [None] * len(own)
        for key, own in zip((f"y_{part}" for part in parts), clips, strict=True)
    ]
    refuse_shifted({f"{path}: y_{part}": own for part, own in zip(parts, labels, strict=True)})
    return ArraySource(
        names=[
            name
            for part, own in zip(parts, clips, strict=True)
            for name in _counted(part, len(own))
        ],
        labels=[label for own in labels for label in own],
        parts=[parts[k] for k, _ in places],
        joints=joints,
        clip=clip,
        arrays=clips,
    )


def _class_numbers(path: Path, labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 1:
        return labels
    hot = labels == 1
    if labels.ndim != 2 or not (hot.sum(axis=1) == 1).all() or not (hot | (labels == 0)).all():
        raise CrosscaleError(f"{path}: the labels are neither numbers nor one-hot rows")
    return hot.argmax(axis=1)


def _open_annotations(path: Path) -> ArraySource:
    content = load_pickle(path)
    annotations = content.get("annotations") if isinstance(content, Mapping) else None
    if not isinstance(annotations, list) or not annotations:
        raise CrosscaleError(f"{path} does not hold a dict with a list of annotations")
    for place, annotation in enumerate(annotations):
        _check_annotation(f"{path}: annotation {place}", annotation)
    shapes = {annotation["keypoint"].shape[2:] for annotation in annotations}
    if len(shapes) > 1:
        raise CrosscaleError(
            f"{path}: keypoints of (joints, numbers a joint) {min(shapes)} and of {max(shapes)}"
        )
    joints, size = shapes.pop()
    names = [annotation["frame_dir"] for annotation in annotations]
    part_of = _parts(path, content.get("split"))
    return ArraySource(
        names=names,
        labels=_labels(path, [annotation.get("label") for annotation in annotations]),
        parts=[part_of.get(name) for name in names],
        joints=joints,
        clip=lambda index: np.asarray(annotations[index]["keypoint"]).transpose(1, 0, 2, 3),
        size=size,
        scores=lambda index: _scores(annotations[index]),
    )


def _scores(annotation: Mapping[str, Any]) -> np.ndarray | None:
    scores = annotation.get("keypoint_score")
    return None if scores is None else np.asarray(scores).transpose(1, 0, 2)


def _check_annotation(origin: str, annotation: Any) -> None:
    wanted = {"frame_dir", "keypoint"}
    if not isinstance(annotation, Mapping) or not wanted <= annotation.keys():
        raise CrosscaleError(f"{origin} lacks one of {', '.join(sorted(wanted))}")
    if not _are_names([annotation["frame_dir"]]):
        raise CrosscaleError(f"{origin}: frame_dir is no text, or empty")
    keypoint = annotation["keypoint"]
    shape = np.shape(keypoint)
    if not isinstance(keypoint, np.ndarray) or len(shape) != 4 or shape[3] not in (2, 3):
        raise CrosscaleError(
            f"{origin}: keypoint has shape {shape}, not (bodies, frames, joints, 2 or 3)"
        )
    _refuse_other_than_numbers(origin, keypoint)
    scores = annotation.get("keypoint_score")
    if scores is not None:
        if np.shape(scores) != shape[:3]:
            raise CrosscaleError(
                f"{origin}: keypoint_score has shape {np.shape(scores)}, not {shape[:3]}"
            )
        _refuse_other_than_numbers(f"{origin}: keypoint_score", np.asarray(scores))
    frames = annotation.get("total_frames", shape[1])
    if not isinstance(frames, int | np.integer) or frames != shape[1]:
        raise CrosscaleError(f"{origin}: {shape[1]} frames, but total_frames is {shown(frames)}")


def _parts(path: Path, split: Any) -> dict[str, str]:
    """Parts by clip name, where there is one split; those of NTU follow from the names."""
    if not isinstance(split, Mapping) or not split.keys() <= _TEST.keys():
        return {}
    for part, names in split.items():
        if not _are_names(names):
            raise CrosscaleError(f"{path}: split {part} is no list of clip names")
    return {name: _TEST[part] for part, names in split.items() for name in names}
