"""Processes that read uploads are forked from one that has loaded all they need."""

import os
import subprocess
import sys
import textwrap

import pytest
from uploads_made import npz

from crosscale.serve.uploads import FILES

READ = """
import sys
from pathlib import Path
from crosscale.serve.limits import Limits
from crosscale.serve.reading import AUTO, read_upload
from crosscale.skeleton.layout import Layout

before = set(sys.modules)
read_upload(Path(sys.argv[1]), AUTO, None, Layout.load("part10"), Limits())
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


BEFORE = """
    import sys, time
    from pathlib import Path
    from crosscale.serve.isolated import Isolated

    def preloaded():
        return "slow_to_load" in sys.modules

    if __name__ == "__main__":
        isolated = Isolated(60, 2**29, ["slow_to_load"])
        deadline = time.monotonic() + 60
        while not Path("loaded").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        print(Path("loaded").exists(), isolated.call(preloaded))
"""


def test_what_readings_need_is_loaded_before_the_first(tmp_path):
    (tmp_path / "slow_to_load.py").write_text("import pathlib; pathlib.Path('loaded').touch()")
    (tmp_path / "waits.py").write_text(textwrap.dedent(BEFORE))
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    ran = subprocess.run(
        [sys.executable, "waits.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["True", "True"]
