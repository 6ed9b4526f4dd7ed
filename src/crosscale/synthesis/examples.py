"""Example recordings, in the files of other programs: tutorials begin with them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from crosscale.synthesis.formats import (
    bvh_text,
    in_pixels,
    mediapipe_json,
    seen_as,
    write_deeplabcut,
    write_openpose,
)
from crosscale.synthesis.mice import LAYOUT, MOUSE_ACTIONS, PARTS, perform_mouse
from crosscale.synthesis.named import NAMED_ACTIONS
from crosscale.synthesis.recording import ClipName, Recording, perform_scene, record_clips
from crosscale.synthesis.write import skeleton_text
from crosscale.utils.files import atomic_folder
from crosscale.utils.progress import tracked

ACTORS, LABELLED = 8, 3  # of whom the first are labelled
FEW = 3  # actors, of the formats that are there to be looked at
COUNT = 85  # recordings of all formats
FRAMES = (45, 90)  # the shortest and the longest clip
EXERCISES = {  # by what they are called here
    "squat": "squat", "sit": "sit down", "stand": "stand up", "lift": "pick up", "wave": "wave",
}  # fmt: skip
_README = """These recordings are SYNTHETIC: stick figures perform motion programs, no person and no
animal was recorded. They have the formats of real ones, 30 frames a second.

mediapipe/      a JSON file a video, eight people doing five exercises; mediapipe.csv labels three
openpose/       a folder a video, a JSON file a frame
bvh/            motion capture, a folder an action
skeleton/       Kinect v2 as NTU RGB+D writes it, two people in each, a folder an action
deeplabcut/     tables of mice seen from above, a folder an action; mouse.yaml is their layout

crosscale prepare auto mediapipe --table mediapipe.csv --out stores/exercises
crosscale prepare auto openpose --pattern '(?P<label>[a-z]+)_' --out stores/videos
crosscale prepare auto bvh --label-from-folder --out stores/capture
crosscale prepare auto skeleton --label-from-folder --out stores/pairs
crosscale prepare auto deeplabcut --layout mouse.yaml --label-from-folder --out stores/mice
"""


def write_examples(out: Path, seed: int = 0) -> int:
    """Write a folder of recordings in each of five formats.

    Args:
        out: the folder, which appears when it is complete.
        seed: the same seed gives the same files.

    Returns:
        How many recordings.

    Raises:
        CrosscaleError: when `out` is there already or cannot be written.
    """
    with atomic_folder(out) as folder:
        (folder / "README.txt").write_text(_README)
        written = chain.from_iterable(write(folder, seed) for write in _FORMATS)
        return sum(1 for _ in tracked(written, "writing recordings", COUNT))


def example_recording(seed: int = 0) -> tuple[str, str]:
    """The name and the text of one MediaPipe file, of an actor who is not labelled."""
    exercise = "squat"
    text = _mediapipe(_recorded(EXERCISES[exercise], ACTORS, seed))
    return f"{exercise}_actor{ACTORS}.json", text


def _exercises(folder: Path, seed: int) -> Iterator[str]:
    (folder / "mediapipe").mkdir()
    rows = ["name,label"]
    for name, exercise, actor in _plan(EXERCISES, ACTORS):
        text = _mediapipe(_recorded(EXERCISES[exercise], actor, seed))
        (folder / "mediapipe" / f"{name}.json").write_text(text)
        if actor <= LABELLED:
            rows.append(f"{name},{exercise}")
        yield name
    (folder / "mediapipe.csv").write_text("\n".join([*rows, ""]))


def _videos(folder: Path, seed: int) -> Iterator[str]:
    for name, action, actor in _plan(("clap", "jump"), FEW):
        seen = seen_as(_recorded(action, actor, seed).coordinates[:, 0], "openpose25")
        write_openpose(folder / "openpose" / name, list(in_pixels(seen)[:, None]))
        yield name


def _capture(folder: Path, seed: int) -> Iterator[str]:
    for name, action, actor in _plan(("throw", "kick", "bow"), FEW):
        scene = perform_scene(_clip(action, actor), seed, FRAMES)
        path = _in_folder(folder / "bvh", action, name)
        path.with_suffix(".bvh").write_text(bvh_text(scene[:, 0]))
        yield name


def _pairs(folder: Path, seed: int) -> Iterator[str]:
    for name, action, actor in _plan(("handshake", "push"), FEW):
        path = _in_folder(folder / "skeleton", action, name)
        path.with_suffix(".skeleton").write_text(skeleton_text(_recorded(action, actor, seed)))
        yield name


def _mice(folder: Path, seed: int) -> Iterator[str]:
    (folder / "mouse.yaml").write_text(LAYOUT)
    for action in MOUSE_ACTIONS:
        for mouse in range(1, FEW + 1):
            for take in (1, 2):
                path = _in_folder(folder / "deeplabcut", action, f"mouse{mouse}_{take}")
                found = perform_mouse(action, mouse, take, seed)
                write_deeplabcut(path.parent, path.name, list(PARTS), found)
                yield path.name


# Each yields the name of a recording that it has written.
_FORMATS: tuple[Callable[[Path, int], Iterator[str]], ...] = (
    _exercises,
    _videos,
    _capture,
    _pairs,
    _mice,
)


def _plan(actions: Iterable[str], actors: int) -> Iterator[tuple[str, str, int]]:
    """Name, action and actor of each recording."""
    for action in actions:
        for actor in range(1, actors + 1):
            yield f"{action}_actor{actor}", action, actor


def _clip(action: str, actor: int) -> ClipName:
    names = [one.name for one in NAMED_ACTIONS]
    return ClipName(subject=actor, repetition=1, action=1 + names.index(action), camera=1)


def _recorded(action: str, actor: int, seed: int) -> Recording:
    (recording,) = record_clips([_clip(action, actor)], seed, FRAMES)
    return recording


def _mediapipe(recording: Recording) -> str:
    return mediapipe_json(seen_as(recording.coordinates[:, 0], "blazepose33"))


def _in_folder(folder: Path, action: str, name: str) -> Path:
    (folder / action).mkdir(parents=True, exist_ok=True)
    return folder / action / name
