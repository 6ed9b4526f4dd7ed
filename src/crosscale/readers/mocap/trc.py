"""TRC: tables of marker places, as Motion Analysis' Cortex and OpenSim write them.

The form is described in OpenSim's documentation ("Marker (.trc) Files"):

    PathFileType  4  (X/Y/Z)  name.trc
    DataRate  CameraRate  NumFrames  NumMarkers  Units  OrigDataRate  OrigDataStartFrame ...
    60        60          2          1           mm     60            1
    Frame#  Time  Marker1
                  X1  Y1  Z1
    1  0.000  1.0  2.0  3.0

with tabs in between, or blanks where all places are there; the places of a marker that was not seen
are left empty. Frames are where their numbers say.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscale.data.bodies import by_frame
from crosscale.errors import BadClip
from crosscale.readers.files import beginning, faults_named, text_lines
from crosscale.readers.mocap.capture import Markers, Take, rate_of
from crosscale.readers.mocap.space import metres_of
from crosscale.readers.tables.number_table import number_table

HEAD = 5  # lines before the numbers


@dataclass(frozen=True)
class Trc(Markers):
    """Motion capture in TRC files: markers, by name."""

    endings = (".trc",)
    what = "TRC files"

    def take(self, path: Path) -> Take:
        """Read one file."""
        with faults_named(path):
            return _take(text_lines(path))

    @classmethod
    def sign(cls, path: Path) -> str | None:
        """Its first word."""
        is_trc = beginning(path).removeprefix(codecs.BOM_UTF8).startswith(b"PathFileType")
        return "begins with PathFileType" if is_trc else None


def _take(lines: list[str]) -> Take:
    if not lines or not lines[0].startswith("PathFileType"):
        raise BadClip("line 1: should begin with PathFileType; this is no TRC file")
    if len(lines) <= HEAD:
        raise BadClip(f"line {len(lines)}: the file ends before its numbers; it is cut off")
    between = "\t" if "\t" in lines[3] else None  # some programs write blanks
    said = dict(zip(lines[1].split(between), lines[2].split(between), strict=False))
    step = 3 if between else 1
    names = tuple(name.strip() for name in lines[3].split(between)[2::step] if name.strip())
    if not names or len(set(names)) < len(names):
        raise BadClip("line 4: should name each marker once, above its X, Y and Z")
    values = number_table(
        [_filled(line, 2 + 3 * len(names)) if between else line for line in lines[HEAD:]],
        2 + 3 * len(names),
        first=HEAD + 1,
        separator=between,
    )
    counted = _counted(said.get("NumFrames", "").strip(), len(values))
    rows, notes = by_frame(values[:, 0], values[:, 2:])
    joints = rows.reshape(len(rows), 1, len(names), 3)
    joints[(joints == 0).all(-1)] = np.nan  # how some software writes a marker that is not seen
    rate, unit = rate_of(said.get("DataRate", "")), metres_of(said.get("Units", ""))
    return Take(names, ("0",), joints, rate, unit, notes=(*counted, *notes))


def _counted(said: str, there: int) -> tuple[str, ...]:
    """A note where the header is one frame off, as some programs count.

    Raises:
        BadClip: when it tells of more or fewer.
    """
    if said == str(there):
        return ()
    if said not in (str(there + 1), str(there - 1)):
        raise BadClip(f"line 3: says {said:.20} frames, {there} follow; is it cut off?")
    return (f"line 3 says {said} frames, {there} are there",)


def _filled(line: str, columns: int) -> str:
    """The line with `nan` in its empty places, without empty ones behind the last."""
    if not line.strip():
        return ""
    words = [word.strip() or "nan" for word in line.split("\t")]
    while len(words) > columns and words[-1] == "nan":
        words.pop()
    return "\t".join(words)
