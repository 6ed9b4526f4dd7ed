"""The clip store: one folder that holds a prepared data set, whatever the protocols.

A store is written beside its target and takes the target's place at the end, so that whoever
reads it meanwhile sees the old one whole or the new one whole.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crosscale import __version__
from crosscale.data.clip import Clip
from crosscale.data.recordings import Recordings
from crosscale.data.shards import FrameFile, Frames, Shard
from crosscale.data.store_files import (
    DESCRIPTION,
    FORMAT,
    FRAMES,
    ONE_FILE,
    SCHEMA,
    SHARDED,
    TABLE,
    Row,
    describe,
    read_table,
    refuse_to_replace,
    row_of,
    settled,
    shard_file,
)
from crosscale.errors import BadClip, CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.utils.files import atomic_folder, sha256
from crosscale.utils.formats import canonical, with_checksum
from crosscale.utils.text import composed, natural, places_of

# Columns of the table that are fields of a clip.
CLIP_FIELDS = ("subject", "camera", "setup", "repetition", "frame_rate", "part")

_TRIES = 50


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
        self, path: Path, description: Mapping[str, Any], frames: Frames, table: pa.Table
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
            description, fault = settled(path), None
            try:
                store = cls(path, description, Frames(path, description), read_table(path))
            except CrosscaleError as error:
                fault = error
            if settled(path) != description:
                continue  # another store has taken the place of this one meanwhile
            if fault is not None:
                raise fault
            return store
        raise CrosscaleError(f"{path} is being replaced again and again; try later")

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.names)

    def __getitem__(self, which: int | str) -> Clip:
        """A clip by its row, from the end where it is negative, or by its name.

        Raises:
            IndexError: when there is no such row.
            KeyError: when there is no such name.
        """
        row = self._rows[composed(which)] if isinstance(which, str) else which
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} clips")
        row %= len(self)
        values = self.table.slice(row, 1).to_pylist()[0]
        label = self.labels[row]
        return Clip(
            name=self.names[row],
            coordinates=self.coordinates(row),
            bodies=tuple(values["body_ids"]),
            label=self.classes[label] if label >= 0 else None,
            notes=tuple(values["notes"]),
            **{field: values[field] for field in CLIP_FIELDS},
        )

    def __iter__(self) -> Iterator[Clip]:
        """All clips, in the table's order."""
        return (self[row] for row in range(len(self)))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return places_of(self.names)

    def coordinates(self, i: int) -> np.ndarray:
        """Coordinates of clip `i`: (T, M, V, C), NaN where a body is absent (see `Clip`).

        A read-only view of the mapped file: copy it before changing it.
        """
        frames, bodies = self._shapes[i]
        rows = self._frames.rows(int(self._first[i]), int(frames * bodies))
        return rows.reshape(frames, bodies, *rows.shape[1:])

    def recordings(self, indices: Sequence[int]) -> Recordings:
        """The clips at `indices`, in that order: see `Frames.recordings`."""
        chosen = np.asarray(indices, np.int64)
        frames, bodies = self._shapes[chosen].T
        return self._frames.recordings(self._first[chosen], frames, bodies)

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

    @property
    def title(self) -> str:
        """What pages call it: its kind, or of recordings of one's own the folder's name."""
        return self.path.resolve().name if self.name == "own" else self.name

    @property
    def shards(self) -> int:
        """Number of files that hold the frames."""
        return len(self._frames)

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
        joints, count = self._frames.joints, self._frames.count
        wrong = ""
        if len(set(self.names)) != len(self.names):
            wrong = "names a clip twice"
        elif (self._shapes < 1).any() or (self._first != starts[:-1]).any():
            wrong = "does not list the clips' frames one after the other"
        elif starts[-1] != count:
            wrong = f"describes {starts[-1]} rows of frames, but there are {count}"
        elif not self._frames.holds(self._first, self._shapes.prod(axis=1)):
            wrong = "has a clip that goes on in another shard"
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
        shard_clips: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Plan a store.

        Args:
            path: the folder to make.
            name: kind of data set.
            layout: the skeleton of all clips.
            classes: all class names in order; None takes those that the clips have.
            shard_clips: clips in a file of frames at most; None writes one file.
            overwrite: replace a store that is there; anything else is never replaced.

        Raises:
            CrosscaleError: when `shard_clips` is not positive.
        """
        if shard_clips is not None and shard_clips < 1:
            raise CrosscaleError(f"a shard cannot hold {shard_clips} clips; give 1 or more")
        self.path = Path(path)
        self.name = name
        self.layout = layout
        self.classes = classes
        self.folder = self.path
        self.provenance: dict[str, Any] = {}
        self._overwrite = overwrite
        self._shard_clips = shard_clips
        self._shards: list[Shard] = []
        self._frames: FrameFile | None = None
        self._rows = 0
        self._size = 0
        self._columns: dict[str, list[Any]] = {field: [] for field in SCHEMA.names}
        self._names: set[str] = set()
        self._open: ExitStack

    def __enter__(self) -> "StoreWriter":
        """Begin in a temporary folder.

        Raises:
            CrosscaleError: when something is at `path` that may not be replaced.
        """
        refuse_to_replace(self.path, self._overwrite)
        with ExitStack() as stack:
            self.folder = stack.enter_context(atomic_folder(self.path, overwrite=True))
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

    def add(self, clip: Clip) -> Row:
        """Append a clip.

        Returns:
            Its row of the table.

        Raises:
            BadClip: when its name is taken, or its joints or label do not fit the store.
        """
        self._check(clip)
        self._size = clip.coordinates.shape[3]
        if self._frames is None:
            self._frames = self._begin_shard()
        self._frames.write(clip.coordinates)
        row = row_of(clip)
        for field, value in row.items():
            self._columns[field].append(value)
        self._columns["first_row"].append(self._rows)
        self._rows += row["frames"] * row["bodies"]
        self._names.add(clip.name)
        if self._frames.clips == self._shard_clips:
            self._end_shard()
        return row

    def _check(self, clip: Clip) -> None:
        joints, size = clip.coordinates.shape[2:]
        classes, wanted, wrong = self.classes, len(self.layout.joints), ""
        if clip.name in self._names:
            wrong = "another clip has this name already"
        elif joints != wanted:
            wrong = (
                f"has {joints} joints, layout {self.layout.name} has {wanted}; give the layout of "
                "these recordings"
            )
        elif self._size not in (0, size):
            wrong = (
                f"has {size} coordinates a joint, clips before it {self._size}; prepare recordings "
                "in the plane and in space apart"
            )
        elif classes is not None and clip.label is not None and clip.label not in classes:
            wrong = f"'{clip.label}' is not one of the {len(classes)} classes"
        if wrong:
            raise BadClip(f"{clip.name}: {wrong}")

    def _begin_shard(self) -> FrameFile:
        name = FRAMES if self._shard_clips is None else shard_file(len(self._shards))
        frames = FrameFile(self.folder / name, len(self.layout.joints), self._size)
        self._open.callback(frames.close)
        return frames

    def _end_shard(self) -> None:
        if self._frames is not None:
            self._shards.append(self._frames.finish())
            self._frames = None

    def _finish(self) -> None:
        if not self._names:
            raise CrosscaleError(f"there is no clip to store in {self.path}")
        self._end_shard()
        labels = self._columns["label"]
        known = {label for label in labels if label is not None}
        classes = self.classes or tuple(sorted(known, key=natural))
        number = {label: i for i, label in enumerate(classes)}
        self._columns["label"] = [number.get(label) for label in labels]
        table, file = pa.table(self._columns, schema=SCHEMA), self.folder / TABLE
        pq.write_table(table, file, compression="zstd")
        written = {"crosscale": __version__, "written": datetime.now(UTC).isoformat()}
        description = {
            "format": FORMAT,
            "version": ONE_FILE if self._shard_clips is None else SHARDED,
            "name": self.name,
            "clips": len(self._names),
            "classes": classes,
            "provenance": written | self.provenance,
            "bytes": {one.file: one.bytes for one in self._shards} | {TABLE: file.stat().st_size},
            "sha256": {one.file: one.sha256 for one in self._shards} | {TABLE: sha256(file)},
            "layout": self.layout.to_dict(),
        }
        if self._shard_clips is not None:
            description["shards"] = [{"file": one.file, "rows": one.rows} for one in self._shards]
        text = json.dumps(with_checksum(description), indent=1, ensure_ascii=False)
        (self.folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
