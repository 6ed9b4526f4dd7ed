"""BVH files for tests, written from their documented form."""

from dataclasses import dataclass, field

import numpy as np

POSITIONS = ("Xposition", "Yposition", "Zposition")


@dataclass
class Bone:
    """A joint; `channels` as the file lists them."""

    name: str
    offset: tuple[float, float, float]
    channels: tuple[str, ...] = ("Zrotation", "Xrotation", "Yrotation")
    children: list["Bone"] = field(default_factory=list)
    end: tuple[float, float, float] | None = None

    def all(self) -> list["Bone"]:
        return [self, *(bone for child in self.children for bone in child.all())]


def text(root: Bone, frames: np.ndarray, frame_time: float = 0.01) -> str:
    """A file of a hierarchy and (T, channels) numbers."""
    rows = [" ".join(repr(float(x)) for x in frame) for frame in frames]
    head = ["MOTION", f"Frames: {len(frames)}", f"Frame Time: {frame_time}"]
    return "\n".join(["HIERARCHY", *_block(root, "ROOT"), *head, *rows, ""])


def _block(bone: Bone, keyword: str) -> list[str]:
    lines = [f"{keyword} {bone.name}", "{", f"OFFSET {' '.join(map(str, bone.offset))}"]
    lines.append(f"CHANNELS {len(bone.channels)} {' '.join(bone.channels)}".rstrip())
    for child in bone.children:
        lines += _block(child, "JOINT")
    if bone.end:
        lines += ["End Site", "{", f"OFFSET {' '.join(map(str, bone.end))}", "}"]
    return [*lines, "}"]


def person(scale: float = 1.0) -> Bone:
    """A body of 1.7 m that stands with hanging arms, y up, facing +z; `scale` units a metre."""

    def at(x: float, y: float, z: float) -> tuple[float, float, float]:
        return (x * scale, y * scale, z * scale)

    def limb(side: str, x: float) -> tuple[Bone, Bone]:
        hand = Bone(f"{side}Hand", at(0, -0.25, 0), end=at(0, -0.1, 0))
        elbow = Bone(f"{side}ForeArm", at(0, -0.28, 0), children=[hand])
        arm = Bone(f"{side}Arm", at(x, 0, 0), children=[elbow])
        foot = Bone(f"{side}Foot", at(0, -0.42, 0), end=at(0, -0.08, 0.15))
        knee = Bone(f"{side}Leg", at(0, -0.42, 0), children=[foot])
        return arm, Bone(f"{side}UpLeg", at(x / 2, 0, 0), children=[knee])

    left, right = limb("Left", 0.2), limb("Right", -0.2)
    head = Bone("Head", at(0, 0.1, 0), end=at(0, 0.2, 0))
    neck = Bone("Neck", at(0, 0.05, 0), children=[head])
    spine = Bone("Spine", at(0, 0.43, 0), children=[neck, left[0], right[0]])
    hips = Bone("Hips", (0.0, 0.0, 0.0), children=[spine, left[1], right[1]])
    hips.channels = (*POSITIONS, *hips.channels)
    return hips


def still(root: Bone, frames: int = 3, place: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """(T, channels) of zero turns at a place."""
    numbers = np.zeros((frames, sum(len(bone.channels) for bone in root.all())))
    numbers[:, :3] = place
    return numbers
