"""Two people: what a second one does, and where the two stand to each other.

Their order says nothing: either may be recorded first.
"""

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from crosscale.synthesis.draw import Draw
from crosscale.synthesis.manner import Manner
from crosscale.synthesis.performers import JOINTS, place
from crosscale.synthesis.programs import Programs, siblings
from crosscale.synthesis.rotation import about_y
from crosscale.synthesis.sensor import mistaken, sensed

APART, HAND_TO_BODY, HAND_TO_HAND = range(3)  # what of two people comes near each other
_TOUCHING = 0.1  # share of a gap that is left when they touch
_NEAREST = 0.4  # metres between the middles of two people
_PELVIS = JOINTS.index("spine_base")
_HANDS = [JOINTS.index("left_hand"), JOINTS.index("right_hand")]


@dataclass(frozen=True)
class Meeting:
    """What K people do before K others, who stand in front of them and face them.

    Attributes:
        partner: what the others do.
        at: when the two are as near each other as is said, 0 to 1, (K,).
        gap: metres between them then, (K,).
        contact: between what of them, see `APART`, (K,).
    """

    partner: Programs
    at: Tensor
    gap: Tensor
    contact: Tensor

    def take(self, rows: Tensor) -> "Meeting":
        """The meetings of these numbers."""
        return Meeting(self.partner.take(rows), self.at[rows], self.gap[rows], self.contact[rows])

    def joined(self, other: "Meeting") -> "Meeting":
        """These, then others."""
        ours, theirs = ((m.at, m.gap, m.contact) for m in (self, other))
        rest = (torch.cat(pair) for pair in zip(ours, theirs, strict=True))
        return Meeting(self.partner.joined(other.partner), *rest)


def draw_meetings(programs: Programs, others: Programs, draw: Draw) -> Meeting:
    """Who is met by those who perform some programs.

    Args:
        programs: K of them.
        others: K more: of the partners a third do the same as the first, a third stand there, and
            the rest perform these.
        draw: all else comes from it.
    """
    count = len(programs)
    kind = draw.integer(0, 2, count)
    partner = others.replaced(kind == 0, programs).replaced(kind == 1, standing(others))
    return Meeting(
        partner,
        at=draw.uniform(count, low=0.3, high=0.8),
        gap=draw.uniform(count, low=0.5, high=2.0),
        contact=draw.integer(APART, HAND_TO_HAND, count),
    )


def standing(programs: Programs) -> Programs:
    """The same without anything that moves a body."""
    still = ("arms", "legs", "waves", "bow", "twist", "squat", "jump", "walks")
    return dataclasses.replace(
        programs, **{name: torch.zeros_like(getattr(programs, name)) for name in still}
    )


def sibling_pairs(
    programs: Programs, changed: Programs, meeting: Meeting, together: Tensor, draw: Draw
) -> tuple[Programs, Meeting]:
    """Siblings of pairs: in a third of them it is the partner who does something else.

    Args:
        programs: of the first people.
        changed: siblings of these.
        meeting: with their partners.
        together: which of them meet a partner at all, (K,).
        draw: all else comes from it.
    """
    other = draw.chance(1 / 3, len(programs)) & together
    partner = meeting.partner.replaced(other, siblings(meeting.partner, draw))
    return changed.replaced(other, programs), dataclasses.replace(meeting, partner=partner)


def perform_together(
    programs: Programs,
    meeting: Meeting,
    draw: Draw,
    frames: int,
    manner: Manner,
    pooling: Tensor | None = None,
) -> Tensor:
    """One performance of each pair, in time with each other, seen from about their side.

    Args:
        programs: of K first people.
        meeting: with their partners.
        draw: everything in which performances differ comes from it.
        frames: T.
        manner: how far they differ.
        pooling: (V, 25) weights that make what the sensor sees from the joints of `ntu25`.

    Returns:
        (K, 2, 3, T, V) metres, as `perform`; in half of the pairs the partner comes first.
    """
    count, clock = len(programs), int(draw.integer(0, 2**31 - 1, 1))
    one, other = (
        place(each, draw, frames, manner, timing=Draw(clock, draw.device))
        for each in (programs, meeting.partner)
    )
    other = about_y(other, math.pi + draw.normal(count, 1, spread=0.2))
    other = other + _way(one, other, meeting, draw)
    aside = math.pi / 2 + draw.normal(count, 1, spread=0.4)
    bodies = [about_y(each, aside) for each in (one, other)]
    bodies = [mistaken(each, draw, manner) for each in bodies]
    if pooling is not None:
        bodies = [(pooling @ each.flatten(2)).unflatten(2, each.shape[2:]) for each in bodies]
    seen = torch.stack(sensed(torch.cat(bodies, 1), draw, manner).chunk(2, 1), 1)
    swapped = draw.chance(0.5, count)[:, None, None, None, None]
    return torch.where(swapped, seen.flip(1), seen).transpose(2, 3).transpose(3, 4).contiguous()


def _way(one: Tensor, other: Tensor, meeting: Meeting, draw: Draw) -> Tensor:
    """From where a partner performed to where they meet the first, (K, 1, 3, 1)."""
    count, _, _, frames = one.shape
    at = (meeting.at * (frames - 1)).round().long().view(-1, 1, 1, 1)
    at = at.expand(-1, *one.shape[1:3], 1)
    one, other = one.gather(3, at)[..., 0], other.gather(3, at)[..., 0]  # (K, 25, 3)

    def reach(body: Tensor, ahead: float) -> Tensor:
        """How far before the pelvis its foremost hand is."""
        return ((body[:, _HANDS, 2] - body[:, None, _PELVIS, 2]) * ahead).amax(1).clamp(min=0)

    touching = meeting.contact != APART
    gap = torch.where(touching, _TOUCHING * meeting.gap + reach(one, -1.0), meeting.gap)
    gap = gap + torch.where(meeting.contact == HAND_TO_HAND, reach(other, 1.0), 0.0)
    gap = gap.clamp(min=_NEAREST) * draw.factor(count, spread=0.1)
    way = one[:, _PELVIS] - other[:, _PELVIS]
    beside = way[:, 0] + draw.normal(count, spread=0.08)
    return torch.stack([beside, torch.zeros_like(gap), way[:, 2] - gap], 1)[:, None, :, None]
