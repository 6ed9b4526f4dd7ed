"""Nothing in the package runs what a file or a request says."""

from pathlib import Path

import pytest
from dangerous_calls import dangers

import crosscale

SOURCE = Path(crosscale.__file__).parent
# The one unpickler, to which only plain data exist; tests/readers/test_pickles.py is against it.
RESTRICTED = ("readers/safe/pickles.py", "an unpickler")


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_no_module_runs_what_it_reads(path):
    name = path.relative_to(SOURCE).as_posix()
    found = [one for one in dangers(path.read_text()) if (name, one.what) != RESTRICTED]
    assert found == []


def test_the_one_unpickler_is_where_it_is_thought_to_be():
    name, what = RESTRICTED
    assert [one.what for one in dangers((SOURCE / name).read_text())] == [what]


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.load(f)",
        "import pickle as p\np.loads(f)",
        "from pickle import load as read\nread(f)",
        "import pickle\nread = pickle.loads",
        "import pickle\npickle.Unpickler(f).load()",
        "import pickle\nclass Mine(pickle.Unpickler): ...",
        "import marshal\nmarshal.loads(f)",
        "import shelve\nshelve.open(f)",
        "import joblib\njoblib.load(f)",
        "import torch\ntorch.load(f)",
        "import torch\ntorch.load(f, weights_only=False)",
        "import torch\ntorch.load(f, weights_only=choice)",
        "from torch import load\nload(f)",
        "eval(text)",
        "exec(text)",
        "compile(text, 'x', 'exec')",
        "import builtins\nbuiltins.exec(text)",
        "__import__(name)",
        "import yaml\nyaml.load(f)",
        "import yaml\nyaml.load(f, Loader=yaml.Loader)",
        "import yaml\nyaml.load(f, yaml.FullLoader)",
        "import yaml\nyaml.unsafe_load(f)",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import numpy as np\nnp.load(f, allow_pickle=choice)",
        "import subprocess\nsubprocess.run(line, shell=True)",
        "import os\nos.system(line)",
        "tar.extractall(folder)",
        "import shutil\nshutil.unpack_archive(f)",
        "import zipfile\nzipfile.ZipFile(f).extract(member)",
    ],
)
def test_each_dangerous_call_would_be_found(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(f, weights_only=True)",
        "import torch\ntorch.compile(network)",
        "import re\nre.compile(pattern)",
        "network.eval()",
        "import yaml\nyaml.safe_load(f)",
        "import yaml\nyaml.load(f, Loader=yaml.BaseLoader)",
        "import numpy as np\nnp.load(f)",
        "import numpy as np\nnp.load(f, allow_pickle=False)",
        "import json\njson.load(f)",
        "import subprocess\nsubprocess.run(words)",
        "tar.extractfile(member)",
    ],
)
def test_what_is_harmless_is_not_found(source):
    assert dangers(source) == []
