import importlib
import re
import sys

import pytest

from crosscale.errors import CrosscaleError, most_like, nearest, needs
from crosscale.evaluation.plots import drawn


def test_a_mistyped_name_is_answered_with_the_nearest_or_with_all():
    assert nearest("wvae", ["bow", "wave"]) == "did you mean 'wave'?"
    assert nearest("training.epoch", ["a.b", "training.epochs"]).endswith("epochs'?")
    assert nearest("xyz", ["wave", "bow"]) == "there are bow, wave"


def test_names_too_many_for_a_line_are_counted():
    names = [f"clip{i:04d}" for i in range(2000)]
    assert nearest("xyz", names) == "there are 2,000, from 'clip0000' to 'clip1999'"


def test_of_many_names_the_five_most_like_a_wrong_one_are_told():
    names = [f"{action}/take_{i:02d}" for action in ("bow", "wave") for i in range(20)]
    told = re.findall("'([^']+)'", most_like("take_7", names))
    assert len(told) == 5
    assert {"bow/take_07", "wave/take_07"} <= {*told}
    assert most_like("wave", names).count("'wave/") == 5
    assert most_like("xyz", ["bow"]) == "there is 'bow' alone"
    assert most_like("xyz", []) == "there are none"


def test_a_missing_library_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    told = "a.h5 needs h5py: pip install 'crosscale[hdf5]'"
    with (
        pytest.raises(CrosscaleError, match=f"^{re.escape(told)}$"),
        needs("a.h5", extra="hdf5"),
    ):
        importlib.import_module("h5py")


def test_a_fault_in_an_import_of_this_package_is_no_missing_library():
    with pytest.raises(ModuleNotFoundError), needs("anything", extra="train"):
        importlib.import_module("crosscale.absent")


def test_what_draws_says_which_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = "drawing figures needs matplotlib: pip install 'crosscale[plots]'"
    with pytest.raises(CrosscaleError, match=f"^{re.escape(told)}$"), drawn(1, 1):
        pass
