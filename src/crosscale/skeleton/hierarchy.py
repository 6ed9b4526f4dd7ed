"""A layout from the hierarchy of a motion-capture file, whose joints differ with the software.

The bodies of CMU, Mixamo, MotionBuilder, Vicon, Rokoko, Xsens, Blender, Unreal, VRM, 3ds Max and
Poser name elbows and knees unmistakably; all else follows from what hangs on what. A joint lies
where its bone begins: LeftForeArm is the elbow, and what it hangs on the shoulder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from crosscale.errors import CrosscaleError
from crosscale.skeleton.joint_names import LEFT, RIGHT
from crosscale.skeleton.layout import UNKNOWN, Layout
from crosscale.skeleton.starter import starter_text

# names without side and underscores; earlier ones are surer
ELBOW = ("elbow", "forearm", "lowerarm", "lowarm", "radius", "ulna")
KNEE = ("knee", "shin", "calf", "tibia", "lowerleg", "lowleg", "leg")
SHOULDER = ("shoulder", "arm", "upperarm", "uparm", "humerus", "shldr")
HIP = ("hip", "thigh", "upleg", "upperleg", "femur", "leg")
WRIST = ("wrist", "hand")
ANKLE = ("ankle", "foot")
HEAD = ("head", "skull", "face", "neck")


@dataclass(frozen=True)
class Limb:
    """The joints that matter of an arm or a leg, by index."""

    upper: int
    middle: int
    lower: int


def layout_from_hierarchy(name: str, joints: Sequence[str], parents: Sequence[int]) -> Layout:
    """Find body parts, centre and sides in a hierarchy, and make its layout.

    Joints above the body (a reference on the floor) and beside it (a prop) are left out.

    Args:
        name: of the layout.
        joints: plain names (`joint_names.plain_names`), parents before children.
        parents: index of each joint's parent; the first joint is its own.

    Raises:
        CrosscaleError: when the names do not tell; shows a layout file to be completed.
    """
    return _Body(name, joints, parents).layout()


class _Body:
    """A hierarchy in which the parts of a body are looked for."""

    def __init__(self, name: str, joints: Sequence[str], parents: Sequence[int]) -> None:
        self.name = name
        self.joints = joints
        self.parents = parents
        self.bare = [
            joint.removeprefix(LEFT).removeprefix(RIGHT).replace("_", "") for joint in joints
        ]
        self.found: dict[str, Any] = {}

    def layout(self) -> Layout:
        arms = [self.limb(side, ELBOW, SHOULDER, WRIST) for side in (LEFT, RIGHT)]
        legs = [self.limb(side, KNEE, HIP, ANKLE) for side in (LEFT, RIGHT)]
        chest = self.meeting(*(arm.upper for arm in arms))
        hips = self.meeting(*(leg.upper for leg in legs))
        top = self.meeting(chest, hips)
        self.found["centre"] = self.joints[chest]
        self.found["root"] = [self.joints[hips]]
        head = self.head(chest)
        parts = {
            "torso": self.path(hips, chest),
            "head": [*self.path(chest, head)[1:], *self.ends(head)],
        }
        for side, arm in zip((LEFT, RIGHT), arms, strict=True):
            parts[f"{side}upper_arm"] = [arm.upper, arm.middle]
            parts[f"{side}forearm"] = [arm.lower, *self.children(arm.lower)]
        for side, leg in zip((LEFT, RIGHT), legs, strict=True):
            parts[f"{side}thigh"] = [leg.upper, leg.middle]
            parts[f"{side}shank"] = [leg.lower, *self.children(leg.lower)]
        kept = [j for j in range(len(self.joints)) if top in self.line(j)]
        source = self.starter(kept) | {"scales": self.scales(parts)}
        return Layout.from_dict(source, origin=f"the layout of {self.name}")

    def limb(
        self, side: str, middle: Sequence[str], upper: Sequence[str], lower: Sequence[str]
    ) -> Limb:
        """The limb of a side, from the joint in its middle."""
        where = self.first(range(len(self.joints)), middle, side)
        if where is None or where == self.parents[where]:
            self.fail(f"no joint is called {' or '.join(side + name for name in middle[:4])}")
        above = next((j for j in self.line(where)[1:] if self.called(j, upper, side)), None)
        below = self.first(self.below(where), lower, side)
        start = self.parents[where] if above is None else above
        self.found.setdefault("shoulders" if middle is ELBOW else "hips", []).append(
            self.joints[start]
        )
        if below is None:
            below = next(iter(self.children(where)), None)
        if below is None:
            self.fail(f"nothing hangs on {self.joints[where]}")
        return Limb(start, where, below)

    def head(self, chest: int) -> int:
        """The head, or the neck when there is no more."""
        where = self.first(self.below(chest), HEAD, "")
        if where is None:
            self.fail("no joint is called head or neck")
        return where

    def first(self, places: Sequence[int], names: Sequence[str], side: str) -> int | None:
        """The first of the places whose joint has the surest of the names, on that side."""
        fitting = ((n, p) for n in names for p in places if self.called(p, [n], side))
        return next((place for _, place in fitting), None)

    def called(self, joint: int, names: Sequence[str], side: str) -> bool:
        """Whether a joint has one of the names, whatever its number, on that side."""
        bare = self.bare[joint].rstrip("0123456789")
        return bare in names and self.joints[joint].startswith(side)

    def line(self, joint: int) -> list[int]:
        """The joint, its parent, and so on to the first joint."""
        line = [joint]
        while self.parents[joint] != joint:
            joint = self.parents[joint]
            line.append(joint)
        return line

    def meeting(self, one: int, other: int) -> int:
        """The last joint that both hang on."""
        line = set(self.line(one))
        return next(joint for joint in self.line(other) if joint in line)

    def path(self, start: int, end: int) -> list[int]:
        """The joints from one to another, both included."""
        turn = self.meeting(start, end)
        up, down = self.line(start), self.line(end)
        return [*up[: up.index(turn)], turn, *reversed(down[: down.index(turn)])]

    def children(self, joint: int) -> list[int]:
        return [j for j, parent in enumerate(self.parents) if parent == joint and j != joint]

    def ends(self, joint: int) -> list[int]:
        """Children on which nothing hangs: of a head, its top."""
        return [child for child in self.children(joint) if not self.children(child)][:1]

    def below(self, joint: int) -> list[int]:
        return [j for j in range(len(self.joints)) if j != joint and joint in self.line(j)]

    def scales(self, parts: dict[str, list[int]]) -> dict[str, Any]:
        """part10 and body5, their graphs those of every layout."""
        ten = {part: [self.joints[j] for j in members] for part, members in parts.items()}
        five = {"torso": [*ten["torso"], *ten["head"]]}
        for side in (LEFT, RIGHT):
            five[f"{side}arm"] = [*ten[f"{side}upper_arm"], *ten[f"{side}forearm"]]
        for side in (LEFT, RIGHT):
            five[f"{side}leg"] = [*ten[f"{side}thigh"], *ten[f"{side}shank"]]
        like = Layout.load("part10").to_dict()["scales"]
        return {
            "part10": {**like["part10"], "parts": ten},
            "body5": {**like["body5"], "parts": five},
        }

    def starter(self, kept: Sequence[int]) -> dict[str, Any]:
        """A layout as plain data, with a question mark where the names do not tell."""
        centre = self.found.get("centre", self.joints[0])
        way = self.line(self.joints.index(centre))
        parents = {self.joints[j]: self.joints[self.parents[j]] for j in kept}
        parents |= {self.joints[up]: self.joints[down] for down, up in pairwise(way)}
        names = [self.joints[j] for j in kept]
        unknown = [UNKNOWN, UNKNOWN]
        return {
            "name": self.name,
            "joints": names,
            "centre": centre,
            "root": self.found.get("root", [self.joints[0]]),
            "shoulders": (self.found.get("shoulders", []) + unknown)[:2],
            "hips": (self.found.get("hips", []) + unknown)[:2],
            "parents": {j: p for j, p in parents.items() if j != centre and j in names},
        }

    def fail(self, what: str) -> NoReturn:
        text = starter_text(self.starter(range(len(self.joints))), parts=True)
        raise CrosscaleError(
            f"{what}: put this into a file, fill in what has a question mark (or leave out the "
            f"scales), and give the file with --layout\n\n{text}"
        )
