from contextlib import contextmanager

from crosscale.utils.progress import displayed_by, progress, tracked


class Seen:
    """A display that notes what it is told."""

    def __init__(self):
        self.told = []

    @contextmanager
    def __call__(self, what, total):
        self.told.append((what, total))
        yield lambda done: self.told.append((what, done))
        self.told.append(f"{what} ended")


def test_what_is_done_is_told_part_by_part():
    seen = Seen()
    with displayed_by(seen):
        assert [*tracked("ab", "letters", 2)] == ["a", "b"]
        assert [*tracked([[1, 2], [3]], "numbers", 3, len)] == [[1, 2], [3]]
        with progress("something"):
            pass
    assert seen.told == [
        *[("letters", 2), ("letters", 1), ("letters", 1), "letters ended"],
        *[("numbers", 3), ("numbers", 2), ("numbers", 1), "numbers ended"],
        *[("something", None), "something ended"],
    ]


def test_without_a_display_nothing_is_told():
    seen = Seen()
    with displayed_by(seen), displayed_by(None):
        assert [*tracked("ab", "letters", 2)] == ["a", "b"]
    assert [*tracked("ab", "letters", 2)] == ["a", "b"]
    assert not seen.told


def test_work_that_fails_is_ended_all_the_same():
    ended = []

    @contextmanager
    def display(what, total):
        try:
            yield lambda done: None
        finally:
            ended.append(what)

    with displayed_by(display):
        try:
            for letter in tracked("ab", "letters", 2):
                raise ValueError(letter)
        except ValueError:
            assert ended == ["letters"]
