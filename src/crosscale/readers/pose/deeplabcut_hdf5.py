"""DeepLabCut's HDF5 files: the table that `analyze_videos` keeps, column names included.

pandas writes it, `DataFrame.to_hdf(path, key="df_with_missing", format="table")`: the compound
dataset `table` in a group of the key's name has a row a frame, and the numbers in fields
`values_block_0` and so on. Which columns a block holds stands in the table's attribute
`values_block_0_kind` as a pickled list of tuples of text, which is read without running anything.
"""

from pathlib import Path
from typing import Any

import numpy as np

from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.safe.hdf5 import opened, own_dataset, own_groups, whole
from crosscale.readers.safe.pickles import unpickled

TABLE, INDEX = "table", "index"
LEVELS = (3, 4)  # scorer, (individual,) bodypart, coordinate
OTHERWISE = (
    "let DeepLabCut write tables: deeplabcut.analyze_videos_converth5_to_csv(folder), or pass "
    "save_as_csv=True to analyze_videos"
)


def read_hdf5(path: Path) -> tuple[list[tuple[str, ...]], np.ndarray, np.ndarray]:
    """Columns of a file, and their numbers.

    Returns:
        Names of each column, outermost first: scorer, (individual,) bodypart, coordinate; numbers
        of the frames (T,), and of the columns (T, columns).

    Raises:
        BadClip: when it is no such file, naming what is wrong and the way to tables that can be
            read.
        CrosscaleError: when the library that reads HDF5 is not installed.
    """
    with opened(path) as file:
        tables = [
            table for group in own_groups(file) if (table := own_dataset(group, TABLE)) is not None
        ]
        if len(tables) != 1:
            raise BadClip(f"has {len(tables)} tables of pandas instead of one; {OTHERWISE}")
        (table,) = tables
        if table.ndim != 1:
            raise BadClip(f"its table has the shape {table.shape}, which is no row a frame")
        fields = table.dtype.fields or {}
        blocks = [name for name in fields if name.startswith("values_block_")]
        if odd := [name for name in blocks if fields[name][0].base.kind not in "fiu"]:
            raise BadClip(f"{odd[0]} holds {fields[odd[0]][0].base}, not numbers")
        columns = [name for block in blocks for name in _names(table.attrs.get(f"{block}_kind"))]
        rows = whole(table)
        numbers = [np.asarray(rows[block], np.float64).reshape(len(rows), -1) for block in blocks]
        values = np.concatenate([np.empty((len(rows), 0)), *numbers], axis=1)
        if len(columns) != values.shape[1] or len({len(levels) for levels in columns}) != 1:
            raise BadClip(f"does not name its {values.shape[1]} columns alike; {OTHERWISE}")
        has_index = INDEX in fields and fields[INDEX][0].base.kind in "iu"
        index = rows[INDEX].ravel() if has_index else np.arange(len(rows))
    return columns, index, values


def _names(pickled: Any) -> list[tuple[str, ...]]:
    try:
        content = pickled.tobytes() if isinstance(pickled, np.void | np.bytes_) else b""
        names = unpickled(content, "the pickle")
    except CrosscaleError as error:
        raise BadClip(f"its column names cannot be read: {error}; {OTHERWISE}") from None
    if not isinstance(names, list) or not all(
        isinstance(name, tuple) and len(name) in LEVELS and all(isinstance(n, str) for n in name)
        for name in names
    ):
        raise BadClip(f"its columns are not named by scorer, bodypart and coordinate; {OTHERWISE}")
    return names
