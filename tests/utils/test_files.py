# A block that fails half-way is what is tested here, so it has more than one statement.
# ruff: noqa: PT012

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.utils import files
from crosscale.utils.files import atomic_folder, atomic_path, only_writer, sha256

# Opening it for writing works, every write to it fails as on a full disk.
FULL_DISK = Path("/dev/full")
needs_full_disk = pytest.mark.skipif(not FULL_DISK.exists(), reason="needs /dev/full")


class Interrupted(Exception):
    pass


def contents(folder: Path) -> dict[str, str]:
    """Every file below `folder`, hidden ones too, by its relative name."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def write_folder(target: Path, text: str, *, overwrite: bool = False) -> None:
    with atomic_folder(target, overwrite=overwrite) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "data.txt").write_text(text)


# A file


def test_a_file_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "new" / "result.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
        assert temporary.parent == target.parent, "a rename is atomic on one file system only"
    assert contents(target.parent) == {"result.txt": "whole"}


def test_a_file_replaces_the_old_one(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with atomic_path(str(target)) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert contents(tmp_path) == {"result.txt": "new"}


@pytest.mark.parametrize("fault", [Interrupted, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path, fault):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(fault), atomic_path(target) as temporary:
        temporary.write_text("ha")
        raise fault
    assert contents(tmp_path) == {"result.txt": "old"}


def test_a_failed_rename_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "result.txt"
    target.write_text("old")

    def refuse(self, target):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*result\.txt: Input/output error"),
        atomic_path(target) as temporary,
    ):
        temporary.write_text("new")
    assert contents(tmp_path) == {"result.txt": "old"}


def test_a_new_file_has_the_rights_that_the_umask_grants(tmp_path):
    target = tmp_path / "result.txt"
    mask = os.umask(0o027)
    try:
        with atomic_path(target) as temporary:
            temporary.write_text("x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


# A folder


def test_a_folder_appears_whole(tmp_path):
    target = tmp_path / "deep" / "store"
    with atomic_folder(target) as folder:
        (folder / "a.txt").write_text("a")
        assert not target.exists()
    assert contents(target.parent) == {"store": "folder", "store/a.txt": "a"}


def test_all_is_on_the_disk_before_it_has_its_name_and_then_the_name(tmp_path, monkeypatch):
    target, told = tmp_path / "results", []

    def sync(descriptor):
        told.append((os.fstat(descriptor).st_ino, target.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    write_folder(target, "new")
    written = [(path.stat().st_ino, False) for path in (target, *target.rglob("*"))]
    assert len(written) == 3
    assert sorted(told[:-1]) == sorted(written)
    assert told[-1] == (tmp_path.stat().st_ino, True)


def test_an_existing_folder_is_kept_unless_told_otherwise(tmp_path):
    target = tmp_path / "store"
    write_folder(target, "old")
    before = contents(tmp_path)
    with pytest.raises(CrosscaleError, match=r"store exists already; .*--overwrite"):
        write_folder(target, "new")
    with (
        pytest.raises(CrosscaleError, match=r"store exists already; choose another folder$"),
        atomic_folder(target),
    ):
        pass
    assert contents(tmp_path) == before


def test_overwriting_replaces_the_whole_folder(tmp_path):
    target = tmp_path / "store"
    write_folder(target, "old")
    (target / "stale.txt").write_text("of the old one")
    write_folder(target, "new", overwrite=True)
    assert contents(target) == {"part": "folder", "part/data.txt": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_overwriting_needs_no_old_folder(tmp_path):
    write_folder(tmp_path / "store", "first", overwrite=True)
    assert (tmp_path / "store" / "part" / "data.txt").read_text() == "first"


def test_a_reader_of_the_replaced_folder_reads_on(tmp_path):
    target = tmp_path / "store"
    write_folder(target, "old")
    with (target / "part" / "data.txt").open() as reader:
        write_folder(target, "new", overwrite=True)
        assert reader.read() == "old"


@pytest.mark.parametrize("fault", [Interrupted, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_folder_and_nothing_else(tmp_path, fault):
    target = tmp_path / "store"
    write_folder(target, "old")
    before = contents(tmp_path)
    with pytest.raises(fault), atomic_folder(target, overwrite=True) as folder:
        (folder / "half.txt").write_text("ha")
        raise fault
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_moved_in_leaves_the_old_one_in_its_place(tmp_path, monkeypatch):
    target = tmp_path / "store"
    write_folder(target, "old")
    before = contents(tmp_path)
    rename = Path.replace
    calls = []

    def refuse_the_second(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", refuse_the_second)
    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    with pytest.raises(CrosscaleError, match=r"cannot write .*store: Input/output error"):
        write_folder(target, "new", overwrite=True)
    assert len(calls) == 3, "old aside, new in (refused), old back"
    assert contents(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this step")
def test_old_and_new_folder_trade_places_in_one_step(tmp_path, monkeypatch):
    target = tmp_path / "store"
    write_folder(target, "old")
    renamed = []
    monkeypatch.setattr(Path, "replace", lambda self, other: renamed.append(self))
    write_folder(target, "new", overwrite=True)
    assert not renamed, "between two renames there would be no store"
    assert contents(target) == {"part": "folder", "part/data.txt": "new"}


def test_a_folder_is_replaced_where_the_system_has_no_such_step(tmp_path, monkeypatch):
    target = tmp_path / "store"
    write_folder(target, "old")
    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    write_folder(target, "new", overwrite=True)
    assert contents(target) == {"part": "folder", "part/data.txt": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_folder_that_another_made_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "store"
    with pytest.raises(CrosscaleError, match=r"cannot write .*store"), atomic_folder(target) as new:
        (new / "mine.txt").write_text("mine")
        target.mkdir()
        (target / "theirs.txt").write_text("theirs")
    assert contents(tmp_path) == {"store": "folder", "store/theirs.txt": "theirs"}


# What an interrupted process leaves behind


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_ctrl_c_at_any_line_before_the_block_leaves_nothing(tmp_path, atomic):
    lines = 0
    while interrupted_at(lines, atomic, tmp_path / "out"):
        assert contents(tmp_path) == {}
        lines += 1
    assert lines > 20
    assert (tmp_path / "out").exists()


def interrupted_at(line, atomic, target):
    """Whether so many lines of `files` run before the block: the next one is interrupted."""
    left = line

    def interrupt(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            left -= 1
        return interrupt

    before = sys.gettrace()
    try:
        sys.settrace(interrupt)
        with atomic(target):
            sys.settrace(None)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


# What a killed process leaves behind

KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from crosscale.utils import files
with getattr(files, sys.argv[1])(sys.argv[2]) as half:
    print(half.name, flush=True)
    if sys.argv[3] == "wait":
        sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def in_the_middle(atomic, target, then):
    """A process that writes `target`, or was killed while it did, and its temporary's name."""
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, atomic.__name__, str(target), then]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_what_a_killed_process_left_goes_when_the_target_is_written_next(tmp_path, atomic):
    target = tmp_path / "target"
    process, left = in_the_middle(atomic, target, "die")
    process.wait()
    (tmp_path / ".target.settings").write_text("mine")
    (tmp_path / ".target2.x.half").write_text("of another target")
    assert left in contents(tmp_path)
    with atomic(target):
        assert left not in contents(tmp_path)
    assert contents(tmp_path).keys() == {"target", ".target.settings", ".target2.x.half"}


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_what_a_living_process_is_writing_is_left_alone(tmp_path, atomic):
    process, half = in_the_middle(atomic, tmp_path / "target", "wait")
    try:
        with atomic(tmp_path / "target"):
            assert half in contents(tmp_path)
        assert half in contents(tmp_path)
    finally:
        process.communicate("")


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_nothing_is_taken_away_where_the_file_system_has_no_locks(tmp_path, monkeypatch, atomic):
    process, left = in_the_middle(atomic, tmp_path / "target", "die")
    process.wait()

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", unsupported)
    with atomic(tmp_path / "target"):
        pass
    assert contents(tmp_path).keys() == {"target", left}


