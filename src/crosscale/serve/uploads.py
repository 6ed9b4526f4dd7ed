"""Files of a request, put below names that the server makes up."""

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from crosscale.errors import CrosscaleError
from crosscale.serve.limits import Limits

FILES = "files"  # a folder below the request's own
LONGEST_NAME = 80  # letters shown
CLIP = "upload"  # what a clip of many files is called on disk
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}")
_FRAME = re.compile(r"_\d{12}_keypoints$", re.ASCII)
# Some formats tell in a file's name what no file tells inside. Such a name is made anew from its
# numbers: a pattern, and what is written for it.
_TELLING = (
    (re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)", re.ASCII), "a{}_s{}_e{}_v{}"),  # NW-UCLA
    (re.compile(r".*_(\d{12})_keypoints", re.ASCII), f"{CLIP}_{{}}_keypoints"),  # OpenPose
)
# Options that messages name, and what the page has in their place.
_OPTIONS = (
    (
        re.compile(r"(Complete a layout begun|Write a layout of such names).*"),
        "This page takes joints of built-in layouts, and of the encoder's own",
    ),
    (re.compile(r"prepare it apart, with --layout ([\w.]+)"), r"choose \1 at Joints"),
    (re.compile(r"`?--layout ([\w.]+)`?"), r"\1 at Joints"),
    (re.compile(r"`?--layout`?"), "Joints"),
    (re.compile(r"`?--([a-z-]+)"), r"\1"),
)


class Sent(Protocol):
    """A file of a request."""

    @property
    def filename(self) -> str | None:
        """As the sender calls it."""

    @property
    def file(self) -> BinaryIO:
        """Its bytes."""


@dataclass(frozen=True)
class Upload:
    """Files as they lie on disk.

    Attributes:
        folder: of the request; the files are in its folder `FILES`.
        names: what the senders called the files, by what they are called on disk, both without
            ending.
    """

    folder: Path
    names: dict[str, str]

    def called(self, name: str) -> str:
        """As the sender calls a clip; one out of a file of many clips has its name from there."""
        return self.names.get(name.rpartition("/")[2], shown(name))

    def told(self, message: str) -> str:
        """A message without the server's folders, in the sender's names."""
        for option, here in _OPTIONS:
            message = option.sub(here, message)
        files, here = str(self.folder / FILES), "the upload"
        told = {f"{files}/": "", files: here, str(self.folder): here, **self.names}
        # All at once, as a sender's name may look like one that the server made up.
        made = "|".join(re.escape(name) for name in sorted(told, key=len, reverse=True))
        return " ".join(re.sub(made, lambda found: told[found[0]], message).split())


@contextmanager
def stored(files: Sequence[Sent], limits: Limits) -> Iterator[Upload]:
    """Put files into a folder of their own for as long as the block lasts.

    No name of a request is ever part of a path.

    Raises:
        CrosscaleError: when there are none or too many.
    """
    if not files:
        raise CrosscaleError("there is no file: send one or more in the form's field 'files'")
    if len(files) > limits.files:
        raise CrosscaleError(f"{len(files)} files are too many: send at most {limits.files:,}")
    with tempfile.TemporaryDirectory(prefix="crosscale-") as name:
        folder = Path(name)
        (folder / FILES).mkdir()
        names: dict[str, str] = {}
        for number, sent in enumerate(files):
            given = re.split(r"[/\\]", sent.filename or "")[-1]
            made = _made_up(given, number)
            if made.stem in names:
                raise CrosscaleError(f"two files are called {shown(given)}: send one of them")
            names[made.stem] = shown(PurePosixPath(given).stem)
            if _FRAME.search(made.stem):
                names[CLIP] = shown(_FRAME.sub("", PurePosixPath(given).stem))
            with (folder / FILES / made).open("xb") as file:
                shutil.copyfileobj(sent.file, file)
        yield Upload(folder, names)


def shown(text: str) -> str:
    """A name of a stranger's, fit to be shown: short, in one line, of visible letters."""
    visible = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return visible[:LONGEST_NAME] or "unnamed"


def _made_up(given: str, number: int) -> Path:
    ending = PurePosixPath(given).suffix
    ending = ending.lower() if _ENDING.fullmatch(ending) else ""
    stem = PurePosixPath(given).stem
    for pattern, form in _TELLING:
        if told := pattern.fullmatch(stem):
            return Path(
                form.format(*(f"{int(part):0{len(part)}d}" for part in told.groups())) + ending
            )
    return Path(f"upload_{number:04d}{ending}")
