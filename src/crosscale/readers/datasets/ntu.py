"""NTU RGB+D 60 and 120, and own recordings in the same `.skeleton` format.

Shahroudy et al., "NTU RGB+D: a large scale dataset for 3D human activity analysis", CVPR 2016;
Liu et al., "NTU RGB+D 120", TPAMI 2019. Kinect v2, 30 frames a second, metres.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crosscale.data.bodies import refuse_far
from crosscale.data.clip import Clip
from crosscale.data.tracks import BodyRule, people
from crosscale.errors import BadClip, CrosscaleError, readable
from crosscale.readers.base import Item, OwnRecordings
from crosscale.readers.by_name import known_layout
from crosscale.readers.datasets.skeleton_text import parse
from crosscale.readers.files import faults_named, paths_below, refuse_absent, some_files
from crosscale.readers.mocap.space import InUnits
from crosscale.readers.naming import read_naming_table
from crosscale.utils.text import composed, shown

SUFFIX = ".skeleton"
NTU_ACTIONS = tuple(f"A{number:03d}" for number in range(1, 121))
SETUPS_60 = 17  # NTU RGB+D 60 has set-ups 1 to 17, NTU RGB+D 120 those and more
MOST_FILES = 200_000  # whose names are looked at to tell the data set
FRAME_RATE = 30.0
ON_THE_LIST = "on the list of samples with missing skeletons"
_NAME = re.compile(
    r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<repetition>\d{3})A(?P<action>\d{3})",
    re.IGNORECASE,
)
_COPY = re.compile(r".* \(\d+\)|.* - copy|copy of .*", re.IGNORECASE)


def ntu_numbers(name: str) -> dict[str, int] | None:
    """Setup, camera, subject, repetition and action that a name of NTU's form gives.

    Returns:
        None when the name is not exactly SsssCcccPpppRrrrAaaa.
    """
    found = _NAME.fullmatch(name)
    return {key: int(digits) for key, digits in found.groupdict().items()} if found else None


@dataclass(frozen=True)
class _Skeletons(InUnits, OwnRecordings):
    """What all `.skeleton` readers share.

    Attributes:
        layout: layout of the bodies; the files must have as many joints.
        bodies_by: "id" follows people by id, "position" takes the published order in each frame.
        max_bodies: how many people to keep at most.
        max_frames: how many frames to keep at most; None keeps all.
    """

    layout: str = "ntu25"
    bodies_by: BodyRule = "id"
    max_bodies: int = 2
    max_frames: int | None = 300

    frame_rate = FRAME_RATE

    def __post_init__(self) -> None:
        if self.bodies_by not in ("id", "position"):
            raise CrosscaleError(f"bodies_by is 'id' or 'position', not '{self.bodies_by}'")
        if self.max_bodies < 1 or (self.max_frames is not None and self.max_frames < 1):
            raise CrosscaleError("max_bodies and max_frames must be at least 1")

    def read(self, item: Item) -> Clip:
        """Read one file; see `Reader`."""
        if _COPY.fullmatch(item.path.stem):
            raise BadClip(
                f"{item.path.name}: the name is that of a second copy; two copies of a recording "
                "could fall into training and test"
            )
        label, numbers = self.told(item)
        with faults_named(item.path):
            seen = parse(item.path.read_bytes(), len(known_layout(self.layout).joints))
            refuse_far(seen.joints, "", seen.frame)
            seen = replace(seen, joints=self.placed(seen.joints))
            found = people(
                seen, rule=self.bodies_by, max_bodies=self.max_bodies, max_frames=self.max_frames
            )
        return found.clip(item.name, label=label, frame_rate=self.frame_rate, **numbers)

    def told(self, item: Item) -> tuple[str | None, dict[str, Any]]:
        """Class, and subject, camera, setup and repetition, where the name tells them.

        Raises:
            BadClip: when the name is not of the data set's form.
        """
        raise NotImplementedError

    @classmethod
    def recognises(cls, source: Path) -> str | None:
        """How one sees that a source has `.skeleton` files of this data set, or None."""
        first = next(iter(some_files(source, (SUFFIX,), most=1)), None)
        if first is None or _data_set(source) is not cls:
            return None
        named = "named as in NTU RGB+D" if ntu_numbers(first.stem) else "with names of its own"
        return f"it has files of {SUFFIX}, such as {first.name}, {named}"


@dataclass(frozen=True)
class _Ntu(_Skeletons):
    """Files named SsssCcccPpppRrrrAaaa.skeleton.

    Attributes:
        missing: the official list of samples with missing skeletons, one name a line; those on it
            are left out.
    """

    missing: str | Path | None = None

    def find(self, source: Path) -> list[Item]:
        """The `.skeleton` files below `source`; those on the missing list are marked.

        Raises:
            CrosscaleError: when there are none, or the list cannot be read.
        """
        listed = read_missing(Path(self.missing)) if self.missing else frozenset()
        items = []
        for path in _files(source):
            name = path.stem.upper() if ntu_numbers(path.stem) else path.stem
            items.append(Item(name, path, left_out=ON_THE_LIST if name in listed else ""))
        return sorted(items)

    def told(self, item: Item) -> tuple[str, dict[str, Any]]:
        """All of it, as the name tells."""
        numbers = ntu_numbers(item.name)
        if numbers is None:
            raise BadClip(
                f"{item.path.name}: the name does not have the form "
                "S001C001P001R001A001.skeleton, which tells the action; for names of your own use "
                "the format 'skeleton' with a label file or one folder a class"
            )
        label = f"A{numbers.pop('action'):03d}"
        if label not in (self.classes or ()):
            raise BadClip(
                f"{item.path.name}: {label} is no action of {self.name}, which has A001 to "
                f"A{len(self.classes or ()):03d}"
            )
        return label, numbers


class Ntu60(_Ntu):
    """NTU RGB+D 60: actions A001 to A060."""

    name, classes = "ntu60", NTU_ACTIONS[:60]


class Ntu120(_Ntu):
    """NTU RGB+D 120: actions A001 to A120."""

    name, classes = "ntu120", NTU_ACTIONS


@dataclass(frozen=True)
class OwnSkeletons(_Skeletons):
    """Own recordings in the `.skeleton` format, with names of any form.

    Attributes:
        labels: a table of names and classes, see `naming`; without it, the folder that a file lies
            in is its class. Clips may be without.
        folder: the source, whose own files have no class.
    """

    max_frames: int | None = None
    labels: str | Path | None = None
    folder: Path | None = None

    def for_source(self, source: Path) -> "OwnSkeletons":
        """This reader, which then knows the folder whose files lie in none of a class."""
        return replace(self, folder=source if source.is_dir() else source.parent)

    def find(self, source: Path) -> list[Item]:
        """The `.skeleton` files below `source`; those of one name are called by their folders too.

        Raises:
            CrosscaleError: when there are none, or the file of labels cannot be read.
        """
        if self.labels:
            read_naming_table(Path(self.labels))
        files = _files(source)
        count = Counter(path.stem for path in files)
        return sorted(
            Item(
                path.stem
                if count[path.stem] == 1
                else path.relative_to(source).with_suffix("").as_posix(),
                path,
            )
            for path in files
        )

    def told(self, item: Item) -> tuple[str | None, dict[str, Any]]:
        """The class, by the label file or the folder."""
        if not self.labels:
            loose = item.path.parent == self.folder
            return None if loose else item.path.parent.name, {}
        table = read_naming_table(Path(self.labels))
        told = table.get(composed(item.name)) or table.get(composed(item.path.name)) or {}
        return told.get("label"), {}


def _data_set(source: Path) -> type[_Skeletons]:
    """That of a source, by the names of its files."""
    named = [ntu_numbers(path.stem) for path in some_files(source, (SUFFIX,), most=MOST_FILES)]
    if not named or None in named:
        return OwnSkeletons
    beyond = (n for n in named if n and (n["setup"] > SETUPS_60 or n["action"] > 60))
    return Ntu120 if any(beyond) else Ntu60


def read_missing(path: Path) -> frozenset[str]:
    """Names on a published list of samples with missing skeletons.

    Blank lines, spaces and the file suffix do not matter.

    Raises:
        CrosscaleError: when the file cannot be read or has something else in it.
    """
    try:
        lines = readable(path.read_text(encoding="utf-8-sig")).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CrosscaleError(
            f"cannot read the list of missing samples, {path}: {reason}"
        ) from error
    names = set()
    for number, line in enumerate(lines, 1):
        name = line.strip().removesuffix(SUFFIX).upper()
        if not name:
            continue
        if ntu_numbers(name) is None:
            raise CrosscaleError(
                f"{path}: line {number}: '{shown(line)}' is no sample name such as "
                "S001C001P001R001A001"
            )
        names.add(name)
    return frozenset(names)


def _files(source: Path) -> list[Path]:
    refuse_absent(source)
    files = list(paths_below(source, (SUFFIX,)))
    if not files:
        raise CrosscaleError(f"{source} has no {SUFFIX} files")
    return files
