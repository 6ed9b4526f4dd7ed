"""A device that is not there is told in one line, by whichever command it was named to."""

import pytest
import torch

from crosscale.cli import USER_ERROR, main
from crosscale.errors import CrosscaleError
from crosscale.models.model import load_model
from crosscale.training.distributed import team_fabric
from crosscale.utils.devices import usable
from stick_figures import acted_clips, write_clips

ABSENT = [name for name in ("cuda", "cuda:0") if not torch.cuda.is_available()]
ABSENT += ["mps"] * (not torch.backends.mps.is_available()) + ["cdua", "cuda:99"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("devices") / "store", acted_clips()[:4]).path


@pytest.mark.parametrize("device", ABSENT)
@pytest.mark.parametrize(
    "command",
    [
        "pretrain own/skeletonclr --data {store} --out {out}",
        "embed parts {store} --out {out}.npz",
        "evaluate knn parts --data {store} --out {out}",
        "map parts --data {store} --out {out}.html",
        "benchmark parts {store} --out {out}",
        "retrain {store} {store} --out {out}",
    ],
)
def test_it_is_told_before_anything_is_done(command, device, store, tmp_path, capsys):
    words = command.format(store=store, out=tmp_path / "out").split()
    assert main([*words, "--device", device]) == USER_ERROR
    told = capsys.readouterr()
    assert told.err.startswith("crosscale: ")
    assert told.err.count("\n") == 1
    assert "cpu" in told.err
    assert not told.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ABSENT)
def test_python_is_told_so_too(device):
    for ask in (usable, lambda name: load_model("parts", device=name)):
        with pytest.raises(CrosscaleError):
            ask(device)


def test_the_device_that_is_there_is_taken():
    assert usable("cpu") == torch.device("cpu")
    assert team_fabric("32-true", "cpu").device.type == "cpu"
