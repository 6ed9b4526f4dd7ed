"""The clip store: one folder that holds a prepared data set, whatever the protocols.

A store is written beside its target and takes the target's place at the end, so that whoever
reads it meanwhile sees the old one whole or the new one whole.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crosscale import __version__
from crosscale.checksum import canonical, with_checksum
from crosscale.data.clip import Clip
from crosscale.data.recordings import Recordings
from crosscale.data.store_files import (
    DESCRIPTION,
    FORMAT,
    FRAMES,
    SCHEMA,
    TABLE,
    VERSION,
    describe,
    digest,
    map_frames,
    read_table,
    refuse_to_replace,
)
from crosscale.errors import BadClip, CrosscaleError
from crosscale.files import atomic_folder, sha256
from crosscale.skeleton.layout import Layout

_TRIES = 50
_PAUSES, _PAUSE = 5, 0.02  # seconds; while a new store takes its place there is none for an instant


class ClipStore:
    """A prepared data set, opened for reading; frames are mapped, not loaded.

    Attributes:
        path: the folder.
        name: kind of data set (`ntu60`, `nwucla` ...).
        layout: the skeleton; its joint order is that of the coordinates.
        classes: class names; a label is an index into them.
        table: one row a clip (`store_files.SCHEMA`).
        names: clip names, in the table's order.
        labels: (N,) int64, -1 where a clip has no label.
        provenance: where the clips come from and how they were read.
    """

    def __init__(
        self, path: Path, description: Mapping[str, Any], frames: np.ndarray, table: pa.Table
    ) -> None:
        self.path = path
        self.name = str(description["name"])
        self.layout = Layout.from_dict(description["layout"], origin=f"{path / DESCRIPTION}")
        self.classes = tuple(str(c) for c in description["classes"])
        self.provenance: dict[str, Any] = dict(description["provenance"])
        self.table = table
        self.names: list[str] = table.column("name").to_pylist()
        self.labels = self.column("label")
        self._frames = frames
        self._first = self.column("first_row")
        self._shapes = np.stack([self.column("frames"), self.column("bodies")], axis=1)
        self._check_fit()

    @classmethod
    def open(cls, path: Path | str) -> "ClipStore":
        """Open a store for reading.

        Raises:
            CrosscaleError: when `path` is no store, was written by another version, lacks a
                file, or its files do not fit each other.
        """
        path = Path(path)
        for _ in range(_TRIES):
            description, fault = _settled(path), None
            try:
                store = cls(path, description, map_frames(path, description), read_table(path))
            except CrosscaleError as error:
                fault = error
            if _settled(path) != description:
                continue  # another store has taken the place of this one meanwhile
            if fault is not None:
                raise fault
            return store
        raise CrosscaleError(f"{path} is being replaced again and again; try later")

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.names)

    def coordinates(self, i: int) -> np.ndarray:
        """Coordinates of clip `i`: (T, M, V, C), NaN where a body is absent (see `Clip`).

        A read-only view of the mapped file: copy it before changing it.
        """
        frames, bodies = self._shapes[i]
        first = self._first[i]
        rows = self._frames[first : first + frames * bodies]
        return rows.reshape(frames, bodies, *rows.shape[1:])

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The clips at `indices`, in that order, over the mapped file."""
        chosen = np.asarray(indices, np.int64)
        frames, bodies = self._shapes[chosen].T
        return Recordings(self._frames, self._first[chosen], frames, bodies)

    def column(self, name: str) -> np.ndarray:
        """One column of the table, (N,).

        Integers come as int64 with -1 where unknown, numbers as float64 with NaN where unknown,
        anything else as objects.

        Raises:
            CrosscaleError: when there is no such column.
        """
        if name not in self.table.column_names:
            raise CrosscaleError(
                f"{self.path} has no column {name}; it has {', '.join(self.table.column_names)}"
            )
        column = self.table.column(name)
        values: np.ndarray
        if pa.types.is_integer(column.type):
            values = column.fill_null(-1).to_numpy().astype(np.int64)
        elif pa.types.is_floating(column.type):
            values = column.fill_null(np.nan).to_numpy().astype(np.float64)
        else:
            values = np.empty(len(column), dtype=object)
            values[:] = column.to_pylist()
        return values

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of clips, classes and layout: the same wherever and whenever they are prepared.

        The table holds a digest of every clip's coordinates.
        """
        whole = {
            "name": self.name,
            "layout": self.layout.to_dict(),
            "classes": self.classes,
            "clips": self.table.to_pydict(),
        }
        return hashlib.sha256(canonical(whole)).hexdigest()

    def verify(self) -> None:
        """Read every byte and compare with the checksums.

        Raises:
            CrosscaleError: naming the file that has changed since it was written.
        """
        for file, expected in describe(self.path)["sha256"].items():
            if sha256(self.path / file) != expected:
                raise CrosscaleError(
                    f"{self.path / file} has changed since it was written (its checksum differs); "
                    "prepare the data set again"
                )

    def _check_fit(self) -> None:
        """The table must describe exactly the rows that are there."""
        starts = np.concatenate([[0], np.cumsum(self._shapes.prod(axis=1))])
        joints = self._frames.shape[1]
        wrong = ""
        if len(set(self.names)) != len(self.names):
            wrong = "names a clip twice"
        elif (self._shapes < 1).any() or (self._first != starts[:-1]).any():
            wrong = "does not list the clips' frames one after the other"
        elif starts[-1] != len(self._frames):
            wrong = f"describes {starts[-1]} rows, but {FRAMES} has {len(self._frames)}"
        elif joints != len(self.layout.joints):
            wrong = f"goes with {joints} joints, but the layout has {len(self.layout.joints)}"
        elif (self.labels >= len(self.classes)).any() or (self.labels < -1).any():
            wrong = f"has labels beyond the {len(self.classes)} classes of {DESCRIPTION}"
        if wrong:
            raise CrosscaleError(
                f"{self.path}: {TABLE} {wrong}; the store is damaged, prepare the data set again"
            )


class StoreWriter:
    """Writes clips, one after the other, into a store that appears whole when the block ends.

        with StoreWriter("sets/mine", name="mine", layout=layout) as writer:
            writer.add(clip)

    Attributes:
        folder: inside the block, where the files are; further files may be put there.
        provenance: kept in the store's description; add to it inside the block.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        name: str,
        layout: Layout,
        classes: tuple[str, ...] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Plan a store.

        Args:
            path: the folder to make.
            name: kind of data set.
            layout: the skeleton of all clips.
            classes: all class names in order; None takes those that the clips have.
            overwrite: replace a store that is there; anything else is never replaced.
        """
        self.path = Path(path)
        self.name = name
        self.layout = layout
        self.classes = classes
        self.folder = self.path
        self.provenance: dict[str, Any] = {}
        self._overwrite = overwrite
        self._rows = 0
        self._size = 0
        self._columns: dict[str, list[Any]] = {field: [] for field in SCHEMA.names}
        self._names: set[str] = set()
        self._open: ExitStack
        self._frames: BinaryIO

    def __enter__(self) -> "StoreWriter":
        """Begin in a temporary folder.

        Raises:
            CrosscaleError: when something is at `path` that may not be replaced.
        """
        refuse_to_replace(self.path, self._overwrite)
        with ExitStack() as stack:
            self.folder = stack.enter_context(atomic_folder(self.path, overwrite=True))
            self._frames = stack.enter_context((self.folder / FRAMES).open("wb"))
            self._write_header()
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the store, or leave nothing behind."""
        with self._open:
            if error is not None:
                raise error
            self._finish()

    def add(self, clip: Clip) -> None:
        """Append a clip.

        Raises:
            BadClip: when its name is taken, or its joints or label do not fit the store.
        """
        self._check(clip)
        frames, bodies, _, self._size = clip.coordinates.shape
        row = {
            "name": clip.name,
            "first_row": self._rows,
            "frames": frames,
            "bodies": bodies,
            "body_ids": clip.bodies,
            "label": clip.label,  # becomes a number when all classes are known
            "subject": clip.subject,
            "camera": clip.camera,
            "setup": clip.setup,
            "repetition": clip.repetition,
            "frame_rate": clip.frame_rate,
            "part": clip.part,
            "digest": digest(clip.coordinates),
            "notes": clip.notes,
        }
        self._frames.write(clip.coordinates.astype("<f4").data)
        self._rows += frames * bodies
        self._names.add(clip.name)
        for field, value in row.items():
            self._columns[field].append(value)

    def _check(self, clip: Clip) -> None:
        joints, size = clip.coordinates.shape[2:]
        if clip.name in self._names:
            raise BadClip(f"{clip.name}: another clip has this name already")
        if joints != len(self.layout.joints):
            raise BadClip(
                f"{clip.name}: has {joints} joints, layout {self.layout.name} has "
                f"{len(self.layout.joints)}; give the layout of these recordings"
            )
        if self._size not in (0, size):
            raise BadClip(
                f"{clip.name}: has {size} coordinates a joint, clips before it {self._size}; "
                "prepare recordings in the plane and in space apart"
            )
        if self.classes is not None and clip.label is not None and clip.label not in self.classes:
            raise BadClip(
                f"{clip.name}: '{clip.label}' is not one of the {len(self.classes)} classes"
            )

    def _finish(self) -> None:
        if not self._names:
            raise CrosscaleError(f"there is no clip to store in {self.path}")
        self._frames.seek(0)
        self._write_header()
        self._frames.close()
        labels = self._columns["label"]
        classes = self.classes or tuple(sorted({x for x in labels if x is not None}, key=_natural))
        number = {label: i for i, label in enumerate(classes)}
        self._columns["label"] = [number.get(label) for label in labels]
        table = pa.table(self._columns, schema=SCHEMA)
        pq.write_table(table, self.folder / TABLE, compression="zstd")
        description = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "clips": len(self._names),
            "classes": classes,
            "provenance": {
                "crosscale": __version__,
                "written": datetime.now(UTC).isoformat(),
                **self.provenance,
            },
            "bytes": {file: (self.folder / file).stat().st_size for file in (FRAMES, TABLE)},
            "sha256": {file: sha256(self.folder / file) for file in (FRAMES, TABLE)},
            "layout": self.layout.to_dict(),
        }
        text = json.dumps(with_checksum(description), indent=1, ensure_ascii=False)
        (self.folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")

    def _write_header(self) -> None:
        """A `.npy` header; numpy leaves room in it, so that the number of rows may grow."""
        shape = (self._rows, len(self.layout.joints), self._size)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._frames, header)


def _settled(path: Path) -> dict[str, Any]:
    """The description of a store, which may be in the middle of being replaced."""
    for _ in range(_PAUSES):
        try:
            return describe(path)
        except CrosscaleError:
            time.sleep(_PAUSE)
    return describe(path)


def _natural(text: str) -> list[int | str]:
    """Sorts a2 before a10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", text))]
