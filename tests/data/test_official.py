import pytest

from crosscale.data import official
from crosscale.data.official import OFFICIAL, Counts, differences
from crosscale.data.splits import PUBLISHED


@pytest.mark.parametrize("kind", OFFICIAL)
def test_published_parts_add_up_to_the_whole(kind: str):
    counts = OFFICIAL[kind]
    assert set(counts.parts) == set(PUBLISHED[kind])
    for train, test in counts.parts.values():
        assert train + test == counts.clips


@pytest.fixture
def small(monkeypatch):
    counts = Counts(2, 1, {"camera": 2}, {"xview": (1, 1)})
    monkeypatch.setattr(official, "OFFICIAL", {"nwucla": counts})


@pytest.mark.usefixtures("small")
def test_a_whole_data_set_agrees(clip, stored):
    clips = [clip("a", label="x", camera=1), clip("b", label="x", camera=3)]
    assert differences(stored(*clips, name="nwucla")) == []


@pytest.mark.usefixtures("small")
def test_every_difference_is_told(clip, stored):
    clips = [clip(c, label=c, camera=1) for c in "abc"]
    told = differences(stored(*clips, name="nwucla"))
    assert told[:3] == [
        "clips: 3, published 2",
        "classes: 3, published 1",
        "cameras: 1, published 2",
    ]
    assert told[3] == "xview: cannot be made of these clips"
    clips.append(clip("d", label="a", camera=3))
    told = differences(stored(*clips, name="nwucla", overwrite=True))
    assert told[-1] == ("xview: 3 train and 1 test, published 1 and 1")


def test_a_set_of_ones_own_has_no_published_counts(clip, stored):
    assert differences(stored(clip("a"))) is None
