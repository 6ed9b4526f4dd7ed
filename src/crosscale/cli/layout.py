"""`crosscale layout start`."""

from pathlib import Path

from crosscale.cli.console import plain_console
from crosscale.errors import CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.auto import recognise
from crosscale.readers.by_name import TellsJoints
from crosscale.skeleton.layout import UNKNOWN
from crosscale.skeleton.starter import START, starter_of, starter_text
from crosscale.utils.files import atomic_path
from crosscale.utils.text import counted


def start(source: Path, *, out: Path, source_format: str = "auto") -> Path:
    """Write the beginning of a layout for recordings whose joints have names of their own.

        crosscale layout start mice --out mouse.yaml

    Fill in what has a question mark, leave out joints as you like, look at it with
    `crosscale layout check`, and give it to `crosscale prepare` with --layout.

    Args:
        source: the folder or file with the recordings.
        out: the YAML file to write.
        source_format: the form of the recordings, as for `crosscale prepare`.

    Returns:
        The file written.
    """
    if out.exists():
        raise CrosscaleError(f"{out} exists already; choose another file")
    if source_format == "auto":
        source_format = recognise(source).source_format
    reader = make_reader(source_format)
    if not isinstance(reader, TellsJoints):
        raise CrosscaleError(
            f"recordings of {source_format} have a built-in layout: prepare them as they are"
        )
    joints = reader.joints_in(source)
    text = START + starter_text(starter_of(joints.names, joints.edges))
    with atomic_path(out) as path:
        path.write_text(text, encoding="utf-8")
    plain_console().print(
        f"{counted(len(joints.names), 'joint')} of {source_format} written to {out}; "
        f"{counted(text.count(UNKNOWN), 'place')} to be filled in"
    )
    return out
