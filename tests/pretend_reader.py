"""A reader of files of one word each, to watch how readers are used; processes import it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscale.data.clip import Clip
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item


@dataclass(frozen=True)
class PretendReader:
    """Each line `name word` of a file is a recording; the word says how it behaves."""

    pause: float = 0.0
    name: str = "mine"
    layout: str = "kinect20"
    classes: tuple[str, ...] | None = None

    def find(self, source: Path) -> list[Item]:
        lines = [line.split() for line in source.read_text().splitlines()]
        return [
            Item(name, Path(word), i, left_out="on the list" if word == "listed" else "")
            for i, (name, word) in enumerate(lines)
        ]

    def read(self, item: Item) -> Clip:
        time.sleep(self.pause * (1 + item.index % 3))
        match str(item.path):
            case "bad":
                raise BadClip(f"{item.name}: cut in frame 3")
            case "broken":
                raise ValueError("could not convert\nmany lines of it")
            case "unreadable":
                raise PermissionError(13, "Permission denied")
            case "fatal":
                raise CrosscaleError("the label file is damaged")
            case "killed":
                os._exit(9)
        x = np.full((3, 1, 20, 3), 1 + item.index, np.float32)
        notes = (f"gap of {item.index} frames",) if str(item.path) == "gap" else ()
        label = None if str(item.path) == "unlabelled" else f"a{item.index % 2}"
        return Clip(item.name, x, ("b",), label, subject=item.index % 4, notes=notes)
