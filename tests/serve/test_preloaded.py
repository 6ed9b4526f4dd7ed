"""Processes that read uploads are forked from one that has loaded all they need."""

import subprocess
import sys

import pytest
from uploads_made import npz

from crosscale.serve.uploads import FILES

READ = """
import sys
from pathlib import Path
from crosscale.serve.limits import Limits
from crosscale.serve.reading import AUTO, read_upload

before = set(sys.modules)
read_upload(Path(sys.argv[1]), AUTO, None, "part10", Limits())
large = {"crosscale", "scipy", "numba", "pyarrow", "pandas", "h5py", "torch"}
print(*(name for name in set(sys.modules) - before if name.partition(".")[0] in large))
"""


@pytest.mark.parametrize("preloaded", [True, False])
def test_a_reading_has_nothing_left_to_load(preloaded, act, tmp_path):
    (tmp_path / FILES).mkdir()
    (tmp_path / FILES / "upload_0000.npz").write_bytes(npz(act("bow"), layout="blazepose33"))
    script = ("import crosscale.serve.preloaded\n" if preloaded else "") + READ
    command = [sys.executable, "-c", script, tmp_path]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (told.split() == []) == preloaded
