"""`crosscale examples`."""

import shlex
from pathlib import Path

from crosscale.cli.console import plain_console


def examples(out: Path, *, seed: int = 0) -> int:
    """Write example recordings of five formats, to try things on.

        crosscale examples recordings

    They are synthetic: people at exercises as MediaPipe, OpenPose, a BVH file and a Kinect see
    them, and mice as DeepLabCut does. README.txt among them says what is where.

    Args:
        out: the folder to make.
        seed: the same seed gives the same files.

    Returns:
        How many recordings were written.
    """
    from crosscale.synthesis.examples import write_examples

    count = write_examples(out, seed)
    folder = shlex.quote(str(out))
    plain_console().print(f"""{count} recordings written to {out}. What to do next, for example:

crosscale prepare auto {folder}/mediapipe --table {folder}/mediapipe.csv --out stores/exercises
crosscale classify body stores/exercises --out named.csv
crosscale view stores/exercises --out clips.html

The second names the clips that the table does not label; their names tell what is right.
For the other formats, and for mice, see {out}/README.txt.""")
    return count