# Errors name the target when writing is what failed, and only then


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_target_below_a_file_is_named(tmp_path, atomic):
    (tmp_path / "file").write_text("not a folder")
    target = tmp_path / "file" / "target"
    with pytest.raises(CrosscaleError, match=r"cannot write .*file/target: "), atomic(target):
        pytest.fail("the block must not run")
    assert contents(tmp_path) == {"file": "not a folder"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_read_only_folder_is_named(tmp_path, atomic):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(CrosscaleError, match="Permission denied"), atomic(tmp_path / "target"):
            pytest.fail("the block must not run")
    finally:
        tmp_path.chmod(0o755)


def test_a_file_does_not_replace_a_folder(tmp_path):
    target = tmp_path / "store"
    write_folder(target, "old")
    before = contents(tmp_path)
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*store: Is a directory"),
        atomic_path(target) as temporary,
    ):
        temporary.write_text("a file")
    assert contents(tmp_path) == before


@needs_full_disk
@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_full_disk_is_named(tmp_path, atomic):
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*target: No space left"),
        atomic(tmp_path / "target"),
        FULL_DISK.open("w") as file,
    ):
        file.write("x" * 100_000)
    assert contents(tmp_path) == {}


@needs_full_disk
def test_a_full_disk_is_named_when_numpy_writes(tmp_path):
    """NumPy's error has no number and no file name."""
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*target: .*written"),
        atomic_path(tmp_path / "target"),
        FULL_DISK.open("wb") as file,
    ):
        np.zeros(100_000).tofile(file)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_errors_that_only_writing_causes_name_the_target(tmp_path, number):
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*target: "),
        atomic_path(tmp_path / "target"),
    ):
        raise OSError(number, os.strerror(number))


def test_an_error_about_a_file_inside_the_new_folder_names_the_target(tmp_path):
    with (
        pytest.raises(CrosscaleError, match=r"cannot write .*store: Not a directory"),
        atomic_folder(tmp_path / "store") as folder,
    ):
        (folder / "a").write_text("a file")
        (folder / "a" / "b").write_text("below a file")
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_missing_input_is_not_blamed_on_the_target(tmp_path, atomic):
    absent = tmp_path / "input.txt"
    with pytest.raises(FileNotFoundError) as caught, atomic(tmp_path / "target"):
        absent.read_text()
    assert caught.value.filename == str(absent)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("error", [ConnectionResetError("peer"), OSError("damaged archive")])
def test_an_unrelated_error_passes_through(tmp_path, error):
    with pytest.raises(OSError, match=str(error)) as caught, atomic_path(tmp_path / "target"):
        raise error
    assert caught.value is error


# Checksums


@pytest.mark.parametrize("size", [0, 1, 1_000_003])
def test_the_checksum_is_that_of_the_bytes(tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    (tmp_path / "file").write_bytes(data)
    assert sha256(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_only_one_process_writes_in_a_folder_and_the_lock_ends_with_it(tmp_path):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from crosscale.utils.files import only_writer\n"
        "with only_writer(Path(sys.argv[1])):\n"
        "    print('in', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(CrosscaleError, match="is being written by another process"):
            _write_in(tmp_path / "run")
    finally:
        other.kill()
        other.wait()
    _write_in(tmp_path / "run")


def _write_in(folder):
    with only_writer(folder):
        pass
