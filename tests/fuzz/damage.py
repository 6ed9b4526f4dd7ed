"""Ways in which a file may be damaged, forged or simply of another kind than expected.

All draw from a `random.Random`, so that both hypothesis and a coverage-guided fuzzer can use them.
"""

import io
import json
import pickle
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.io import loadmat, savemat

Draw = random.Random
Mutator = Callable[[bytes, Draw], bytes]

NUMBERS = [
    *("nan", "inf", "-inf", "-1", "0", "-0.0", "1e308", "1e30", "-1e12", "1e-320", "1000000000"),
    *(
        "999999999999999999999",
        "9" * 5000,
        "0x10",
        "1_0",
        "1,5",
        "١٢",
        "",
        " ",
        "text",
        "None",
        "true",
    ),
]
WORDS = ["", " ", "\0", "é", "x" * 10_000, "../../a", '"', "{", "}", "[", "\r", "\x1b[31m", "=1+1"]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 10**9, 2**31, 2**63, 10**30, 10**400, 1e308, 1e30, 1e-320),
    *(float("nan"), float("inf"), -float("inf"), "", "text", "nan", "1", "\0", "é" * 3000),
    *([], {}, [[]], [None], [1, "a"], {"x": 1}, [[1, 2], [3]], [[[[[[0]]]]]], {"a": {"b": [1]}}),
]
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_]{2,}")


def cut(content: bytes, draw: Draw) -> bytes:
    return content[: draw.randint(0, len(content))]


