"""Pickles of others are read as data and never run."""

import contextlib
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscale.errors import CrosscaleError
from crosscale.readers.safe.pickles import load_pickle

CONTENT = {
    "names": ["S001C001P001R001A001", "é"],
    "labels": (0, 1, 2.5, None, True, 1 + 2j),
    "numbers": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i4"),
    "empty": np.zeros((0, 3)),
    "words": np.array(["a", "bcd"]),
    "mixed": np.array([1, "x", [2]], dtype=object),
    "scalar": np.float64(0.25),
    "set": {1, 2},
    "raw": b"\x00\xff",
    "ordered": OrderedDict(a=1),
}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_of_every_protocol_are_read(tmp_path, protocol):
    path = write(tmp_path / "a.pkl", pickle.dumps(CONTENT, protocol=protocol))
    read = load_pickle(path)
    assert read.keys() == CONTENT.keys()
    for key, value in CONTENT.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(read[key], value)
            assert read[key].dtype.kind == value.dtype.kind
        else:
            assert read[key] == value


def test_arrays_written_by_python_2_are_read(tmp_path):
    text = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        b"I00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00@'\ntb."
    )
    np.testing.assert_array_equal(load_pickle(write(tmp_path / "a.pkl", text)), [1, 2])


class Runs:
    """Does something when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "call", [(os.mkdir, "made"), (eval, "1"), (getattr, "a", "upper"), (np.load, "x.npy")]
)
def test_anything_else_is_refused_before_it_runs(tmp_path, monkeypatch, protocol, call):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "evil.pkl", pickle.dumps((["a"], [0], Runs(*call)), protocol=protocol))
    with pytest.raises(CrosscaleError, match=r"evil\.pkl holds .* not run"):
        load_pickle(path)
    assert not (tmp_path / "made").exists()


def hand_made(*opcodes: bytes) -> bytes:
    return b"\x80\x02" + b"".join(opcodes) + b"."


F8 = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR"
O8 = b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8K\x00K\x01tR"
EMPTY = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tX\x01\x00\x00\x00btR"
POINTER = b"C\x08AAAAAAAA"


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(hand_made(b"cnumpy\nndarray\n((K\x01t", O8, POINTER, b"tR"), id="constructor"),
        pytest.param(hand_made(EMPTY, b"(K\x01(K\x01t", O8, b"\x89", POINTER, b"tb"), id="state"),
        pytest.param(hand_made(EMPTY, b"(K\x01(K\x09t", O8, b"\x89]tb"), id="short list"),
        pytest.param(hand_made(EMPTY, b"(K\x01(K\x09t", F8, b"\x89", POINTER, b"tb"), id="short"),
        pytest.param(
            hand_made(b"cnumpy.core.multiarray\nscalar\n(", O8, POINTER, b"tR"), id="scalar"
        ),
        pytest.param(
            hand_made(b"cnumpy.core.numeric\n_frombuffer\n(", POINTER, O8, b"(K\x01tU\x01CtR"),
            id="buffer",
        ),
        pytest.param(
            hand_made(F8, b"(K\x03U\x01<N(U\x01at}U\x01a", O8, b"K\x00\x86sK\x08K\x01K\x00tb"),
            id="record that hides objects",
        ),
    ],
)
def test_bytes_are_never_taken_for_objects(tmp_path, forged):
    with pytest.raises(CrosscaleError, match=r"forged\.pkl"):
        load_pickle(write(tmp_path / "forged.pkl", forged))


@given(st.data())
def test_a_damaged_pickle_is_refused_in_words_or_still_data(tmp_path_factory, data):
    whole = bytearray(pickle.dumps(CONTENT, protocol=4))
    cut = data.draw(st.integers(0, len(whole)))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.getbasetemp() / "damaged.pkl", bytes(whole[:cut]))
    with contextlib.suppress(CrosscaleError):
        load_pickle(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CrosscaleError, match=r"cannot read .*none\.pkl"):
        load_pickle(tmp_path / "none.pkl")


def test_the_reported_pickles(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shared("cases/45-pickle")
    names, labels = load_pickle(folder / "label_plain.pkl")
    assert names == ["S001C001P001R001A001.skeleton", "S001C001P001R001A002.skeleton"]
    assert labels == [0, 1]
    with pytest.raises(CrosscaleError, match=r"label_evil\.pkl holds posix\.mkdir"):
        load_pickle(folder / "label_evil.pkl")
    with pytest.raises(CrosscaleError, match=r"label_truncated\.pkl is not a whole pickle"):
        load_pickle(folder / "label_truncated.pkl")
    assert not (tmp_path / "ANCHOR_PICKLE_EXECUTED").exists()
    assert not (folder / "ANCHOR_PICKLE_EXECUTED").exists()
