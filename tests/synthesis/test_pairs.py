"""Two people who perform programs before each other."""

import dataclasses

import torch

from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.pairs import (
    APART,
    HAND_TO_BODY,
    HAND_TO_HAND,
    Meeting,
    draw_meetings,
    perform_together,
    sibling_pairs,
    standing,
)
from crosscale.synthesis.performers import JOINTS, place
from crosscale.synthesis.programs import Programs, draw_programs, siblings

FRAMES = 40
STILL = Manner(**{field.name: 0.0 for field in dataclasses.fields(Manner)})
PELVIS = JOINTS.index("spine_base")
HANDS = [JOINTS.index("left_hand"), JOINTS.index("right_hand")]


def met(count: int = 60) -> tuple[Programs, Meeting]:
    draw = Draw(0)
    programs = draw_programs(count, draw)
    return programs, draw_meetings(programs, draw_programs(count, draw), draw)


def test_the_same_seed_gives_the_same_pairs():
    pairs = met()
    one, same, other = (
        perform_together(*pairs, Draw(seed), FRAMES, Manner()) for seed in (1, 1, 2)
    )
    assert one.shape == (60, 2, 3, FRAMES, 25)
    assert one.isfinite().all()
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_two_people_come_as_near_as_their_meeting_says_and_not_into_each_other():
    programs, meeting = met()
    x = perform_together(programs, meeting, Draw(1), FRAMES, STILL)
    at = (meeting.at * (FRAMES - 1)).round().long()
    rows = torch.arange(len(programs))
    then = x[rows, :, :, at]  # (K, 2, 3, 25)
    between = then[:, 0, [0, 2], PELVIS] - then[:, 1, [0, 2], PELVIS]
    distance = between.norm(dim=1)
    assert distance.min() > 0.25
    apart = meeting.contact == APART
    assert (distance[apart] / meeting.gap[apart]).log().abs().max() < 0.5
    hands = then[:, :, :, HANDS].transpose(2, 3)  # (K, 2, hands, 3)
    touching = meeting.contact == HAND_TO_HAND
    nearest = torch.cdist(hands[:, 0], hands[:, 1]).flatten(1).amin(1)
    assert nearest[touching].median() < 0.7 * nearest[apart].median()
    pelvis = then[:, :, None, :, PELVIS]
    reached = (hands - pelvis.flip(1))[..., [0, 2]].norm(dim=-1).flatten(1).amin(1)
    touched = meeting.contact == HAND_TO_BODY
    assert reached[touched].median() < 0.7 * reached[apart].median()


def test_who_stands_moves_nothing():
    joints = place(standing(draw_programs(20, Draw(0))), Draw(1), FRAMES, STILL)
    moved = (joints - joints[..., :1]).norm(dim=2)
    assert moved.max() < 0.02


def test_siblings_of_pairs_differ_in_what_one_of_the_two_does():
    programs, meeting = met(200)
    together = torch.arange(200) % 2 == 0
    own = siblings(programs, Draw(3))
    changed, other = sibling_pairs(programs, own, meeting, together, Draw(4))

    def differ(one: Programs, two: Programs) -> torch.Tensor:
        values = [
            (getattr(one, f.name) != getattr(two, f.name)).flatten(1).any(1)
            if getattr(one, f.name).dim() > 1
            else getattr(one, f.name) != getattr(two, f.name)
            for f in dataclasses.fields(Programs)
        ]
        return torch.stack(values).any(0)

    first, second = differ(programs, changed), differ(meeting.partner, other.partner)
    assert not (first & second).any()
    assert second[together].float().mean() > 0.2
    assert not second[~together].any()
    assert torch.equal(first[~together], differ(programs, own)[~together])
