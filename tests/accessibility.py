"""What axe-core finds wrong with a page in a browser; it comes from npm, at the first use."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

VERSION = "4.14.1"
GRAVE = ("serious", "critical")


def axe() -> str:
    """The script: of the file that CROSSCALE_AXE names, kept from before, or from npm."""
    if named := os.environ.get("CROSSCALE_AXE"):
        return Path(named).read_text(encoding="utf-8")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "crosscale-tests"
    kept = folder / f"axe-{VERSION}.js"
    if not kept.exists():
        if shutil.which("npm") is None:
            pytest.skip("axe-core cannot be had without npm; CROSSCALE_AXE may name axe.min.js")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
            with tarfile.open(folder / f"axe-core-{VERSION}.tgz") as packed:
                script = packed.extractfile("package/axe.min.js")
                assert script is not None
                part = folder / f"axe-{os.getpid()}.part"
                part.write_bytes(script.read())
                part.replace(kept)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"axe-core cannot be fetched from npm: {error}")
    return kept.read_text(encoding="utf-8")


def findings(page) -> list[str]:
    """The grave findings on an opened page, a line each."""
    page.evaluate(axe())
    return [
        f"{found['id']}: {found['help']}, as at {found['nodes'][0]['target']}"
        for found in page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        if found["impact"] in GRAVE
    ]
