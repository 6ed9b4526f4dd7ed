"""Bodies of sensors and markers, some of whose joints are missing now and then."""

from collections.abc import Iterable, Sequence

import numpy as np

from crosscale.data.gaps import GAP_SECONDS, SHORT_GAP, Filled, fill_gaps
from crosscale.data.tracks import Bodies, Sightings, people
from crosscale.errors import BadClip

# Neither a picture nor a room is so large: these numbers are damaged.
FARTHEST = 1e9
WIDEST = 20.0  # metres of a room, in which a person who lies may be all below one metre
MOST_FRAMES = 2**53  # whole numbers beyond are not told apart
# A source that names frames 0 and 10^9 does not get memory for all in between.
FRAMES_PER_FOUND = 100
REPEATED = 0.1  # share of rows that may be there twice by a fault of the recording; more are people
IMAGE_TO_Y_UP = np.array([1.0, -1.0])
FEW = 0.05  # share of joints that lie outside of a picture
LATER = "rows of which a later one has the same moment dropped"


def refuse_far(
    joints: np.ndarray,
    where: str,
    frame: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> None:
    """Refuse a place that is out of all reason in any unit, as a damaged file has it.

    Args:
        joints: (B, ..., V, C) in any unit, NaN where missing.
        where: the file, for the message; empty when the caller puts it before.
        frame: (B,) frames of the rows; None when each row is a frame.
        names: of the V joints, where they are known.

    Raises:
        BadClip: naming the frame, and the joint if its name is known.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # half precision ends before that
        far = (joints > FARTHEST) | (joints < -FARTHEST)  # the least integer has no absolute value
    if far.any():
        place = tuple(np.argwhere(far)[0])
        number = place[0] if frame is None else frame[place[0]]
        at = f"{where}: frame {number}" if where else f"frame {number}"
        joint = names[place[-2]] if names else "a joint"
        raise BadClip(
            f"{at}: {joint} lies at {joints[place]:.3g}, where no body can be; the file is damaged"
        )


def refuse_confidence(coordinates: np.ndarray, where: str) -> None:
    """Refuse places in a picture whose third number is a confidence, which would be taken for z.

    Args:
        coordinates: (..., C), NaN where missing.
        where: the clip, for the message.

    Raises:
        BadClip: when the third of three numbers goes from 0 to 1 beside x and y of pixels.
    """
    if coordinates.shape[-1] != 3:
        return
    found = coordinates[np.isfinite(coordinates).all(-1)]
    far, third = np.abs(found[:, :2]).max(initial=0.0), found[:, 2]
    if far > WIDEST and third.any() and third.min() >= 0 and third.max() <= 1:
        raise BadClip(
            f"{where}: the third number of every joint lies from 0 to 1, beside x and y of up to "
            f"{far:.0f}: it is a confidence and no z. Give x and y alone (array[..., :2], from "
            "Python), or a table in long form with a column confidence"
        )


def without_corner(places: np.ndarray) -> np.ndarray:
    """Places in a picture (..., 2), NaN for the joints that lie exactly at its corner 0 0.

    There estimators put what they did not find. Where others lie on all sides of 0 0, as around
    the hips of bodies that were centred there, it is a place; a few lie outside of many a picture.
    """
    numbers = places.reshape(-1, 2)
    sides = np.stack([(numbers > 0).sum(0), (numbers < 0).sum(0)])
    if (sides.min(0) > FEW * sides.sum(0)).all():
        return places
    return not_found(places)


def not_found(places: np.ndarray) -> np.ndarray:
    """Places (..., 2), NaN for those at 0 0, where estimators put what they did not find."""
    return np.where((places == 0).all(-1, keepdims=True), np.nan, places)


def in_time(numbers: np.ndarray, where: str) -> np.ndarray:
    """Places in time of rows by the numbers of their frames: what is skipped leaves a gap.

    Where only every second frame has a number, for example, places are of these.

    Args:
        numbers: (R,) of any start and order, such as a file has them.
        where: the file, for messages; empty when the caller puts it before.

    Returns:
        (R,) int64 from 0.

    Raises:
        BadClip: when a number is none of a frame, or most frames would be empty.
    """
    at = f"{where}: " if where else ""
    most = MOST_FRAMES if numbers.dtype.kind == "f" else MOST_FRAMES << 9
    wrong = ~((numbers > -most) & (numbers < most)) | (numbers != np.floor(numbers))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadClip(f"{at}row {row} has the frame number {numbers[row]:g}, which is none")
    known = np.unique(numbers.astype(np.int64))
    step = int(np.gcd.reduce(np.diff(known))) if len(known) > 1 else 1
    if len(known) and (known[-1] - known[0]) // step >= FRAMES_PER_FOUND * len(known):
        raise BadClip(
            f"{at}has {len(known)} frames numbered {known[0]} to {known[-1]}; most of them would "
            "be empty"
        )
    return np.asarray((numbers.astype(np.int64) - known[:1]) // step)


def by_clock(times: np.ndarray, where: str) -> np.ndarray:
    """Places in time of rows by a clock, whose usual step is that of the frames.

    Args:
        times: (R,) in any unit, of any start and order.
        where: the file, for messages.

    Returns:
        (R,) int64 from 0.

    Raises:
        BadClip: as `in_time`.
    """
    moments, row = np.unique(times, return_inverse=True)
    steps = np.diff(moments)
    frames = np.maximum(1, np.rint(steps / np.median(steps))) if len(steps) else steps
    return in_time(np.concatenate([[0], np.cumsum(frames)])[row], where)


def by_frame(
    numbers: np.ndarray, rows: np.ndarray, where: str = ""
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows of a table at their places in time, see `in_time`; of two of one frame the later.

    Args:
        numbers: (R,) of frames.
        rows: (R, ...) numbers.
        where: the file, for messages; empty when the caller puts it before.

    Returns:
        (T, ...) float64, NaN in frames without a row; and what was dropped.

    Raises:
        BadClip: as `in_time`, and when many rows have one number.
    """
    places = in_time(numbers, where)
    spread = np.full((int(places.max(initial=-1)) + 1, *rows.shape[1:]), np.nan)
    spread[places] = rows
    twice = len(places) - len(np.unique(places))
    if twice > REPEATED * len(places):
        at = f"{where}: " if where else ""
        raise BadClip(f"{at}{twice} of {len(places)} rows have the frame number of another")
    return spread, (f"{LATER}: {twice}",) if twice else ()


def single(joints: np.ndarray) -> np.ndarray:
    """Places as float32; a NaN that a damaged file has may be one that numpy would warn of."""
    with np.errstate(invalid="ignore"):
        return joints.astype(np.float32)


def repaired(
    coordinates: np.ndarray,
    ids: Sequence[str],
    names: tuple[str, ...],
    where: str,
    longest: int = SHORT_GAP,
) -> Bodies:
    """Bodies with short gaps filled; one that is hardly ever seen whole is left out.

    Args:
        coordinates: (T, M, V, C), NaN where a joint is missing.
        ids: of the M bodies.
        names: of the V joints, for messages.
        where: the file, for messages.
        longest: longest gap in frames that is filled.

    Raises:
        BadClip: when no body is left, telling why the last one is not, or when a place is out of
            reason.
    """
    if len(coordinates) == 0:
        raise BadClip(f"{where}: has no frames")
    refuse_far(coordinates, where)
    bodies = zip(ids, coordinates.swapaxes(0, 1), strict=True)
    whole, notes = _whole(bodies, names, where, longest)
    return Bodies(np.stack([one.joints for one in whole.values()], axis=1), tuple(whole), notes)


def _whole(
    bodies: Iterable[tuple[str, np.ndarray]], names: tuple[str, ...], where: str, longest: int
) -> tuple[dict[str, Filled], tuple[str, ...]]:
    """Bodies by id, each (T, V, C) with a length of its own, that can be repaired, and notes."""
    whole: dict[str, Filled] = {}
    notes: list[str] = []
    lost = 0
    fault = BadClip(f"{where}: shows no body in any frame")
    for name, joints in bodies:
        try:
            whole[name] = fill_gaps(joints, names, f"{where}, body {name}", longest)
        except BadClip as error:
            fault, lost = error, lost + 1
        else:
            notes += whole[name].notes
    if not whole:
        raise fault
    if lost:
        notes.append(f"bodies hardly seen left out: {lost}")
    return whole, tuple(notes)


def with_gaps_filled(
    coordinates: np.ndarray, names: tuple[str, ...], where: str, frame_rate: float | None = None
) -> Bodies:
    """Bodies as arrays have them, as they are but for joints missing while others are there.

    Args:
        coordinates: (T, M, V, C), NaN where a body or a joint is missing; in the plane also those
            of `without_corner`.
        names: of the V joints, for messages.
        where: the file, for messages.
        frame_rate: frames a second, if known, by which gaps of half a second are filled.

    Raises:
        BadClip: as `repaired` and `refuse_confidence`, and when there are not as many joints as
            names.
    """
    if coordinates.shape[2] != len(names):
        raise BadClip(
            f"{where}: has {coordinates.shape[2]} joints, the layout has {len(names)}; name "
            "the layout of these recordings with --layout"
        )
    refuse_confidence(coordinates, where)
    ids = tuple(str(body) for body in range(coordinates.shape[1]))
    if coordinates.shape[-1] == 2:
        coordinates = without_corner(coordinates)
    missing = np.isnan(coordinates).any(-1)
    if (missing == missing.all(-1, keepdims=True)).all():
        refuse_far(coordinates, where)
        return Bodies(coordinates, ids, ())
    longest = round(GAP_SECONDS * frame_rate) if frame_rate else SHORT_GAP
    return repaired(coordinates, ids, names, where, longest)


def tracked(
    seen: Sightings,
    names: tuple[str, ...],
    where: str,
    *,
    max_bodies: int = 2,
    upright: bool = True,
) -> Bodies:
    """The people of a recording, joints that are missing for a moment filled in.

    Args:
        seen: what the sensor gave, NaN where a joint is missing.
        names: of the V joints, for messages.
        where: the file, for messages.
        max_bodies: how many people to keep at most.
        upright: see `people`.

    Raises:
        BadClip: when a body is twice in a frame, none is seen whole, or a place is out of reason.
    """
    refuse_far(seen.joints, where, seen.frame)
    seen, repeated = _without_repeated(seen, where)
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(seen.ids):
        rows.setdefault(name, []).append(row)
    first = {name: int(seen.frame[of[0]]) for name, of in rows.items()}
    # each over the frames between its first and last only: a crowd may pass through a recording
    spans = (
        (name, _span(seen.frame[of] - first[name], seen.joints[of])) for name, of in rows.items()
    )
    whole, notes = _whole(spans, names, where, SHORT_GAP)
    shown = {name: np.flatnonzero(~np.isnan(one.joints[:, 0, 0])) for name, one in whole.items()}
    frame = np.concatenate([there + first[name] for name, there in shown.items()])
    joints = np.concatenate([whole[name].joints[there] for name, there in shown.items()])
    ids = [name for name, there in shown.items() for _ in there]
    order = np.argsort(frame, kind="stable")
    complete = Sightings(seen.frames, frame[order], [ids[row] for row in order], joints[order])
    found = people(complete, max_bodies=max_bodies, max_frames=None, upright=upright)
    return Bodies(found.coordinates, found.ids, (*repeated, *notes, *found.notes))


def _span(frame: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(T, V, C) of joints (L, V, C) in L ascending frames from 0, NaN between."""
    span = np.full((int(frame[-1]) + 1, *joints.shape[1:]), np.nan)
    span[frame] = joints
    return span


def _without_repeated(seen: Sightings, where: str) -> tuple[Sightings, tuple[str, ...]]:
    """The later of two rows of one body and frame.

    Raises:
        BadClip: when there are many; they are several people, or another fault.
    """
    last: dict[tuple[int, str], int] = {}
    twice = ""
    for row, key in enumerate(zip(seen.frame.tolist(), seen.ids, strict=True)):
        if key in last and not twice:
            twice = f"frame {key[0]}: body {key[1]} is there twice"
        last[key] = row
    count = len(seen.frame) - len(last)
    if count > REPEATED * len(seen.frame):
        raise BadClip(f"{where}: {twice}")
    if not count:
        return seen, ()
    kept = sorted(last.values())
    ids = [seen.ids[row] for row in kept]
    return Sightings(seen.frames, seen.frame[kept], ids, seen.joints[kept]), (f"{LATER}: {count}",)
