"""Numpy files are mapped where possible and never unpickled."""

import ast
import re
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.utils.arrayfiles import open_array, open_arrays, release


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back_as_written(tmp_path, save, order):
    large = np.asarray(np.random.default_rng(0).normal(size=(400, 1000)), order=order)
    save(tmp_path / "a.npz", large=large, small=np.arange(3), words=np.array(["a", "bc"]))
    arrays = open_arrays(tmp_path / "a.npz")
    assert list(arrays) == ["large", "small", "words"]
    np.testing.assert_array_equal(arrays["large"], large)
    assert list(arrays["words"]) == ["a", "bc"]


def test_a_large_array_in_an_uncompressed_npz_is_mapped_not_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((1 << 20,)))
    mapped = open_arrays(tmp_path / "a.npz")["x"]
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable


@pytest.mark.parametrize("size", [3, 1 << 18])
def test_objects_are_refused(tmp_path, size):
    array = np.array([None] * size)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", x=array)
    with pytest.raises(CrosscaleError, match=r"a\.npy holds Python objects"):
        open_array(tmp_path / "a.npy")
    with pytest.raises(CrosscaleError, match=r"a\.npz holds Python objects"):
        open_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("keep", [0, 7, 60, 200, 4000])
def test_a_file_that_is_cut_off_is_named(tmp_path, keep):
    np.save(tmp_path / "whole.npy", np.zeros((10, 100)))
    np.savez(tmp_path / "whole.npz", x=np.zeros((10, 100)))
    for name, open_it in (("npy", open_array), ("npz", open_arrays)):
        (tmp_path / f"cut.{name}").write_bytes((tmp_path / f"whole.{name}").read_bytes()[:keep])
        with pytest.raises(CrosscaleError, match=rf"cut\.{name} (is not a whole|holds)"):
            open_it(tmp_path / f"cut.{name}")


def test_a_zip_file_without_arrays_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("notes.txt", "hello, this is long enough for a header")
    with pytest.raises(CrosscaleError, match=r"a\.npz is not a whole numpy file"):
        open_arrays(tmp_path / "a.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CrosscaleError, match=r"cannot read .*a\.npz"):
        open_arrays(tmp_path / "a.npz")


def test_the_reported_files(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shared("cases/45-pickle")
    with pytest.raises(CrosscaleError, match="holds Python objects"):
        open_array(folder / "data_evil.npy")
    with pytest.raises(CrosscaleError, match="holds Python objects"):
        open_arrays(folder / "data_evil.npz")
    assert not (tmp_path / "ANCHOR_PICKLE_EXECUTED").exists()


def test_two_threads_never_parse_headers_at_once(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 3)))
    parse, parsing, together = ast.literal_eval, [], []

    def watched(header):
        parsing.append(header)
        time.sleep(0.001)
        together.append(len(parsing))
        parsing.pop()
        return parse(header)

    def opened(number):
        if number % 2:
            return open_array(tmp_path / "a.npy").shape
        return open_arrays(tmp_path / "a.npz")["a"].shape

    monkeypatch.setattr(ast, "literal_eval", watched)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(opened, range(40))) == {(2, 3)}
    assert together == [1] * 40


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_a_mapped_array_is_given_back_and_its_numbers_stay(tmp_path):
    def resident():
        told = Path("/proc/self/smaps").read_text().split(str(tmp_path / "large.npy"), 1)[1]
        return int(re.search(r"^Rss: +(\d+) kB", told, re.MULTILINE)[1])

    numbers = np.arange(1 << 21, dtype=np.float32)
    np.save(tmp_path / "large.npy", numbers)
    array = open_array(tmp_path / "large.npy")
    total = array.sum()
    assert resident() > 8000
    release(array)
    assert resident() < 100
    assert array.sum() == total
    release(numbers)
