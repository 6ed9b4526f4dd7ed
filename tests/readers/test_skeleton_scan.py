"""The compiled way of reading `.skeleton` files gives what the slow way gives, or gives up."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crosscale.errors import BadClip
from crosscale.readers.datasets import skeleton_text as text_module
from crosscale.readers.datasets.skeleton_text import parse, parse_slowly
from crosscale.synthesis import ClipName, record_clips
from crosscale.synthesis import skeleton_text as synthetic_text

pytest.importorskip("numba")
from crosscale.readers.datasets.skeleton_scan import scan

JOINTS = 2
AT_ONCE = """
    0 -0 -0.0 +1.5 -.5 1. 1e-7 1E+5 2.5e-003 007 0e9 1e22 1e-22 9007199254740992 0.1 16777217
    4.9e-21 123456789012345e-15 0.000000000000123
"""
WITH_CARE = "9007199254740993 0.12345678901234567 1e23 1e-23 1e-400 0e999 0.0000000000000000001"
REFUSED = "nan inf -infinity 1e39 1_000 0,5 . + - e5 1e 1e+ 1.2.3 1-2 --1 +-1 0x10 1f ١ 1\0"
ORDINARY = st.builds(
    format,
    st.integers(-(10**10), 10**10).map(lambda nanometres: nanometres / 1e9),
    st.sampled_from([".6f", ".7g", ".9e", "+.3f"]),
)
NUMBERS = st.from_regex(
    r"[+-]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
BODY = st.tuples(
    st.integers(7 * 10**16).map(str),
    st.lists(ORDINARY, min_size=3 * JOINTS, max_size=3 * JOINTS),
)
RECORDINGS = st.lists(st.lists(BODY, max_size=3), min_size=1, max_size=4)


def written(frames):
    """The text of frames of bodies (id, words of the coordinates)."""
    lines = [f"{len(frames)}"]
    for bodies in frames:
        lines.append(f"{len(bodies)}")
        for name, words in bodies:
            lines += [f"{name} 0 1 1 1 1 0 0.01 -0.02 2", f"{JOINTS}"]
            lines += [
                " ".join([*words[3 * j : 3 * j + 3], "277.4 191.8 1 2 -.5 0 1e-3 0 2"])
                for j in range(JOINTS)
            ]
    return "\n".join([*lines, ""]).encode()


def with_number(word):
    """A file whose first coordinate is this word."""
    return written([[("72", [word, "1", "2", "0.5", "1", "2"])]])


PLAIN = written(
    [
        [("72057594037937666", ["0.25", "-1.5", "3", "0.5", "1e-1", "2.75"])],
        [],
        [("72", ["1"] * 6), ("73", ["0.125", "-.5", "1.", "+2", "-0", "3.1234567"])],
    ]
)


def exactly(seen):
    """Everything that was read, to the bit."""
    numbers = [(a.dtype.str, a.shape, a.tobytes()) for a in (seen.frame, seen.joints)]
    return seen.frames, list(seen.ids), numbers


def outcome(read, content, joints=JOINTS):
    """What was read, or the words with which it was refused."""
    try:
        return exactly(read(content, joints))
    except BadClip as error:
        return str(error)


@given(RECORDINGS)
@example([[]])
def test_ordinary_files_are_read_to_the_bit_without_the_slow_way(frames):
    content = written(frames)
    assert exactly(scan(content, JOINTS)) == exactly(parse_slowly(content, JOINTS))


def test_a_synthetic_recording_is_read_to_the_bit():
    for recording in record_clips([ClipName(1, 1, 11, 1)], seed=0, frames=(20, 20)):
        content = synthetic_text(recording).encode()
        seen = scan(content, 25)
        assert exactly(seen) == exactly(parse_slowly(content, 25))
        assert seen.frames == 20


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b" ", b" \t\x0b\x0c\r "),
        lambda text: text.replace(b"\n", b" \n\t "),
        lambda text: text + b"\r\n \n\n",
        lambda text: text.rstrip(),
    ],
    ids=["CRLF", "any white space", "blanks around lines", "blank lines", "no last newline"],
)
def test_white_space_does_not_matter(dress):
    assert exactly(scan(dress(PLAIN), JOINTS)) == exactly(parse_slowly(PLAIN, JOINTS))


@pytest.mark.parametrize("word", AT_ONCE.split())
def test_forms_of_numbers_that_are_read_at_once(word):
    value = scan(with_number(word), JOINTS).joints[0, 0, 0]
    assert value.tobytes() == np.float32(float(word)).tobytes()


@pytest.mark.parametrize("word", WITH_CARE.split())
def test_numbers_that_need_care_are_left_to_the_slow_way(word):
    assert scan(with_number(word), JOINTS) is None
    value = parse(with_number(word), JOINTS).joints[0, 0, 0]
    assert value.tobytes() == np.float32(float(word)).tobytes()


@pytest.mark.parametrize("word", REFUSED.split())
def test_what_is_no_number_of_metres_is_refused_by_the_slow_way(word):
    content = with_number("!").replace(b"!", word.encode())
    assert scan(content, JOINTS) is None
    with pytest.raises(BadClip, match="line"):
        parse(content, JOINTS)


@given(NUMBERS)
@example("9007199254740993")
@example("1.00000005960464477539062")  # half way between two float32
@example("3.4028235677973366e38")
def test_a_number_has_the_bits_of_float_and_then_float32(word):
    seen = scan(with_number(word), JOINTS)
    if seen is not None:
        assert seen.joints[0, 0, 0].tobytes() == np.float32(float(word)).tobytes()
    assert outcome(parse, with_number(word)) == outcome(parse_slowly, with_number(word))


@st.composite
def damaged(draw):
    """A good file with bytes changed, lines doubled, left out or swapped, and its end cut off."""
    content = bytearray(written(draw(RECORDINGS)))
    for _ in range(draw(st.integers(0, 2))):
        sign = draw(st.sampled_from(b"\n\r\t\x0b\x1c 019.e-+,_xn\0\xa0\xff"))
        content[draw(st.integers(0, len(content) - 1))] = sign
    lines = bytes(content).split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    times = draw(st.sampled_from([0, 1, 1, 2]))
    content = b"\n".join([*lines[:at], *[lines[at]] * times, *lines[at + 1 :]])
    return content[: draw(st.none() | st.integers(0, len(content)))]


@given(damaged())
@example(b"")
@example(b"\n")
@example(PLAIN + b"0")
@example(PLAIN.replace(b"\n0\n", b"\n\n0\n"))
@example(PLAIN.replace(b"3\n", b"3 3\n", 1))
@example(b"0" * 30 + PLAIN)
@example(b"\xef\xbb\xbf" + PLAIN)
def test_a_damaged_file_ends_as_it_does_the_slow_way(content):
    slow = outcome(parse_slowly, content)
    assert outcome(parse, content) == slow
    seen = scan(content, JOINTS)
    assert seen is None or exactly(seen) == slow


@pytest.mark.parametrize("line", [0, 1, 3], ids=["frames", "bodies", "joints"])
@pytest.mark.parametrize("claim", [b"999999999", b"1000000000", b"9" * 40])
def test_a_claim_of_a_billion_is_refused_at_once(line, claim):
    lines = PLAIN.split(b"\n")
    lines[line] = claim
    with pytest.raises(BadClip, match="line"):
        parse(b"\n".join(lines), JOINTS)


@pytest.fixture
def compiled_anew():
    """`parse` decides again how to read, and once more after the test."""
    text_module._compiled.cache_clear()
    yield
    text_module._compiled.cache_clear()


def test_parse_takes_the_compiled_way(compiled_anew, monkeypatch):
    monkeypatch.delattr(text_module, "parse_slowly")
    assert parse(PLAIN, JOINTS).frames == 3


def test_files_are_read_without_numba(compiled_anew, monkeypatch):
    compiled = exactly(scan(PLAIN, JOINTS))  # numba reads parts of itself at the first use
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "crosscale.readers.datasets.skeleton_scan")
    assert text_module._compiled() is None
    assert exactly(parse(PLAIN, JOINTS)) == compiled


FIRST_USE = """
from contextlib import contextmanager
from crosscale.readers.datasets.skeleton_text import parse
from crosscale.utils.progress import displayed_by

@contextmanager
def display(what, total):
    print(what)
    yield

with displayed_by(display):
    parse(b"1\\n0\\n", 2)
"""


def test_the_first_use_tells_that_it_compiles_and_later_ones_do_not(tmp_path):
    def told():
        command = [sys.executable, "-c", FIRST_USE]
        kept = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, check=True, text=True, env=kept).stdout

    assert told() == "compiling the reader, the first time only\n"
    assert told() == ""
