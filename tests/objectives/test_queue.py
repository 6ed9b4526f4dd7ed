import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscale.objectives.queue import KeyQueue


@given(
    size=st.integers(1, 20),
    batches=st.lists(st.integers(1, 30), min_size=1, max_size=6),
)
def test_the_queue_holds_the_last_keys_of_any_batches(size, batches):
    queue = KeyQueue(2, size, 3)
    total = 0
    for count in batches:
        clips = torch.arange(total, total + count)
        queue.push(clips.float().view(1, -1, 1).expand(2, -1, 3), clips)
        total += count
    held = queue.clips[queue.clips >= 0]
    assert sorted(held.tolist()) == list(range(max(0, total - size), total))
    for branch in queue.keys:
        torch.testing.assert_close(branch[queue.clips >= 0][:, 0], held.float())


def test_it_starts_with_directions_of_unit_length():
    torch.testing.assert_close(KeyQueue(2, 50, 8).keys.norm(dim=2), torch.ones(2, 50))


def test_places_wrap_without_dropping_the_remainder():
    queue = KeyQueue(1, 5, 1)
    for clip in range(3):
        clips = torch.tensor([2 * clip, 2 * clip + 1])
        queue.push(clips.float().view(1, 2, 1), clips)
    assert queue.clips.tolist() == [5, 1, 2, 3, 4]
    assert int(queue.place) == pytest.approx(1)
