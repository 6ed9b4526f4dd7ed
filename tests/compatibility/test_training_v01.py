"""Runs of the recipes of 0.1 come to the weights that 0.1 came to."""

import gzip
import importlib.util
import json
import platform
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

import crosscale
from crosscale.encoders.stgcn import ThinnedConvolution
from crosscale.training.state import LAST

V01 = Path(__file__).parents[1] / "v01"
MANIFEST = json.loads((V01 / "manifest.json").read_text())


def _module(name):
    spec = importlib.util.spec_from_file_location(name, V01 / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# One of each family; the other recipes are trained with the slow tests.
QUICK = {"corrected--aimclr", "paper--crosscale"}
DIGEST, UNPACK = _module("digest"), _module("unpack")


@pytest.fixture(autouse=True)
def strided_as_in_0_1(monkeypatch):
    """0.1 did not yet keep eight channels from a fault of oneDNN, which sums in another order."""
    monkeypatch.setattr(ThinnedConvolution, "FEW", 7)


def _same_machine() -> bool:
    """Bits are those of one PyTorch on one kind of processor."""
    made = MANIFEST["made_with"]
    return (made["torch"], made["machine"], made["cpu_capability"]) == (
        torch.__version__,
        platform.machine(),
        torch.backends.cpu.get_cpu_capability(),
    )


def _trained(tmp_path, made):
    return crosscale.pretrain(
        made["recipe"],
        V01 / "store",
        tmp_path / "run",
        settings={**made["changes"], "seed": made["seed"]},
        family=made["family"],
        device="cpu",
        say=lambda text: None,
    )


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in MANIFEST["steps"]],
)
def test_every_recipe_comes_to_the_weights_of_0_1(tmp_path, name):
    made = MANIFEST["steps"][name]
    encoder = _trained(tmp_path, made)
    found = DIGEST.tensors_of(encoder)
    kept = load(gzip.decompress((V01 / f"{made['file']}.gz").read_bytes()))
    assert found.keys() == kept.keys()
    if _same_machine():
        assert DIGEST.state_digest(found) == made["encoder"]
        model = DIGEST.tensors_of(tmp_path / "run" / LAST, "model/")
        assert DIGEST.state_digest(model) == made["model"]
        return
    # Some weights, such as biases before a normalisation, are rounding alone: all are compared at
    # once. Arithmetic of another kind of processor was 5e-5 apart.
    both = (torch.cat([side[name].double().flatten() for name in kept]) for side in (found, kept))
    ours, theirs = both
    assert float((ours - theirs).norm() / theirs.norm()) < 5e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", MANIFEST["settings"])
def test_other_settings_come_to_the_losses_of_0_1(tmp_path, name):
    made = MANIFEST["settings"][name]
    encoder = _trained(tmp_path, made)
    if _same_machine():
        assert DIGEST.state_digest(DIGEST.tensors_of(encoder)) == made["encoder"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert rows[0]["loss"] == pytest.approx(made["losses"][0], rel=1e-5)


def test_a_run_that_0_1_was_interrupted_in_goes_on(tmp_path):
    made = MANIFEST["interrupted"]
    run = UNPACK.unpack(V01 / made["folder"], tmp_path / "run")
    crosscale.pretrain(
        made["recipe"],
        V01 / "store",
        run,
        settings={**made["changes"], "seed": made["seed"]},
        family=made["family"],
        device="cpu",
        resume=True,
        say=lambda text: None,
    )
    assert (run / LAST).is_file()
    if _same_machine():
        model = DIGEST.tensors_of(run / LAST, "model/")
        assert DIGEST.state_digest(model) == made["resumed"]["model"]
