"""CSV tables whose first line names the columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from crosscale.errors import BadClip, readable
from crosscale.readers.files import faults_named
from crosscale.utils.text import shown

# How columns are called, in small letters, that number the frames.
FRAME = ("frame", "frame_idx", "frame_index", "frame_id", "frame_number")


class CsvTable:
    """One table; its columns are read when they are asked for.

    Attributes:
        path: the file.
        header: names of the columns.
    """

    def __init__(self, path: Path) -> None:
        """Read the names, and see what lies between the columns.

        Raises:
            BadClip: when the file cannot be read, or has nothing below its first line.
        """
        self.path = path
        with faults_named(path), path.open(encoding="utf-8-sig", errors="replace") as file:
            first, second = readable(file.readline()), file.readline()
        if not second.strip():
            raise BadClip(f"{path.name}: has no rows below a first line of names")
        self._delimiter = max(",;\t", key=first.count)
        self._decimal = "," if self._delimiter != "," and "," in second else "."
        self.header = [name.strip().strip('"') for name in first.split(self._delimiter)]

    def read(self, words: Sequence[str], numbers: Sequence[str] = ()) -> pa.Table:
        """Some columns.

        Args:
            words: columns of text.
            numbers: columns of numbers, float64.

        Raises:
            BadClip: naming what is wrong.
        """
        types = dict.fromkeys(words, pa.string()) | dict.fromkeys(numbers, pa.float64())
        for name in types:
            if self.header.count(name) > 1:
                raise BadClip(f"{self.path.name}: has the column {name} twice")
        try:
            table = pacsv.read_csv(
                self.path,
                read_options=pacsv.ReadOptions(
                    column_names=self.header, skip_rows=1, use_threads=False
                ),
                parse_options=pacsv.ParseOptions(delimiter=self._delimiter),
                convert_options=pacsv.ConvertOptions(
                    include_columns=list(types), column_types=types, decimal_point=self._decimal
                ),
            )
        except (pa.ArrowException, OSError) as error:
            raise BadClip(f"{self.path.name}: {shown(error, 150)}") from None
        if table.num_rows == 0:
            raise BadClip(f"{self.path.name}: has no rows below its first line")
        return table


def matrix(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Columns of numbers side by side, (rows, columns) float64, NaN in empty cells."""
    return np.stack([table.column(name).to_numpy() for name in names], axis=1)