def flip_bits(content: bytes, draw: Draw) -> bytes:
    flipped = bytearray(content)
    for _ in range(draw.randint(1, 8) if content else 0):
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def odd_bytes(content: bytes, draw: Draw) -> bytes:
    """A few bytes in a row become the extreme of some number."""
    new = draw.choice(
        [
            *(
                b"\xff",
                b"\0",
                b"\xff\xff",
                b"\0\0",
                b"\x7f\xff",
                b"\xff\x7f",
                b"\xff" * 4,
                b"\0" * 4,
            ),
            *(b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\xca\x9a;", b"\xff" * 8, b"\0" * 8),
            *(
                b"\0\0\x80\x7f",
                b"\0\0\xc0\x7f",
                b"\0\0\0\0\0\0\xf0\x7f",
                b"\xff\xff\xff\xff\xff\xff\xff\x7f",
            ),
        ]
    )
    at = draw.randint(0, len(content))
    return content[:at] + new + content[at + len(new) :]


def change_lines(content: bytes, draw: Draw) -> bytes:
    lines = content.split(b"\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines[one] = b""
    return b"\n".join(lines)


def change_piece(content: bytes, draw: Draw) -> bytes:
    """A piece is left out, written twice or moved."""
    start = draw.randint(0, len(content))
    end = min(len(content), start + draw.choice([1, 2, 3, 8, 50, 500]))
    piece, rest = content[start:end], content[:start] + content[end:]
    at = draw.randint(0, len(rest))
    return draw.choice([rest, content[:end] + piece + content[end:], rest[:at] + piece + rest[at:]])


def _replaced(content: bytes, draw: Draw, pattern: re.Pattern[bytes], words: list[str]) -> bytes:
    found = list(pattern.finditer(content))
    if not found:
        return content
    # names, counts and units stand near the start
    at = found[draw.choice([draw.randrange(len(found)), draw.randrange(min(len(found), 20))])]
    new = draw.choice(words).encode()
    return content[: at.start()] + new + content[at.end() :]


def odd_number(content: bytes, draw: Draw) -> bytes:
    return _replaced(content, draw, _NUMBER, NUMBERS)


def odd_word(content: bytes, draw: Draw) -> bytes:
    return _replaced(content, draw, _WORD, WORDS)


def another_text(content: bytes, draw: Draw) -> bytes:
    """Another encoding, other ends of lines, NUL bytes, brackets without end or nothing at all."""
    text = content.decode("latin1")
    return draw.choice(
        [
            *(
                b"",
                b"\0" * 100,
                b"\n",
                b"[" * 100_000,
                b'{"a":' * 50_000,
                b"[]",
                b"{}",
                b"null",
                b"1",
            ),
            *(text.encode("utf-16"), b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n")),
            *(content.replace(b"\n", b"\r"), content.replace(b".", b","), content + b"\0" * 50),
            *(content.replace(b",", b";"), content + b"\xff\xfe\xe9", content * 2, content.upper()),
        ]
    )


def odd_value(content: Any, draw: Draw) -> Any:
    """Plain data with one value in it changed, left out or written twice."""
    if isinstance(content, dict | list | tuple) and content and draw.random() < 0.9:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        key = draw.choice(keys)
        changed = dict(content) if isinstance(content, dict) else list(content)
        if draw.random() < 0.1:
            del changed[key]
        elif isinstance(changed, list) and draw.random() < 0.1:
            changed.insert(key, content[key])
        else:
            changed[key] = odd_value(content[key], draw)
        return tuple(changed) if isinstance(content, tuple) else changed
    if isinstance(content, np.ndarray) and draw.random() < 0.8:
        return odd_array(content, draw)
    return draw.choice(VALUES)


def odd_array(array: np.ndarray, draw: Draw) -> np.ndarray:
    """The array in another shape or of another kind, or with a number that is none."""
    array = np.array(array)
    match draw.randrange(12):
        case 0 | 1 if array.size and array.dtype.kind == "f":
            odd = [np.nan, np.inf, -np.inf, 0.0, 1e30, -1e12, 6e4]
            with np.errstate(over="ignore"):
                array.flat[draw.randrange(array.size)] = np.array(draw.choice(odd), array.dtype)
            return array
        case 2 if array.size and array.dtype.kind in "iu":
            array.flat[draw.randrange(array.size)] = draw.choice([0, 1, 2, 100, 127])
            return array
        case 3 if _numeric(array):
            with np.errstate(invalid="ignore"):  # of numbers that an integer cannot hold
                return array.astype(draw.choice(["S4", "U4", "?", "i1", "u8", "i8", "c16"]))
        case 4 if _numeric(array):
            return array.astype(draw.choice([">f8", "<f2", ">f4", "<f8"]))
        case 5 if array.ndim:
            axis = draw.randrange(array.ndim)
            return array.take(range(draw.choice([0, 1, max(0, array.shape[axis] - 1)])), axis=axis)
        case 6 if array.ndim:
            return np.repeat(array, 2, axis=draw.randrange(array.ndim))
        case 7 if array.ndim:
            return array.swapaxes(0, draw.randrange(array.ndim))
        case 8:
            return array[None]
        case 9 if array.size:
            return array.reshape(-1)[0]
        case 10:
            return array.ravel()
    return np.asarray(draw.choice([np.zeros(3), np.float64("nan"), np.array("a"), np.empty(0)]))


def _numeric(array: np.ndarray) -> bool:
    return array.dtype.kind in "fiu"


def json_value(content: bytes, draw: Draw) -> bytes:
    return json.dumps(odd_value(json.loads(content), draw)).encode()


def json_lines(content: bytes, draw: Draw) -> bytes:
    lines = content.splitlines()
    at = draw.randrange(len(lines))
    lines[at] = json_value(lines[at], draw)
    return b"\n".join(lines)


def pickle_value(content: bytes, draw: Draw) -> bytes:
    return pickle.dumps(odd_value(pickle.loads(content), draw), draw.randrange(6))


def npy_array(content: bytes, draw: Draw) -> bytes:
    out = io.BytesIO()
    np.save(out, odd_array(np.load(io.BytesIO(content)), draw))
    return out.getvalue()


def npz_arrays(content: bytes, draw: Draw) -> bytes:
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    name = draw.choice(list(arrays))
    match draw.randrange(6):
        case 0:
            del arrays[name]
        case 1:
            arrays[draw.choice(["a", "x_test", "labels", "layout", "classes"])] = arrays[name]
        case _:
            arrays[name] = odd_array(arrays[name], draw)
    out = io.BytesIO()
    draw.choice([np.savez, np.savez_compressed])(out, **arrays)
    return out.getvalue()


def zip_member(content: bytes, draw: Draw) -> bytes:
    """A member of a zip file damaged, with a checksum that fits."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        damaged = draw.choice(old.namelist())
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, draw.choice(BLIND)(data, draw) if name == damaged else data)
    return out.getvalue()


def hdf5_dataset(content: bytes, draw: Draw) -> bytes:
    """A dataset, wherever it lies, made odd; or one of its pickled or other attributes damaged."""
    out = io.BytesIO(content)
    with h5py.File(out, "r+") as file:
        places: list[str] = []
        file.visititems(lambda name, found: places.append(name) if _is_dataset(found) else None)
        name = draw.choice(places)
        array, attributes = file[name][()], dict(file[name].attrs)
        texts = [key for key, value in attributes.items() if isinstance(value, bytes)]
        if texts and draw.random() < 0.6:
            key = draw.choice(texts)
            attributes[key] = np.void(draw.choice(BLIND)(attributes[key], draw) or b"\0")
        else:
            array = odd_array(array, draw)
        del file[name]
        if draw.random() < 0.9 and array.dtype.kind != "U":
            file[name] = array
            file[name].attrs.update(attributes)
    return out.getvalue()


def _is_dataset(found: object) -> bool:
    return isinstance(found, h5py.Dataset)


def matlab_variable(content: bytes, draw: Draw) -> bytes:
    variables = {k: v for k, v in loadmat(io.BytesIO(content)).items() if k[0] != "_"}
    name = draw.choice(list(variables))
    variables[name] = odd_array(variables[name], draw)
    out = io.BytesIO()
    savemat(out, variables, do_compression=draw.random() < 0.5)
    return out.getvalue()


def parquet_column(content: bytes, draw: Draw) -> bytes:
    table = pq.read_table(io.BytesIO(content))
    at = draw.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at).to_pylist()
    row = draw.randrange(len(column))
    odd = [
        None,
        "",
        "nan",
        -1,
        2**53,
        1e308,
        float("nan"),
        float("inf"),
        b"\xff",
        [1],
        {"a": 1},
        "é",
    ]
    column[row] = draw.choice(odd)
    types = [pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.list_(pa.int64())]
    try:
        new = pa.array(column, draw.choice([None, *types]))
    except (pa.ArrowException, TypeError, OverflowError):
        new = pa.array([str(value) for value in column])
    match draw.randrange(4):
        case 0:
            table = table.drop_columns([name])
        case 1:
            table = table.append_column(name, new)
        case _:
            table = table.set_column(at, name, new)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


BLIND: tuple[Mutator, ...] = (cut, flip_bits, odd_bytes, change_piece, odd_number)
TEXT: tuple[Mutator, ...] = (*BLIND, change_lines, odd_number, odd_word, another_text)
KNOWING: dict[str, tuple[Mutator, ...]] = {
    ".json": (json_value,) * 6,
    ".jsonl": (json_lines,) * 6,
    ".npy": (npy_array,) * 4,
    ".npz": (npz_arrays, npz_arrays, zip_member, zip_member),
    ".pkl": (pickle_value,) * 6,
    ".h5": (hdf5_dataset,) * 4,
    ".mat": (matlab_variable,) * 4,
    ".parquet": (parquet_column,) * 4,
}


def damaged(content: bytes, ending: str, draw: Draw) -> bytes:
    """A file's content, damaged in one to three ways.

    Args:
        content: of a file that can be read.
        ending: of its name; says which damage its form allows.
        draw: what to do.
    """
    known = KNOWING.get(ending, ())
    if known and draw.random() < 0.6:
        content = draw.choice(known)(content, draw)
        if draw.random() < 0.7:
            return content
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        content = draw.choice(TEXT)(content, draw)
    return content
