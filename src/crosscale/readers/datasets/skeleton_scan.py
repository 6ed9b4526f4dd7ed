"""The text of an NTU `.skeleton` file in one pass: the compiled, fast way of `skeleton_text`.

It reads a file without oddities and gives up at anything else, silently: to say what is wrong and
where is the slow way's affair, and so are numbers that one exact operation cannot make.

The compiled functions pass a line or a place in the text from one to the next; a negative one says
that somebody gave up. Importing this module needs numba.
"""

from contextlib import ExitStack

import numpy as np
from numba import njit
from numba.core.event import Event, Listener, install_listener

from crosscale.data.tracks import Sightings
from crosscale.utils.progress import progress

_TAB, _NEWLINE, _CR, _SPACE, _TILDE = (ord(c) for c in "\t\n\r ~")
_PLUS, _MINUS, _POINT, _COMMA, _UNDERSCORE, _ZERO, _E = (ord(c) for c in "+-.,_0e")
_TO_LOWER = 0x20

_AXES = 3
_JOINT_REST = 9  # columns after x y z
_BODY_REST = 9  # columns after a body's id
_BODY_LINES = 2  # before a body's joints

_COUNT_DIGITS = 9
_DIGITS = 18  # as many always fit 64 bits
# A double holds whole numbers up to 2**53 and powers of ten up to 22 exactly, so that one
# multiplication or division of two such rounds once, as float() does. Their greatest product is
# below the greatest float32.
_MANTISSA = 2**53
_POWER = 22
_POWERS = np.array([float(f"1e{power}") for power in range(_POWER + 1)])

_GAVE_UP = -1


def make_ready() -> None:
    """Load the compiled functions; where there are none yet, compile and keep them."""
    with ExitStack() as told, install_listener("numba:compile", _Compiling(told)):
        scan(b"1\n0\n", 1)


class _Compiling(Listener):
    """Tells of it, once, when numba begins to compile."""

    def __init__(self, told: ExitStack) -> None:
        self._told: ExitStack | None = told

    def on_start(self, event: Event) -> None:
        if self._told is not None:
            self._told.enter_context(progress("compiling the reader, the first time only"))
            self._told = None

    def on_end(self, event: Event) -> None:
        pass


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
    ends = np.flatnonzero(text == _NEWLINE)
    # Room for what the lines can hold, whatever the counts among them claim; and for one body
    # more, at which the scan gives up.
    most = len(ends) // (_BODY_LINES + joints) + 1
    frame = np.empty(most, np.int64)
    names = np.empty((most, 2), np.int64)
    coordinates = np.empty((most, joints, _AXES), np.float32)
    frames, bodies = _frames(text, ends, frame, names, coordinates)
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
    text: np.ndarray,
    ends: np.ndarray,
    frame: np.ndarray,
    names: np.ndarray,
    coordinates: np.ndarray,
) -> tuple[int, int]:
    """Fill the rows of the bodies; how many frames and bodies there are, 0 when it gave up."""
    bodies = 0
    frames, line = _count(text, ends, 0)
    for t in range(frames):
        found, line = _count(text, ends, line)
        for _ in range(found):
            line = _body(text, ends, line, names[bodies], coordinates[bodies])
            if line < 0:
                return 0, 0
            frame[bodies] = t
            bodies += 1
        if line < 0:
            return 0, 0
    if line < 0:
        return 0, 0
    rest = text[_start(ends, line) :]
    return (frames, bodies) if (rest <= _SPACE).all() else (0, 0)


@njit(cache=True, nogil=True)
def _body(
    text: np.ndarray, ends: np.ndarray, line: int, name: np.ndarray, joints: np.ndarray
) -> int:
    """Read a body's id (where it begins and ends) and joints (V, 3); the line that follows."""
    if line == len(ends):
        return _GAVE_UP
    at = _blanks(text, _start(ends, line))
    name[0] = at
    while text[at] > _SPACE:
        at += 1
    name[1] = at
    if at == name[0] or _words(text[at : ends[line]]) != _BODY_REST:
        return _GAVE_UP
    found, line = _count(text, ends, line + 1)
    if found != len(joints) or line + found > len(ends):
        return _GAVE_UP
    for j in range(found):
        at = _start(ends, line + j)
        for axis in range(_AXES):
            joints[j, axis], at = _number(text, _blanks(text, at))
            if at < 0:
                return _GAVE_UP
        if _words(text[at : ends[line + j]]) != _JOINT_REST:
            return _GAVE_UP
    return line + found


@njit(cache=True, nogil=True)
def _count(text: np.ndarray, ends: np.ndarray, line: int) -> tuple[int, int]:
    """The one whole number of a line, and the next line; the number is 0 on failure."""
    if line < 0 or line == len(ends):
        return 0, _GAVE_UP
    start = _blanks(text, _start(ends, line))
    value, at = _digits(text, start, 0)
    if at == start or at - start > _COUNT_DIGITS or text[at] > _SPACE:
        return 0, _GAVE_UP
    return (value, line + 1) if _words(text[at : ends[line]]) == 0 else (0, _GAVE_UP)


@njit(cache=True, nogil=True)
def _start(ends: np.ndarray, line: int) -> int:
    """Where a line begins."""
    return ends[line - 1] + 1 if line else 0


@njit(cache=True, nogil=True)
def _blanks(text: np.ndarray, at: int) -> int:
    """Where the next word of the line begins, or the line ends."""
    while text[at] <= _SPACE and text[at] != _NEWLINE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _words(rest: np.ndarray) -> int:
    """How many words there are in the rest of a line, which begins with a blank.

    No branch and no early end: many bytes are compared at once.
    """
    found = np.int32(0)
    for i in range(1, len(rest)):
        found += np.int32((rest[i] > _SPACE) & (rest[i - 1] <= _SPACE))
    return int(found)


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
