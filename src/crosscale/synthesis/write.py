"""A synthetic data set on disk: `.skeleton` files, and a word on what they are."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby, product
from pathlib import Path

import numpy as np

from crosscale import __version__
from crosscale.errors import CrosscaleError
from crosscale.synthesis.named import MOST_CLASSES, action
from crosscale.synthesis.performers import JOINTS
from crosscale.synthesis.recording import ClipName, Recording, record_clips
from crosscale.utils.files import atomic_folder
from crosscale.utils.processes import cores, in_processes

_DESCRIPTION = "synthetic.json"
_PERFORMANCES_A_TASK = 16
_WORTH_A_PROCESS = 200  # performances; below, starting processes costs more than it saves
_README = """This is a SYNTHETIC data set: no person was recorded.

Stick figures perform motion programs; a simulated depth camera adds its errors. The files
have the text format and the name pattern (SsssCcccPpppRrrrAaaa) of NTU RGB+D, so that tools
for that data set can be tried; accuracies on them say nothing about real actions.
Of the twelve numbers of a joint, x y z (metres) and the tracking state mean something; the
pixel positions and orientations between them are 0. Frames are 1/30 s apart.
`synthetic.json` holds the settings it was made with and the names of the classes.
"""


@dataclass(frozen=True)
class SyntheticSettings:
    """What a synthetic data set consists of; the same settings give the same files."""

    classes: int = 12
    subjects: int = 8
    cameras: int = 3  # 1 to 3, as in NTU RGB+D
    repetitions: int = 2
    clips: int | None = None  # so many, drawn from all combinations; None: all of them
    frames: tuple[int, int] = (40, 110)  # the shortest and the longest clip
    seed: int = 0

    def __post_init__(self) -> None:
        most = {"classes": MOST_CLASSES, "subjects": 999, "cameras": 3, "repetitions": 999}
        for name, limit in most.items():
            value = getattr(self, name)
            if not 1 <= value <= limit:
                raise CrosscaleError(f"{name} of synthetic clips can be 1 to {limit}, not {value}")
        if not 2 <= self.frames[0] <= self.frames[1]:
            raise CrosscaleError(
                f"frames must be the shortest (at least 2) and the longest clip, not {self.frames}"
            )
        if self.seed < 0:
            raise CrosscaleError(f"the seed must not be negative, as {self.seed} is")
        if self.clips is not None and not 1 <= self.clips <= self.combinations:
            raise CrosscaleError(
                f"clips must be 1 to {self.combinations} (classes x subjects x cameras x "
                f"repetitions), not {self.clips}"
            )

    @property
    def combinations(self) -> int:
        """How many clips the complete data set has."""
        return self.classes * self.subjects * self.cameras * self.repetitions

    def names(self) -> list[ClipName]:
        """The clips, sorted, those of one performance next to each other."""
        ranges = (self.subjects, self.repetitions, self.classes, self.cameras)
        names = [ClipName(*key) for key in product(*(range(1, n + 1) for n in ranges))]
        if self.clips is None:
            return names
        random = np.random.default_rng(self.seed)
        chosen = random.choice(len(names), size=self.clips, replace=False)
        return [names[i] for i in sorted(chosen.tolist())]


@dataclass(frozen=True)
class SyntheticSet:
    """What was written."""

    folder: Path
    clips: int
    megabytes: float


def write_synthetic(
    out: Path,
    settings: SyntheticSettings,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda clips: None,
) -> SyntheticSet:
    """Write a synthetic data set; `out` appears when it is complete.

    Args:
        out: the new folder.
        settings: what it consists of.
        workers: processes; None: one for each core if the set is large. The files are the
            same whatever their number.
        overwrite: replace a synthetic data set that exists.
        progress: told of every few clips written, how many they were.

    Raises:
        CrosscaleError: when `out` exists (or, with `overwrite`, is something else) or cannot be
            written, or `workers` is not positive.
    """
    if workers is not None and workers < 1:
        raise CrosscaleError(f"{workers} workers cannot write; give 1 or more")
    if overwrite and out.exists() and not (out / _DESCRIPTION).is_file():
        raise CrosscaleError(f"{out} is no synthetic data set; choose another folder")
    names = settings.names()
    performances = [
        list(group)
        for _, group in groupby(names, key=lambda n: (n.subject, n.repetition, n.action))
    ]
    if workers is None:
        workers = cores() if len(performances) >= _WORTH_A_PROCESS else 1
    starts = range(0, len(performances), _PERFORMANCES_A_TASK)
    tasks = [performances[start : start + _PERFORMANCES_A_TASK] for start in starts]
    written = 0
    with atomic_folder(out, overwrite=overwrite) as folder:
        write = partial(_write_performances, folder, settings.seed, settings.frames)
        with closing(in_processes(write, tasks, workers)) as done:
            for clips, size in done:
                written += size
                progress(clips)
        (folder / "README.txt").write_text(_README)
        (folder / _DESCRIPTION).write_text(json.dumps(_description(settings), indent=1) + "\n")
    return SyntheticSet(out, len(names), written / 1e6)


def skeleton_text(recording: Recording) -> str:
    """The recording in NTU RGB+D's `.skeleton` format."""
    frames, bodies = recording.coordinates.shape[:2]
    joint = "%.6f %.6f %.6f 0 0 0 0 0 0 0 0 %d\n"
    body = "".join(
        # body id, clipped edges, left hand's confidence and state, right hand's, is
        # restricted, lean x, lean y, tracking state
        f"{identity} 0 1 1 1 1 0 0.0 0.0 2\n{len(JOINTS)}\n" + joint * len(JOINTS)
        for identity in recording.bodies
    )
    numbers = np.concatenate([recording.coordinates, recording.tracking[..., None]], axis=-1)
    return f"{frames}\n" + f"{bodies}\n{body}" * frames % tuple(numbers.ravel().tolist())


def _write_performances(
    folder: Path, seed: int, frames: tuple[int, int], performances: list[list[ClipName]]
) -> tuple[int, int]:
    """Write the clips of some performances; how many clips and bytes."""
    clips = size = 0
    for names in performances:
        for recording in record_clips(names, seed, frames):
            text = skeleton_text(recording)
            (folder / f"{recording.name}.skeleton").write_text(text, newline="\n")
            clips += 1
            size += len(text)
    return clips, size


def _description(settings: SyntheticSettings) -> dict[str, object]:
    actions = [action(number) for number in range(1, settings.classes + 1)]
    return {
        "synthetic": True,
        "made_by": f"crosscale {__version__}",
        "settings": asdict(settings),
        "layout": "ntu25",
        "frame_rate": 30,
        "classes": {f"A{i:03d}": entry.name for i, entry in enumerate(actions, start=1)},
        "two_persons": [
            f"A{i:03d}" for i, entry in enumerate(actions, start=1) if entry.partner is not None
        ],
    }
