"""A reader of one's own: text files with a row a frame, x y z of each of Kinect's twenty joints.

crosscale prepare examples/own_reader.py:Rows FOLDER --out STORE --reader.unit 0.001

The folder holds `wave_3.txt`: what is done, and the number of who does it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscale.data.clip import Clip
from crosscale.errors import BadClip
from crosscale.readers.base import Item, OwnRecordings
from crosscale.readers.files import files_below

JOINTS = 20


@dataclass(frozen=True)
class Rows(OwnRecordings):
    """Its fields are its options.

    Attributes:
        layout: whose joints the rows have, in the layout's order.
        unit: metres that a number of the files stands for.
        frame_rate: frames a second.
    """

    layout: str = "kinect20"
    unit: float = 1.0
    frame_rate: float | None = None

    def find(self, source: Path) -> list[Item]:
        """One recording a file; listing them must be cheap."""
        return files_below(source, (".txt",), "text files")

    def read(self, item: Item) -> Clip:
        """Its clip: coordinates (T, M, V, 3) in metres, y up, NaN where a body is absent."""
        named = re.fullmatch(r"([a-z]+)_(\d+)", item.path.stem)
        if named is None:
            raise BadClip(f"{item.path.name}: is not named as wave_3.txt")
        try:
            rows = np.loadtxt(item.path, ndmin=2)
        except ValueError as error:
            raise BadClip(f"{item.path.name}: {error}") from None
        if rows.shape[1] != 3 * JOINTS:
            raise BadClip(f"{item.path.name}: has {rows.shape[1]} numbers a row, not {3 * JOINTS}")
        return Clip(
            name=item.name,
            coordinates=rows.reshape(-1, 1, JOINTS, 3) * self.unit,
            bodies=("0",),
            label=named[1],
            subject=int(named[2]),
            frame_rate=self.frame_rate,
        )
