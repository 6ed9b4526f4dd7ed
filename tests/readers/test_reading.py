from pathlib import Path

import pytest

from crosscale.errors import CrosscaleError
from crosscale.readers import reading
from crosscale.readers.base import Item
from crosscale.readers.reading import read_all
from pretend_reader import PretendReader


def items(*words: str) -> list[Item]:
    return [Item(f"{i:03}", Path(word), i) for i, word in enumerate(words)]


@pytest.fixture
def eager(monkeypatch):
    """Processes even for a few recordings, and chunks so small that all must take turns."""
    monkeypatch.setattr(reading, "TRIAL", 1)
    monkeypatch.setattr(reading, "WORTH_PROCESSES", 0.0)
    monkeypatch.setattr(reading, "LARGEST_CHUNK", 2)


@pytest.mark.usefixtures("eager")
def test_the_order_is_that_of_the_list_whoever_finishes_first():
    asked = items(*["good"] * 40)
    outcomes = list(read_all(PretendReader(pause=0.002), asked, workers=2))
    assert [o.item for o in outcomes] == asked
    assert [o.clip.coordinates[0, 0, 0, 0] for o in outcomes] == [1 + i for i in range(40)]


def test_each_kind_of_failure_becomes_a_reason_of_one_line():
    outcomes = list(read_all(PretendReader(), items("good", "bad", "broken", "unreadable")))
    assert [o.reason for o in outcomes] == [
        "",
        "001: cut in frame 3",
        "broken: is damaged in a way not foreseen (ValueError: could not convert)",
        "unreadable: Permission denied",
    ]


@pytest.mark.usefixtures("eager")
def test_processes_tell_the_same_failures():
    words = ["good", "bad", "broken", "unreadable"] * 3
    alone = [o.reason for o in read_all(PretendReader(), items(*words), workers=1)]
    assert [o.reason for o in read_all(PretendReader(), items(*words), workers=2)] == alone


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("word", "reason"), [("fatal", "label file is damaged"), ("killed", "ended from outside")]
)
def test_what_concerns_the_whole_source_stops_all(word: str, reason: str):
    with pytest.raises(CrosscaleError, match=reason):
        list(read_all(PretendReader(), items("good", word, *["good"] * 20), workers=2))


def test_little_work_starts_no_process(monkeypatch):
    monkeypatch.setattr(reading, "in_processes", None)
    assert len(list(read_all(PretendReader(), items(*["good"] * 200), workers=2))) == 200


def test_no_workers_are_refused():
    with pytest.raises(CrosscaleError, match="0 workers cannot read"):
        list(read_all(PretendReader(), items("good"), workers=0))
