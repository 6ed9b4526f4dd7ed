"""The files of a clip store: their names, their form, and the checks when they are opened.

store.json      format version, layout, classes, provenance, size and SHA-256 of the others
frames.npy      (rows, V, C) float32, C = 3 in metres or 2; a clip is a block of T*M rows
frames-K.npy    in its place in a store of shards, K = 00000, 00001 ...
clips.parquet   one row a clip: name, place in frames.npy, label, subject, camera ...
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crosscale.data.clip import Clip
from crosscale.errors import CrosscaleError
from crosscale.utils.formats import checked

FORMAT = "crosscale clip store"
ONE_FILE, SHARDED = 1, 2  # versions; a program that knows no shards refuses the second by name
DESCRIPTION, FRAMES, TABLE = "store.json", "frames.npy", "clips.parquet"
_PAUSES, _PAUSE = 5, 0.02  # seconds; while a new store takes its place there is none for an instant
_SHARD = re.compile(r"frames-[0-9]{5,}\.npy")

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("frames", pa.int64(), nullable=False),
        pa.field("bodies", pa.int64(), nullable=False),
        pa.field("body_ids", pa.list_(pa.string()), nullable=False),
        pa.field("label", pa.int64()),
        pa.field("subject", pa.int64()),
        pa.field("camera", pa.int64()),
        pa.field("setup", pa.int64()),
        pa.field("repetition", pa.int64()),
        pa.field("frame_rate", pa.float64()),
        pa.field("part", pa.string()),
        pa.field("digest", pa.string(), nullable=False),
        pa.field("notes", pa.list_(pa.string()), nullable=False),
    ]
)

Row = dict[str, Any]  # a clip's row of the table, its label still a name


def is_store(path: Path) -> bool:
    """Whether a folder was written as a clip store, of whatever version."""
    return _load(path) is not None


def refuse_to_replace(path: Path, overwrite: bool) -> None:
    """Let a store be written where nothing is lost by it.

    Raises:
        CrosscaleError: when something else is there, or a store that may not be replaced.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not is_store(path):
        raise CrosscaleError(f"{path} exists and is not a clip store; choose another folder")
    if not overwrite:
        raise CrosscaleError(f"{path} exists already; choose another folder or say --overwrite")


def describe(path: Path) -> dict[str, Any]:
    """Read `store.json`.

    Raises:
        CrosscaleError: when there is none, or another version of the program wrote it.
    """
    if not path.exists():
        raise CrosscaleError(f"{path} does not exist; make a clip store with: crosscale prepare")
    description = _load(path)
    if description is None:
        raise CrosscaleError(
            f"{path} is not a clip store (no {DESCRIPTION} that says so, or a damaged one); "
            "make one from recordings with: crosscale prepare"
        )
    version = description.get("version")
    if version not in (ONE_FILE, SHARDED):
        raise CrosscaleError(
            f"{path} is a clip store of version {version}, this program reads version {SHARDED} "
            f"and version {ONE_FILE}; prepare the data set again, or bring crosscale up to date"
        )
    needed = {"name", "layout", "classes", "provenance", "bytes", "sha256"}
    needed |= {"shards"} if version == SHARDED else set()
    if missing := sorted(needed - description.keys()):
        raise CrosscaleError(f"{path / DESCRIPTION} lacks {', '.join(missing)}; prepare it again")
    return checked(description, path / DESCRIPTION, "copy or prepare it again")


def settled(path: Path) -> dict[str, Any]:
    """The description of a store, which may be in the middle of being replaced."""
    for _ in range(_PAUSES):
        try:
            return describe(path)
        except CrosscaleError:
            time.sleep(_PAUSE)
    return describe(path)


def frame_files(description: Mapping[str, Any]) -> dict[str, int | None]:
    """Files of frames in order, and how many rows each has; None where only the file tells.

    Raises:
        CrosscaleError: when a store of shards does not list them.
    """
    if description["version"] == ONE_FILE:
        return {FRAMES: None}
    files: dict[str, int | None] = {}
    try:
        files |= {str(one["file"]): int(one["rows"]) for one in description["shards"]}
    except (TypeError, KeyError, ValueError):
        files.clear()
    if not files or not all(_SHARD.fullmatch(file) for file in files):
        raise CrosscaleError(f"{DESCRIPTION} does not list its shards; prepare the data set again")
    return files


def shard_file(number: int) -> str:
    """Name of a shard."""
    return f"frames-{number:05d}.npy"


def read_table(path: Path) -> pa.Table:
    """Read `clips.parquet`.

    Raises:
        CrosscaleError: when it is missing, damaged or has other columns.
    """
    file = path / TABLE
    try:
        with pq.ParquetFile(file) as parquet:
            table = parquet.read()
    except (OSError, pa.ArrowException) as error:
        raise CrosscaleError(f"{file} cannot be read: {error}") from error
    if not table.schema.equals(SCHEMA):
        raise CrosscaleError(f"{file} does not have the columns of a clip store; prepare it again")
    return table


def row_of(clip: Clip) -> Row:
    """A clip's row of the table; where it lies is not known yet, and its label is still a name."""
    frames, bodies = clip.coordinates.shape[:2]
    return {
        **{field: getattr(clip, field) for field in SCHEMA.names if hasattr(clip, field)},
        **{"frames": frames, "bodies": bodies, "body_ids": clip.bodies},
        "digest": digest(clip.coordinates),
    }


def digest(coordinates: np.ndarray) -> str:
    """A hash that two clips share exactly when they are equal in every coordinate.

    Args:
        coordinates: (T, M, V, C) float32; NaN equals NaN, and -0 equals 0.
    """
    canonical = np.where(np.isnan(coordinates), np.float32(np.nan), coordinates + np.float32(0))
    shape = repr(coordinates.shape).encode()
    return hashlib.blake2b(shape + canonical.astype("<f4").tobytes(), digest_size=16).hexdigest()


def _load(path: Path) -> dict[str, Any] | None:
    try:
        description = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(description, dict) and description.get("format") == FORMAT:
        return description
    return None
