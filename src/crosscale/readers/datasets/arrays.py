"""Arrays of clips that code bases of this field hand on, in their three forms.

- `train_position.npy`, `val_data_joint.npy` ... (N, 3, T, V, M) with `train_label.pkl`: ST-GCN,
  2s-AGCN, CrosSCLR, AimCLR;
- `NTU60_CS.npz` with x_train (N, T, M*V*3), y_train and the same for the test: CTR-GCN;
- `ntu60_3danno.pkl`, a list of annotations with keypoint (M, T, V, 3): PYSKL; and its
  `ntu60_hrnet.pkl`, keypoint (M, T, 17, 2) of pictures with keypoint_score (M, T, 17).

All fill absent bodies and the ends of clips with zeros; here these become absent again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from crosscale.data.bodies import not_found, refuse_far, single, with_gaps_filled
from crosscale.data.clip import Clip
from crosscale.data.detections import Detections
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, OwnRecordings
from crosscale.readers.by_name import known_layout
from crosscale.readers.datasets.array_sources import (
    ArraySource,
    is_joint_array,
    open_source,
    sources_below,
)
from crosscale.readers.datasets.ntu import NTU_ACTIONS, ntu_numbers
from crosscale.readers.files import beginning, faults_named, some_files
from crosscale.readers.mocap.space import InUnits, placed
from crosscale.readers.pose.estimated import people_in
from crosscale.readers.tables.numbered import class_names
from crosscale.utils.arrayfiles import names_in, release
from crosscale.utils.text import shown

# The first key of a pickled dict, with its length before it, or V in the oldest protocol.
_BEGINS = re.compile(rb"(\x05(\0{3})?|V)split|(\x0b(\0{3})?|V)annotations")
_DATA_SET = re.compile(r"ntu(?:[ _-]?rgbd?)?[ _-]?(60|120)", re.IGNORECASE)


@dataclass(frozen=True)
class Arrays(InUnits, OwnRecordings):
    """Arrays of one's own data, in the forms of the published code; labels are class numbers.

    Attributes:
        layout: layout of the joints, which the arrays do not say; empty takes coco17 for keypoints
            of pictures and ntu25 for joints in space.
        confidence: joints of pictures below it are missing; None takes 0.3.
    """

    layout: str = ""
    confidence: float | None = None

    def find(self, source: Path) -> list[Item]:
        """The clips of all arrays below `source`.

        Raises:
            CrosscaleError: when there are none, an array contradicts its labels or the layout, or
                two arrays hold a clip of the same name.
        """
        items: dict[str, Item] = {}
        for path in sources_below(source):
            for item in self._items(path, open_source(path)):
                other = items.setdefault(item.name, item)
                if other is not item:
                    raise CrosscaleError(
                        f"{other.path} and {path} both hold {item.name}; give a folder that holds "
                        "each clip once, such as that of one protocol"
                    )
        return sorted(items.values())

    def for_source(self, source: Path) -> Self:
        """This reader with its layout, by default that of the first array."""
        return replace(self, layout=self._layout(open_source(sources_below(source)[0])))

    def read(self, item: Item) -> Clip:
        """Take one clip out of its array; see `Reader`."""
        source = open_source(item.path)
        label = _class_names(item.path, source, self.classes)[item.index]
        numbers = ntu_numbers(item.name) or {}
        action = numbers.pop("action", None)
        named = f"A{action:03d}" if self.classes and action is not None else None
        if named and label not in (named, None):
            raise BadClip(
                f"{item.path.name}: {shown(item.name)} has the label {shown(label)}; do the labels "
                "count from 0?"
            )
        joints, where = known_layout(self._layout(source)).joints, shown(item.name)
        with faults_named(item.path):
            if source.size == 2:
                found = self._pictured(source, item.index, joints, where)
            else:
                coordinates, notes = _unpadded(source.clip(item.index), where)
                for array in source.arrays:  # else an array larger than memory would fill it
                    release(array)
                found = with_gaps_filled(self.placed(coordinates), joints, where)
                found = replace(found, notes=(*notes, *found.notes))
            return found.clip(
                item.name, label=label or named, part=source.parts[item.index], **numbers
            )

    @classmethod
    def recognises(cls, source: Path) -> str | None:
        """How one sees that a source holds arrays of this data set, or None.

        The name of a file or of its folder tells which data set it is.
        """
        files = some_files(source, (".npy", ".npz", ".pkl"))
        named = (_DATA_SET.search(f"{path.resolve().parent.name}/{path.name}") for path in files)
        kind = next((f"ntu{found[1]}" for found in named if found), "own")
        return next(filter(None, map(_reason, files)), None) if kind == cls.name else None

    def _items(self, path: Path, source: ArraySource) -> Iterable[Item]:
        layout = self._layout(source)
        joints = len(known_layout(layout).joints)
        if source.joints != joints:
            raise CrosscaleError(
                f"{path}: {source.joints} joints, layout {layout} has {joints}; name the "
                "layout with --layout"
            )
        _class_names(path, source, self.classes)
        return (Item(name, path, index) for index, name in enumerate(source.names))

    def _layout(self, source: ArraySource) -> str:
        return self.layout or ("coco17" if source.size == 2 else "ntu25")

    def _pictured(
        self, source: ArraySource, index: int, joints: tuple[str, ...], where: str
    ) -> Bodies:
        """The people of a clip as a pose estimator found them in pictures."""
        places, scores = source.clip(index), source.scores(index)
        there = (places != 0).any((2, 3))
        found = not_found(places[there])
        detections = Detections(
            names=joints,
            frame=np.nonzero(there)[0],
            joints=placed(single(found), None, self.up or "-y"),
            confidence=None if scores is None else scores[there],
        )
        return people_in(detections, joints, where, confidence=self.confidence)


class Ntu60Arrays(Arrays):
    """Arrays of NTU RGB+D 60, as the published codes prepare them."""

    name, classes = "ntu60", NTU_ACTIONS[:60]


class Ntu120Arrays(Arrays):
    """Arrays of NTU RGB+D 120, as the published codes prepare them."""

    name, classes = "ntu120", NTU_ACTIONS


def _reason(path: Path) -> str | None:
    """How one sees that a file holds arrays of this field's code bases, or None."""
    if is_joint_array(path):
        return f"{path.name} is named as in ST-GCN and its kin"
    if "x_train" in names_in(path):
        return f"{path.name} has an array x_train, as CTR-GCN writes"
    # The names of a large set's splits come before the first annotation.
    if path.suffix == ".pkl" and _BEGINS.search(beginning(path)[:64]):
        return f"{path.name} is a pickle of annotations, as PYSKL writes"
    return None


@lru_cache(maxsize=8)
def _class_names(
    path: Path, source: ArraySource, classes: tuple[str, ...] | None
) -> list[str | None]:
    """Names of N classes, None where a clip has no label."""
    given = [label for label in source.labels if label is not None]
    names = iter(class_names(given, str(path), classes) if given else [])
    return [None if label is None else next(names) for label in source.labels]


def _unpadded(padded: np.ndarray, origin: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cut frames of zeros off the end, and mark absent what else is zero in all joints.

    Args:
        padded: (T, M, V, 3) metres.
        origin: what to call the clip in messages.

    Returns:
        (T', M', V, 3) with NaN for absent, and what was noticed.
    """
    there = np.asarray((padded != 0).any(axis=(2, 3)))
    if not there.any():
        raise BadClip(f"{origin} shows no body in any frame")
    refuse_far(padded, origin)
    length = int(np.flatnonzero(there.any(axis=1))[-1]) + 1
    bodies = np.flatnonzero(there.any(axis=0))
    coordinates = single(padded[:length, bodies])
    coordinates[~there[:length, bodies]] = np.nan
    empty = int((~there[:length].any(axis=1)).sum())
    return coordinates, (f"empty frames inside: {empty}",) if empty else ()
