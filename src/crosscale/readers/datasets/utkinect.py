"""UTKinect-Action3D.

Xia, Chen, Aggarwal, "View invariant human action recognition using histograms of 3D joints", CVPR
workshops 2012: 10 actions, 10 subjects, each twice; Kinect v1, metres. `joints_sSS_eEE.txt` has a
row a frame, its number and x y z of 20 joints in the sensor's order. All actions of a subject are
in one recording; `actionLabel.txt` gives the first and last frame number of each:

    s01_e01
    walk: 252 390
    sitDown: 572 686
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.data.bodies import by_frame, repaired
from crosscale.data.tracks import Bodies
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item
from crosscale.readers.datasets.published import Published, numbered
from crosscale.readers.files import faults_named, paths_below, text_lines
from crosscale.readers.tables.number_table import number_table
from crosscale.skeleton.layout import Layout

LABELS = "actionLabel.txt"
COUNT = 20
ACTIONS = (
    *("walk", "sitDown", "standUp", "pickUp", "carry"),
    *("throw", "push", "pull", "waveHands", "clapHands"),
)
DIGITS = 10  # of a frame's number; more are a damaged file
NO_FRAMES = f"without frames in {LABELS}"
# A digit is wrong in the published file: 2556, which would make the clip span two other actions.
CORRECTED = {("s03_e01", "push", 2556): 3556}


@dataclass(frozen=True)
class UtKinect(Published):
    """UTKinect-Action3D: `joints_sSS_eEE.txt`, with `actionLabel.txt` beside or one folder up."""

    name = "utkinect"
    layout = "kinect20"
    actions = numbered(ACTIONS, first=0)
    frame_rate = 15.0
    title = "UTKinect"
    endings = (".txt",)
    looked_at = 40  # other texts may lie beside them
    form = re.compile(r"s(?P<subject>\d\d)_e(?P<repetition>\d\d)(_\w+)?")

    @classmethod
    def item_name(cls, path: Path) -> str:
        """The recording's, of which each action is a clip."""
        return path.stem.lower().partition("joints_")[2]

    def find(self, source: Path) -> list[Item]:
        """One item an action of a recording; those without frames in the label file are marked.

        Raises:
            CrosscaleError: when there are no recordings, or a label file is missing or wrong.
        """
        items = []
        for path in paths_below(source, self.endings):
            recording = self.item_name(path)
            if not self.form.fullmatch(recording):
                continue
            known = _ranges(_table(path)).get(recording, {})
            for index, action in self.actions.items():
                left_out = "" if action in known else NO_FRAMES
                items.append(Item(f"{recording}_{action}", path, index, left_out))
        if not items:
            raise CrosscaleError(f"{source} has no files of UTKinect, such as joints_s01_e01.txt")
        return sorted(items)

    def numbers(self, item: Item) -> dict[str, Any]:
        """Those of the recording, and the item's action."""
        return super().numbers(item) | {"action": item.index}

    def bodies(self, item: Item) -> Bodies:
        """One body, in the frames of one action; of a repeated frame the first is taken."""
        where, action = item.path.name, ACTIONS[item.index]
        first, last, notes = _ranges(_table(item.path))[self.item_name(item.path)][action]
        numbers, joints = _joints(item.path, item.path.stat().st_mtime_ns)
        chosen = (first <= numbers) & (numbers <= last)
        if not chosen.any():
            raise BadClip(
                f"{where}: has no frame from {first} to {last}, where {LABELS} says {action} is"
            )
        names = Layout.load(self.layout).joints
        rows, _ = by_frame(numbers[chosen], joints[chosen], where)
        found = repaired(rows[:, None], ("0",), names, where)
        return replace(found, notes=(*found.notes, *notes))


def _table(recording: Path) -> Path:
    """The label file that speaks of a recording."""
    for folder in (recording.parent, recording.parent.parent):
        if (folder / LABELS).is_file():
            return folder / LABELS
    raise CrosscaleError(
        f"{LABELS} of UTKinect is neither in {recording.parent} nor in {recording.parent.parent}"
    )


@lru_cache(maxsize=4)
def _ranges(path: Path) -> Mapping[str, Mapping[str, tuple[int, int, tuple[str, ...]]]]:
    """First and last frame number, and what was repaired, by recording and action.

    Raises:
        CrosscaleError: naming the line that has another form.
    """
    ranges: dict[str, dict[str, tuple[int, int, tuple[str, ...]]]] = {}
    recording = ""
    for number, line in enumerate(text_lines(path), 1):
        words = line.replace(":", " ").split()
        if len(words) == 1 and re.fullmatch(r"s\d\d_e\d\d", words[0].lower()):
            recording = words[0].lower()
            ranges[recording] = {}
        elif len(words) == 3 and recording and words[0] in ACTIONS:
            if words[1].lower() == words[2].lower() == "nan":
                continue
            if not all(word.isdecimal() and len(word) < DIGITS for word in words[1:]):
                raise CrosscaleError(f"{path}: line {number}: needs two frame numbers")
            first, last = int(words[1]), int(words[2])
            right = CORRECTED.get((recording, words[0], first), first)
            notes = (f"first frame {first} of {LABELS} corrected to {right}",) * (right != first)
            ranges[recording][words[0]] = (right, last, notes)
        elif words:
            raise CrosscaleError(
                f"{path}: line {number}: is neither a recording (s01_e01) nor an action and its "
                "first and last frame (walk: 252 390)"
            )
    return ranges


@lru_cache(maxsize=2)
def _joints(path: Path, changed: int) -> tuple[np.ndarray, np.ndarray]:
    """(T,) frame numbers, ascending, and (T, V, 3) joints; of a repeated frame the first."""
    with faults_named(path):
        rows = number_table(text_lines(path), 1 + 3 * COUNT)
    numbers, first = np.unique(rows[:, 0], return_index=True)
    joints = rows[first, 1:].reshape(len(first), COUNT, 3)
    joints[(joints == 0).all(-1)] = np.nan
    return numbers, joints
