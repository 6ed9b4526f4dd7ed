"""The text of an NTU `.skeleton` file in one pass: the compiled, fast way of `skeleton_text`.

It reads a file without oddities and gives up at anything else, silently: to say what is wrong and
where is the slow way's affair, and so are numbers that one exact operation cannot make.

The compiled functions pass a place in the text from one to the next; a negative one says that
somebody gave up. Importing this module needs numba.
"""

import numpy as np
from numba import njit

from crosscale.data.tracks import Sightings

_TAB, _NEWLINE, _CR, _SPACE, _TILDE = (ord(c) for c in "\t\n\r ~")
_PLUS, _MINUS, _POINT, _COMMA, _UNDERSCORE, _ZERO, _E = (ord(c) for c in "+-.,_0e")
_TO_LOWER = 0x20

_AXES = 3
_JOINT_REST = 9  # columns after x y z
_BODY_REST = 9  # columns after a body's id
# The fewest bytes of a joint's line, and of a body's two lines before its joints.
_JOINT_BYTES = 24
_BODY_BYTES = 22

_COUNT_DIGITS = 9
_DIGITS = 18  # as many always fit 64 bits
# A double holds whole numbers up to 2**53 and powers of ten up to 22 exactly, so that one
# multiplication or division of two such rounds once, as float() does. Their greatest product is
# below the greatest float32.
_MANTISSA = 2**53
_POWER = 22
_POWERS = np.array([float(f"1e{power}") for power in range(_POWER + 1)])

_GAVE_UP = -1


def scan(content: bytes, joints: int) -> Sightings | None:
    """Read the text of a `.skeleton` file, if there is nothing odd in it.

    Args:
        content: the file's bytes.
        joints: V, how many joints a body must have.

    Returns:
        Every body of every frame, metres; None when the slow way must see the file.
    """
    if not content.endswith(b"\n"):  # so that each loop may trust in an end of line to come
        content += b"\n"
    text = np.frombuffer(content, np.uint8)
    if _has_odd_bytes(text):
        return None
    # Room for what the bytes can hold, whatever the counts among them claim; and for one body
    # more, at which the scan gives up.
    most = len(content) // (_BODY_BYTES + joints * _JOINT_BYTES) + 1
    frame = np.empty(most, np.int64)
    names = np.empty((most, 2), np.int64)
    coordinates = np.empty((most, joints, _AXES), np.float32)
    frames, bodies = _frames(text, frame, names, coordinates)
    if frames < 1:
        return None
    ids = [content[start:end].decode() for start, end in names[:bodies].tolist()]
    return Sightings(frames, frame[:bodies], ids, coordinates[:bodies])


@njit(cache=True, nogil=True)
def _has_odd_bytes(text: np.ndarray) -> bool:
    """Whether there are bytes that are no ASCII text, or that the slow way refuses anywhere.

    A byte up to the space is white space then. No early end: many bytes are compared at once.
    """
    odd = False
    for byte in text:
        odd |= (byte < _TAB) | ((byte > _CR) & (byte < _SPACE)) | (byte > _TILDE)
        odd |= (byte == _COMMA) | (byte == _UNDERSCORE)
    return odd


@njit(cache=True, nogil=True)
def _frames(
    text: np.ndarray, frame: np.ndarray, names: np.ndarray, coordinates: np.ndarray
) -> tuple[int, int]:
    """Fill the rows of the bodies; how many frames and bodies there are, 0 when it gave up."""
    bodies = 0
    frames, at = _count(text, 0)
    for t in range(frames):
        found, at = _count(text, at)
        for _ in range(found):
            at = _body(text, at, names[bodies], coordinates[bodies])
            if at < 0:
                return 0, 0
            frame[bodies] = t
            bodies += 1
        if at < 0:
            return 0, 0
    while 0 <= at < len(text):
        if text[at] > _SPACE:
            return 0, 0
        at += 1
    return frames, bodies


@njit(cache=True, nogil=True)
def _body(text: np.ndarray, at: int, name: np.ndarray, joints: np.ndarray) -> int:
    """Read a body's id (where it begins and ends) and joints (V, 3)."""
    if at == len(text):
        return _GAVE_UP
    at = _blanks(text, at)
    name[0] = at
    while text[at] > _SPACE:
        at += 1
    name[1] = at
    at = _rest_of_line(text, at, _BODY_REST)
    found, at = _count(text, at)
    if name[0] == name[1] or found != len(joints):
        return _GAVE_UP
    for j in range(len(joints)):
        if at < 0 or at == len(text):
            return _GAVE_UP
        for axis in range(_AXES):
            joints[j, axis], at = _number(text, _blanks(text, at))
            if at < 0:
                return _GAVE_UP
        at = _rest_of_line(text, at, _JOINT_REST)
    return at


@njit(cache=True, nogil=True)
def _count(text: np.ndarray, at: int) -> tuple[int, int]:
    """A line of one whole number, and where the next line begins; the number is 0 on failure."""
    if at < 0 or at == len(text):
        return 0, _GAVE_UP
    start = _blanks(text, at)
    value, at = _digits(text, start, 0)
    if at == start or at - start > _COUNT_DIGITS or text[at] > _SPACE:
        return 0, _GAVE_UP
    at = _rest_of_line(text, at, 0)
    return (value if at > 0 else 0), at


@njit(cache=True, nogil=True)
def _blanks(text: np.ndarray, at: int) -> int:
    """Where the next word of the line begins, or the line ends."""
    while text[at] <= _SPACE and text[at] != _NEWLINE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _rest_of_line(text: np.ndarray, at: int, columns: int) -> int:
    """Where the next line begins, if there are so many words from here (a blank) to there."""
    found = 0
    blank = False
    while text[at] != _NEWLINE:
        inside = text[at] > _SPACE
        found += inside & blank  # counted without a branch, which would be guessed wrong often
        blank = not inside
        at += 1
    return at + 1 if found == columns else _GAVE_UP


@njit(cache=True, nogil=True)
def _digits(text: np.ndarray, at: int, value: int) -> tuple[int, int]:
    """A value with the digits that follow, and where they end; the caller judges how many."""
    while True:
        digit = text[at] - _ZERO
        if digit < 0 or digit > 9:
            return value, at
        value = value * 10 + digit
        at += 1


@njit(cache=True, nogil=True)
def _number(text: np.ndarray, at: int) -> tuple[float, int]:
    """The word's value, as float() has it, and where the word ends."""
    negative = text[at] == _MINUS
    start = at + (negative | (text[at] == _PLUS))
    mantissa, at = _digits(text, start, 0)
    digits = at - start
    power = 0
    if text[at] == _POINT:
        start = at + 1
        mantissa, at = _digits(text, start, mantissa)
        power = start - at
        digits -= power
    if text[at] | _TO_LOWER == _E:
        downwards = text[at + 1] == _MINUS
        start = at + 1 + (downwards | (text[at + 1] == _PLUS))
        exponent, at = _digits(text, start, 0)
        if at == start or at - start > _COUNT_DIGITS:
            return 0.0, _GAVE_UP
        power += -exponent if downwards else exponent
    if digits < 1 or digits > _DIGITS or mantissa > _MANTISSA:
        return 0.0, _GAVE_UP
    if power < -_POWER or power > _POWER or text[at] > _SPACE:
        return 0.0, _GAVE_UP
    value = mantissa / _POWERS[-power] if power < 0 else mantissa * _POWERS[power]
    return (-value if negative else value), at
