"""Writing that leaves either the old state or the new one, never half of it.

What is being written lies beside its target under a hidden name, claimed by a lock that the system
ends with the process. What a killed process left behind is taken away when the same target is
written next.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from crosscale.errors import CrosscaleError
from crosscale.utils.progress import progress

LOCK = ".writing"
HALF = ".half"  # ending of what is not whole yet
_HERE, _EXCHANGE = -100, 2  # Linux's AT_FDCWD and RENAME_EXCHANGE
# These come without a file name, and only writing causes them.
_WRITING_ONLY = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def atomic_path(target: Path | str) -> AbstractContextManager[Path]:
    """Give a temporary path beside `target` that replaces it when the block succeeds.

    Whatever else the block raises passes through unchanged.

    Raises:
        CrosscaleError: when the file cannot be written (full disk, read-only folder).
    """
    return _atomic(Path(target), is_folder=False, overwrite=True)


def atomic_folder(
    target: Path | str, *, overwrite: bool | None = None
) -> AbstractContextManager[Path]:
    """Give a temporary folder beside `target` that takes its place when the block succeeds.

    A reader that holds files of a replaced folder open keeps reading the old ones.
    Whatever else the block raises passes through unchanged.

    Args:
        target: the folder to make.
        overwrite: whether it may replace another; None where no option of the command lets it.

    Raises:
        CrosscaleError: when `target` exists and `overwrite` is not true, or cannot be written.
    """
    return _atomic(Path(target), is_folder=True, overwrite=overwrite)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other processes from writing in a folder while the block runs; makes the folder.

    The lock is the system's and ends with the process, however that ends.

    Raises:
        CrosscaleError: when another process has it, or the folder cannot be written.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CrosscaleError(
                f"{folder} is being written by another process; wait for it, or take another folder"
            ) from None
        yield


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    digest, size = hashlib.sha256(), Path(path).stat().st_size
    with Path(path).open("rb") as file, progress("reading, in MiB", size >> 20) as advance:
        while block := file.read(2**20):
            digest.update(block)
            advance(1)
    return digest.hexdigest()


@contextmanager
def _atomic(target: Path, *, is_folder: bool, overwrite: bool | None) -> Iterator[Path]:
    if target.exists() and not overwrite:
        way_on = "" if overwrite is None else " or say --overwrite"
        raise CrosscaleError(f"{target} exists already; choose another folder{way_on}")
    with _begun(target, is_folder) as temporary:
        with _explained(target, temporary):
            yield temporary
        with _explained(target):
            for path in (temporary, *temporary.rglob("*")):
                _sync(path)
            temporary.chmod((0o777 if is_folder else 0o666) & ~_umask())
            if is_folder and overwrite and target.exists():
                _swap_in(temporary, target)
            else:
                temporary.replace(target)
            _sync(target.parent)


@contextmanager
def _begun(target: Path, is_folder: bool) -> Iterator[Path]:
    """Something new beside `target`, claimed for the block and taken away after it.

    It has its name before it is there: an interruption at any moment finds what to take away.
    """
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(target)
    claim = None
    while claim is None:
        temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}{HALF}"
        try:
            with _explained(target):
                temporary.mkdir(0o700) if is_folder else temporary.touch(0o600, exist_ok=False)
                claim = _claim(temporary)
            if claim is not None:
                yield temporary
            # Else another process that was clearing up took it for a dead one's, and removes it.
        finally:
            _remove(temporary)
            if claim is not None:
                os.close(claim)


def _remove(path: Path) -> None:
    with suppress(OSError):  # gone already, or another user's
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _clear(target: Path) -> None:
    """Take away what killed processes left of earlier tries to write `target`."""
    for left in list(target.parent.iterdir()):
        if not (left.name.startswith(f".{target.name}.") and left.name.endswith(HALF)):
            continue
        claim = _claim(left, sure=True)
        if claim is not None:
            _remove(left)
            os.close(claim)


def _claim(path: Path, *, sure: bool = False) -> int | None:
    """A descriptor that locks `path` for as long as it is open; None when another process has it.

    On a file system without such locks there is a descriptor all the same, unless one must be sure.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError:
        if sure:
            return None
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_mine = os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        is_mine = False
    except OSError:
        is_mine = not sure
    if not is_mine:
        os.close(descriptor)
    return descriptor if is_mine else None


def _swap_in(new: Path, target: Path) -> None:
    """Put `new` in the place of `target`, or leave `target` where it was."""
    if _exchange(new, target):
        return
    # Elsewhere a process that is killed between two renames leaves the old one aside.
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    old = aside / target.name
    try:
        target.replace(old)
        new.replace(target)
    except BaseException:
        if old.exists():
            old.replace(target)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths trade places in one step; false where the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    return done == 0


@contextmanager
def _explained(target: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name `target` in any OSError; with `temporary`, only in one that writing it caused."""
    try:
        yield
    except OSError as error:
        if temporary is not None and not _from_writing(error, temporary):
            raise
        raise CrosscaleError(f"cannot write {target}: {error.strerror or error}") from error


def _from_writing(error: OSError, temporary: Path) -> bool:
    if error.errno in _WRITING_ONLY:
        return True
    # `ndarray.tofile`, and so `np.save`, says no more than this when the disk is full.
    if error.errno is None and "requested and" in str(error):
        return True
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str | Path)]
    return any(Path(name).is_relative_to(temporary) for name in names)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
