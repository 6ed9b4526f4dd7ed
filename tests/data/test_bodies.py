"""Bodies whose joints are missing now and then, in recordings of many."""

import tracemalloc

import numpy as np
import pytest

from crosscale.data.bodies import tracked
from crosscale.data.tracks import Sightings
from crosscale.errors import BadClip

NAMES = ("head", "hand", "foot")
BODY = np.array([[0, 1.6, 0], [0.3, 1, 0], [0.1, 0, 0.1]])


def passing(people: int, frames_each: int) -> Sightings:
    """One body after the other, each for some frames, far apart."""
    frame = np.arange(people * frames_each)
    ids = [str(t // frames_each) for t in frame]
    sway = np.sin(frame)[:, None, None] * 0.1
    joints = BODY + sway + np.array([[[10.0 * int(name), 0, 0]] for name in ids])
    return Sightings(len(frame), frame, ids, joints)


def test_memory_grows_with_the_bodies_seen_and_not_with_all_frames_of_each():
    seen = passing(500, 12)
    tracemalloc.start()
    found = tracked(seen, NAMES, "crowd")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.coordinates.shape[1] == 2
    assert peak < 50e6 < seen.frames * 500 * len(NAMES) * 3 * 8


def test_gaps_are_filled_between_the_first_and_the_last_sight_of_each():
    seen = passing(2, 12)
    seen.joints[3, 1] = np.nan
    found = tracked(seen, NAMES, "a", max_bodies=2)
    assert found.notes[0] == "joints missing for a moment, filled by a line: 1"
    assert np.isfinite(found.coordinates[:12, 0]).all()
    assert np.isnan(found.coordinates[12:, 0]).all()


def test_a_body_that_is_there_twice_is_told():
    seen = passing(1, 4)
    seen.frame[2] = 1
    with pytest.raises(BadClip, match=r"a: frame 1: body 0 is there twice"):
        tracked(seen, NAMES, "a")
