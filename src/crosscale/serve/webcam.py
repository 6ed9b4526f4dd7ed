"""The pose estimator that runs in the browser: npm's `@mediapipe/pose`, its models within.

It is not part of this package, since it has 40 MB. `crosscale webcam` fetches it once.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from crosscale.errors import CrosscaleError
from crosscale.utils.files import atomic_folder

PACKAGE = "@mediapipe/pose@0.5.1675469404"
# npm's `dist.integrity` of it: SHA-512, base64.
INTEGRITY = (
    "DFZsNWTsSphRIZppnUCuunzBiHP2FdJXR9ehc7mMi4KG+oPaOH0Em3d6kr7Py+TSyTXC1doH88KcF28k2sBxsQ=="
)
# Of the models, the middle one; the browser asks for no other.
FILES = {
    "pose.js": "text/javascript",
    "pose_web.binarypb": "application/octet-stream",
    "pose_landmark_full.tflite": "application/octet-stream",
    "pose_solution_packed_assets.data": "application/octet-stream",
    "pose_solution_packed_assets_loader.js": "text/javascript",
    "pose_solution_simd_wasm_bin.js": "text/javascript",
    "pose_solution_simd_wasm_bin.data": "application/octet-stream",
    "pose_solution_simd_wasm_bin.wasm": "application/wasm",
    "pose_solution_wasm_bin.js": "text/javascript",
    "pose_solution_wasm_bin.wasm": "application/wasm",
}


def usual_folder() -> Path:
    """Where the files are kept for this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "crosscale" / PACKAGE.replace("/", "-").lstrip("@")


def absent(folder: Path) -> str | None:
    """What to do when the files are not in a folder; None when they are."""
    if all((folder / name).is_file() for name in FILES):
        return None
    return "the pose estimator is not installed: run `crosscale webcam` once, and start again"


def install(archive: Path | None, out: Path) -> None:
    """Put the files into a folder, after a look at their checksum.

    Args:
        archive: the package as npm packs it; None has npm fetch it.
        out: the folder; what was there is replaced.

    Raises:
        CrosscaleError: when it cannot be fetched, or is not what was published.
    """
    with tempfile.TemporaryDirectory() as folder:
        packed = _fetched(Path(folder)) if archive is None else archive
        try:
            found = hashlib.sha512(packed.read_bytes()).digest()
        except OSError as error:
            raise CrosscaleError(f"cannot read {packed}: {error.strerror}") from error
        if found != base64.b64decode(INTEGRITY):
            raise CrosscaleError(
                f"{packed.name} is not {PACKAGE} as npm published it (its checksum differs): "
                "fetch it again"
            )
        with atomic_folder(out, overwrite=True) as unpacked, tarfile.open(packed) as tar:
            for name in FILES:
                member = tar.extractfile(f"package/{name}")
                assert member is not None, name  # the checksum says what is in it
                with (unpacked / name).open("wb") as file:
                    shutil.copyfileobj(member, file)


def _fetched(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise CrosscaleError(
            f"there is no npm here to fetch {PACKAGE}: run `npm pack {PACKAGE}` on another machine "
            "and name the file with --archive"
        )
    run = subprocess.run(
        [npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True, check=False
    )
    packed = list(folder.glob("*.tgz"))
    if run.returncode or len(packed) != 1:
        said = " ".join(run.stderr.split())[-200:]
        raise CrosscaleError(f"npm could not fetch {PACKAGE}: {said or 'it said nothing'}")
    return packed[0]
