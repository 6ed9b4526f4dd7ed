"""The text of a `.skeleton` file is taken as it is, or refused with the line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crosscale.errors import BadClip
from crosscale.readers.datasets.skeleton_text import parse

METRES = st.floats(-10, 10, width=32, allow_subnormal=False)
BODIES = st.lists(
    st.tuples(
        st.from_regex(r"7[0-9]{4,17}", fullmatch=True),
        hnp.arrays(np.float32, (3, 3), elements=METRES),
    ),
    max_size=3,
)
RECORDINGS = st.lists(BODIES, min_size=1, max_size=5)


def same(a, b):
    return (
        a.frames == b.frames
        and a.frame.tolist() == b.frame.tolist()
        and list(a.ids) == list(b.ids)
        and np.array_equal(a.joints, b.joints)
    )


@given(RECORDINGS)
def test_what_was_written_is_read(skeleton_text, frames):
    seen = parse(skeleton_text(frames), 3)
    bodies = [(t, name, joints) for t, frame in enumerate(frames) for name, joints in frame]
    assert seen.frames == len(frames)
    assert seen.frame.tolist() == [t for t, _, _ in bodies]
    assert list(seen.ids) == [name for _, name, _ in bodies]
    np.testing.assert_array_equal(seen.joints, np.reshape([j for *_, j in bodies], (-1, 3, 3)))


@given(RECORDINGS, st.data())
def test_a_cut_file_is_refused_or_lacks_nothing_that_is_used(skeleton_text, frames, data):
    whole = skeleton_text(frames)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        seen = parse(cut, 3)
    except BadClip:
        return
    assert same(seen, parse(whole, 3))


@given(RECORDINGS, st.data())
def test_a_damaged_file_never_fails_in_another_way(skeleton_text, frames, data):
    content = bytearray(skeleton_text(frames))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        seen = parse(bytes(content), 3)
    except BadClip as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert np.isfinite(seen.joints).all()


@pytest.fixture
def lines(skeleton_text):
    """Two frames of one body of three joints: nine lines after... see the numbers in the tests."""
    person = np.array([[0.5, 1, 2], [0.25, 1, 2], [0, 1, 2]], np.float32)
    return skeleton_text([[("72", person)], [("72", person)]]).decode().splitlines()


def broken(lines, line, text):
    """The file with one line (counted from 1) replaced, or left out when None."""
    lines = list(lines)
    lines[line - 1 : line] = [] if text is None else [text]
    return "\n".join(lines).encode()


JOINT = "0.5 1 2 1 2 3 4 0 0 0 0 2"


@pytest.mark.parametrize(
    ("line", "text", "told"),
    [
        (1, "two", "line 1: the number of frames cannot be 'two'"),
        (1, "0", "line 1: says that there are no frames"),
        (1, "3", r"line 13 \(frame 3 of 3\): the number of bodies should follow, .* cut off"),
        (1, "1", r"line 8 \(frame 1 of 1\): data left over after the 1 frames"),
        (2, "-1", r"line 2 \(frame 1 of 2\): the number of bodies cannot be '-1'"),
        (2, "", r"line 2 \(frame 1 of 2\): .* should have 1 columns and has 0"),
        (3, "72 0 1", r"line 3 .* a body's id line should have 10 columns and has 3"),
        (4, "2", r"line 4 .* 2 joints, the layout has 3; .* --layout"),
        (5, "0.5 1 2", r"line 5 .* joint 1 of 3 should have 12 columns and has 3$"),
        (5, JOINT + " 2", r"line 5 .* joint 1 of 3 should have 12 columns and has 13"),
        (7, None, r"line 7 .* joint 3 of 3 should have 12 columns and has 1"),
        (6, JOINT.replace("0.5", "x5"), "line 6: coordinate x cannot be 'x5'"),
        (6, JOINT.replace("1 2 1", "1 nan 1"), "line 6: coordinate z cannot be 'nan'"),
        (11, JOINT.replace("0.5 1", "0.5 -inf"), "line 11: coordinate y cannot be '-inf'"),
        (11, JOINT.replace("0.5", "1e39"), "line 11: coordinate x cannot be '1e39'"),
        (11, JOINT.replace("0.5", "1_0"), "line 11: an underscore"),
        (11, JOINT.replace("0.5", "0,5"), "line 11: a decimal comma"),
        (11, JOINT + "\0", "line 11: NUL bytes"),
        (13, "0.5 1", r"line 13 .* joint 3 of 3 should have 12 columns and has 2.*cut off here"),
    ],
)
def test_the_line_is_named(lines, line, text, told):
    with pytest.raises(BadClip, match=told):
        parse(broken(lines, line, text), 3)


@pytest.mark.parametrize("content", [b"", b" \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told(content):
    with pytest.raises(BadClip, match="is empty"):
        parse(content, 3)


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(" ", "\t").encode() + b"\n\n",
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.rstrip().encode(),
    ],
    ids=["CRLF", "tabs and blank lines", "UTF-8 mark", "UTF-16", "no last newline"],
)
def test_dress_does_not_matter(lines, dress):
    text = "\n".join(lines)
    assert same(parse(dress(text), 3), parse(text.encode(), 3))


def test_ids_are_told_apart_to_the_last_digit(skeleton_text):
    person = np.ones((3, 3), np.float32)
    frame = [("72057594037937666", person), ("72057594037937667", person)]
    assert list(parse(skeleton_text([frame]), 3).ids) == [name for name, _ in frame]
