"""Whether a reader did right by a file: whole clips, or one line that names the file."""

import itertools
import os
import re
import resource
import shutil
import signal
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
from samples import Sample

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.auto import recognise
from crosscale.readers.datasets.skeleton_text import parse
from crosscale.readers.prepare import prepare
from crosscale.skeleton.layout import Layout, builtin_layouts

SECONDS = 5.0  # of the processor's time
# For a file of some kilobytes: bytes by which the process may grow, and those that it may ask for.
GROWTH, MOST = 160 << 20, 6 << 30
LONGEST_MESSAGE = 1000
# Neither a picture nor a room is larger.
FARTHEST = 1.001e9  # readers take 1e9, in a unit of their own: it may be rounded
# A skeleton that is not known is shown as a layout file to be filled in.
# Readers that ask libraries tell of whatever these raise.
NOT_FORESEEN = re.compile("not foreseen|MemoryError|[Uu]nable to allocate|out of memory")
parse(b"1\n0\n", joints=25)  # else compiling would count as the first file's time
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
LAYOUT_SHOWN = re.compile(r"put this into a file, fill in .* --layout", re.DOTALL)

_numbers = itertools.count()
# A layout of the package takes longer to parse than most of these files take to be read.
_load = Layout.load
_builtin = cache(_load)


def _load_once(name: str | Path) -> Layout:
    return (_builtin if str(name) in builtin_layouts() else _load)(name)


class Fault(BaseException):
    """A reader did wrong; no `except Exception` of a reader can hide it."""


def judge(sample: Sample, content: bytes) -> str:
    """Read a sample whose file has another content, as `crosscale prepare` does.

    Returns:
        "read" or "told".

    Raises:
        Fault: for anything but whole clips or a line that names the file, and for what takes
            long or needs much memory.
    """
    with _scratch() as scratch, _bounded(), patch.object(Layout, "load", _load_once):
        folder = scratch / "in"
        for path, data in (sample.files | {sample.damaged: content}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        try:
            if sample.read:
                sample.read(folder / sample.damaged)
                return "read"
            return _prepared(sample, folder)
        except CrosscaleError as error:
            _judge_message(str(error), sample, folder)
            return "told"
        except Exception as error:
            raise Fault(f"{type(error).__name__}: {error}"[:300]) from error


def _prepared(sample: Sample, folder: Path) -> str:
    source = folder / sample.source
    with suppress(CrosscaleError):
        recognise(source)
    options = {key: text.format(folder=folder) for key, text in sample.options.items()}
    reader = make_reader(sample.source_format, **options)
    report = prepare(reader, source, folder.with_name("store"), workers=1)
    for one in report.skipped:
        _judge_message(one.reason, sample, folder)
    _judge_store(ClipStore.open(report.store))
    return "told" if report.skipped else "read"


def _judge_message(told: str, sample: Sample, folder: Path) -> None:
    if NOT_FORESEEN.search(told):
        raise Fault(told[:300])
    names = {Path(path).name for path in sample.files} | {Path(path).stem for path in sample.files}
    if not any(name in told for name in {*names, str(folder)}):
        raise Fault(f"names no file: {told}")
    if LAYOUT_SHOWN.search(told):
        return
    if len(told) > LONGEST_MESSAGE or UNPRINTABLE & set(map(unicodedata.category, told)):
        raise Fault(f"is no short line of print: {told[:300]!r}")


def _judge_store(store: ClipStore) -> None:
    store.verify()
    for i in range(len(store)):
        x = np.asarray(store.coordinates(i))
        absent = np.isnan(x).all((2, 3))
        if not (np.isfinite(x).all((2, 3)) | absent).all() or absent.all():
            raise Fault(f"a clip with numbers that are none: {store.names[i]}")
        if np.nanmax(np.abs(x)) > FARTHEST:
            raise Fault(f"a clip with a joint at {np.nanmax(np.abs(x)):g}")


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of a name that was never there before, since readers remember what they opened."""
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    folder = base / f"crosscale-fuzz-{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _bounded() -> Iterator[None]:
    """Time and memory are bounded inside."""

    def stop(*_: object) -> None:
        raise Fault(f"takes more than {SECONDS:g} seconds")

    before, limits = signal.signal(signal.SIGPROF, stop), resource.getrlimit(resource.RLIMIT_AS)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + MOST, limits[1]))
    begin, resident = time.process_time(), _most_resident()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if (growth := _most_resident() - resident) > GROWTH:
        raise Fault(f"needs {growth >> 20} MiB")
    if time.process_time() - begin > SECONDS:
        raise Fault(f"takes more than {SECONDS:g} seconds")


def _most_resident() -> int:
    """The most memory that the process ever had, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _mapped() -> int:
    """Bytes of addresses that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
