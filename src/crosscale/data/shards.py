"""The frames of a store's clips: in one file or in shards, written in order and read as one.

A clip lies whole in one shard. A row's number counts on from shard to shard, so the table of clips
is the same however a store is cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscale.data.recordings import Recordings
from crosscale.data.store_files import DESCRIPTION, frame_files
from crosscale.errors import CrosscaleError
from crosscale.utils.arrayfiles import open_array
from crosscale.utils.files import sha256

MAPPED = 256  # shards at once; each mapped file counts against the system's limit of open ones


@dataclass(frozen=True)
class Shard:
    """A finished file of frames.

    Attributes:
        file: its name in the store's folder.
        rows: (R, V, C) in it.
        bytes: its size.
        sha256: of its bytes.
    """

    file: str
    rows: int
    bytes: int
    sha256: str


class FrameFile:
    """A `.npy` file of (R, V, C) float32 that grows clip by clip."""

    def __init__(self, path: Path, joints: int, size: int) -> None:
        """Begin the file.

        Args:
            path: where; what is there is replaced.
            joints: V.
            size: C, coordinates a joint.
        """
        self.path = path
        self.clips = 0
        self._rows = 0
        self._joints, self._size = joints, size
        self._file = path.open("wb")
        self._write_header()

    def write(self, coordinates: np.ndarray) -> None:
        """Append a clip (T, M, V, C)."""
        self._file.write(coordinates.astype("<f4").data)
        self._rows += coordinates.shape[0] * coordinates.shape[1]
        self.clips += 1

    def close(self) -> None:
        """Stop writing, whether it is finished or given up; again does nothing."""
        self._file.close()

    def finish(self) -> Shard:
        """Write how many rows there are, and close."""
        self._file.seek(0)
        self._write_header()
        self._file.close()
        size = self.path.stat().st_size
        return Shard(self.path.name, self._rows, size, sha256(self.path))

    def _write_header(self) -> None:
        """Numpy leaves room in the header, so that the number of rows may grow."""
        shape = (self._rows, self._joints, self._size)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


class Frames:
    """The rows of all clips; each file is mapped into memory when first needed.

    Attributes:
        count: R, rows in all.
        joints: V.
        size: C, coordinates a joint.
    """

    def __init__(self, path: Path, description: Mapping[str, Any]) -> None:
        """See that all files are there.

        Args:
            path: a store.
            description: its `store.json`.

        Raises:
            CrosscaleError: when a file is missing, cut short or of another form.
        """
        files = frame_files(description)
        for file in files:
            _check_bytes(path / file, description["bytes"].get(file))
        first = _open(path / next(iter(files)))
        self.joints, self.size = (int(length) for length in first.shape[1:])
        self._path, self._written = path, _stamp(path)
        self._files = tuple(files)
        rows = [len(first) if rows is None else rows for rows in files.values()]
        self._rows = np.array(rows, np.int64)
        self._starts = np.cumsum(self._rows) - self._rows
        self.count = int(self._rows.sum())
        self._mapped = lru_cache(MAPPED)(self._map)
        self._mapped(0)  # a store of one file can then be read even when another takes its place

    def __len__(self) -> int:
        """Number of files."""
        return len(self._files)

    def holds(self, first: NDArray[np.int64], count: NDArray[np.int64]) -> bool:
        """Whether each clip, of `count` rows from row `first` on, lies whole in one file."""
        shard = self._shard(first)
        return bool((first + count <= (self._starts + self._rows)[shard]).all())

    def rows(self, first: int, count: int) -> np.ndarray:
        """The rows of one clip (count, V, C), a read-only view of the mapped file."""
        shard = int(self._shard(np.int64(first)))
        begin = first - self._starts[shard]
        return self._mapped(shard)[begin : begin + count]

    def recordings(
        self, first: NDArray[np.int64], frames: NDArray[np.int64], bodies: NDArray[np.int64]
    ) -> Recordings:
        """Clips (N,) over the mapped file; of several files, over a copy of the clips' own rows."""
        shard = self._shard(first)
        first = first - self._starts[shard]
        used = np.unique(shard)
        if len(used) < 2:
            rows = self._mapped(int(used[0]) if len(used) else 0)
            return Recordings(rows, first, frames, bodies)
        places = [np.flatnonzero(shard == one) for one in used]
        parts = [
            Recordings(self._mapped(int(one)), first[at], frames[at], bodies[at]).alone().rows
            for one, at in zip(used, places, strict=True)
        ]
        order = np.concatenate(places)
        count = (frames * bodies)[order]
        starts = np.empty_like(first)
        starts[order] = np.cumsum(count) - count
        return Recordings(np.concatenate(parts), starts, frames, bodies)

    def _shard(self, row: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
        return np.asarray(np.searchsorted(self._starts, row, side="right") - 1)

    def _map(self, shard: int) -> np.ndarray:
        file = self._path / self._files[shard]
        rows = _open(file)
        if _stamp(self._path) != self._written:
            raise CrosscaleError(f"{self._path} was replaced while it was read; start anew")
        form = (int(self._rows[shard]), self.joints, self.size)
        if rows.shape != form:
            raise CrosscaleError(
                f"{file} holds {rows.shape}, {DESCRIPTION} and the first file tell of {form}; "
                "the store is damaged, prepare the data set again"
            )
        return rows


def _open(file: Path) -> np.ndarray:
    """Map a file of frames, (rows, V, C) float32, read-only."""
    rows = open_array(file)
    if rows.ndim != 3 or rows.shape[2] not in (2, 3) or rows.dtype != np.float32:
        raise CrosscaleError(
            f"{file} holds {rows.dtype} {rows.shape}, not float32 (rows, V, 2 or 3)"
        )
    return rows.view(np.ndarray)


def _check_bytes(file: Path, expected: int | None) -> None:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise CrosscaleError(f"{file} cannot be read: {error}") from error
    if size != expected:
        raise CrosscaleError(
            f"{file} has {size:,} bytes, not the {expected or 0:,} written; "
            "the copy is incomplete, copy or prepare it again"
        )


def _stamp(path: Path) -> tuple[int, int]:
    """Another one when another store has taken the place."""
    try:
        found = (path / DESCRIPTION).stat()
    except OSError as error:
        raise CrosscaleError(f"{path} was removed or replaced while it was read") from error
    return found.st_ino, found.st_mtime_ns
