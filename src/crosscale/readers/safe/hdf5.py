"""HDF5 files of strangers: opened, and looked at before they are read.

A name in an HDF5 file may lead to another file, and a dataset may take its bytes from any file on
the machine. Neither is followed: what is read lies in the file itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crosscale.errors import BadClip, needs
from crosscale.utils.text import shown

if TYPE_CHECKING:
    import h5py

ENDINGS = (".h5", ".hdf5")
SIGNATURE = b"\x89HDF\r\n\x1a\n"
# gzip makes nothing a thousandth; a file that claims more is not whole
MOST_PACKED = 1100


@contextmanager
def opened(path: Path) -> Iterator["h5py.File"]:
    """An HDF5 file to read.

    Raises:
        BadClip: when it is damaged, here or in the block.
        CrosscaleError: when the library that reads HDF5 is not installed.
    """
    with needs(f"{path.name} is HDF5, which", extra="hdf5"):
        import h5py
    try:
        with h5py.File(path, "r") as file:
            yield file
    except BadClip:
        raise
    except Exception as error:  # h5py fails in many ways on damaged files
        raise BadClip(f"is not a whole HDF5 file ({shown(error, 100)})") from None


def own_dataset(group: "h5py.Group", name: str) -> "h5py.Dataset | None":
    """The dataset of a name whose bytes lie in the file, or None where there is none.

    Raises:
        BadClip: when it leads out of the file.
    """
    import h5py

    link = group.get(name, getlink=True)
    if link is not None and not isinstance(link, h5py.HardLink):
        raise BadClip(f"{shown(name)} leads elsewhere, which is not followed")
    found = group.get(name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual:
        raise BadClip(f"{shown(name)} takes its numbers from another file, which is not opened")
    return found


def own_groups(file: "h5py.File") -> "list[h5py.Group]":
    """The groups at the top of a file that lie in it."""
    import h5py

    own = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    return [file[name] for name in own if isinstance(file[name], h5py.Group)]


def whole(dataset: "h5py.Dataset") -> np.ndarray:
    """All of a dataset, if the file can hold as much as it says.

    Raises:
        BadClip: when it cannot.
    """
    claimed, stored = int(dataset.nbytes), int(dataset.id.get_storage_size())
    if claimed > MOST_PACKED * max(1, stored):
        raise BadClip(
            f"{shown(dataset.name)} says {dataset.shape} numbers, but {stored} bytes are stored "
            "of them"
        )
    return np.asarray(dataset[()])
