"""A jointed body: bones, joint angles, and where they put the joints.

Body space is right-handed, in metres: x to the person's right, y up, z to the person's
back, so that a body with heading 0 faces along -z. This is Kinect v2 camera space for a
person who faces the camera: x grows towards the person's right hand.
"""

from collections.abc import Mapping

import numpy as np

from crosscale.errors import CrosscaleError

# joint, its parent, the rigid segment that carries the bone, and the bone in fractions of
# body height (right, up, back). The rows stand in the order of NTU files and `ntu25`.
_BONES: tuple[tuple[str, str, str, tuple[float, float, float]], ...] = (
    ("spine_base", "", "hips", (0.0, 0.0, 0.0)),
    ("spine_mid", "spine_base", "waist", (0.0, 0.165, 0.0)),
    ("neck", "spine_shoulder", "chest", (0.0, 0.045, 0.0)),
    ("head", "neck", "head", (0.0, 0.085, -0.012)),
    ("left_shoulder", "spine_shoulder", "chest", (-0.103, -0.017, 0.005)),
    ("left_elbow", "left_shoulder", "l_upper_arm", (0.0, -0.162, 0.0)),
    ("left_wrist", "left_elbow", "l_forearm", (0.0, -0.145, 0.0)),
    ("left_hand", "left_wrist", "l_hand", (0.0, -0.045, 0.0)),
    ("right_shoulder", "spine_shoulder", "chest", (0.103, -0.017, 0.005)),
    ("right_elbow", "right_shoulder", "r_upper_arm", (0.0, -0.162, 0.0)),
    ("right_wrist", "right_elbow", "r_forearm", (0.0, -0.145, 0.0)),
    ("right_hand", "right_wrist", "r_hand", (0.0, -0.045, 0.0)),
    ("left_hip", "spine_base", "hips", (-0.048, -0.018, 0.0)),
    ("left_knee", "left_hip", "l_thigh", (0.0, -0.235, 0.0)),
    ("left_ankle", "left_knee", "l_shank", (0.0, -0.225, 0.0)),
    ("left_foot", "left_ankle", "l_foot", (0.0, -0.04, -0.065)),
    ("right_hip", "spine_base", "hips", (0.048, -0.018, 0.0)),
    ("right_knee", "right_hip", "r_thigh", (0.0, -0.235, 0.0)),
    ("right_ankle", "right_knee", "r_shank", (0.0, -0.225, 0.0)),
    ("right_foot", "right_ankle", "r_foot", (0.0, -0.04, -0.065)),
    ("spine_shoulder", "spine_mid", "chest", (0.0, 0.125, 0.0)),
    ("left_hand_tip", "left_hand", "l_hand", (0.0, -0.045, 0.0)),
    ("left_thumb", "left_hand", "l_hand", (0.012, -0.012, -0.028)),
    ("right_hand_tip", "right_hand", "r_hand", (0.0, -0.045, 0.0)),
    ("right_thumb", "right_hand", "r_hand", (-0.012, -0.012, -0.028)),
)
JOINTS = tuple(bone[0] for bone in _BONES)
PARENTS = tuple(JOINTS.index(parent) if parent else 0 for _, parent, _, _ in _BONES)
SEGMENTS = tuple(bone[2] for bone in _BONES)
UNIT_BONES = np.array([bone[3] for bone in _BONES])  # (25, 3), fractions of body height

_TRUNK = ("bend", "lean", "twist", "nod", "look", "turn", "jump")
_ARM = ("flex", "out", "in", "elbow", "wrist")
_LEG = ("hip", "spread", "knee", "ankle")
CHANNELS = _TRUNK + tuple(f"{side}_{name}" for side in "rl" for name in _ARM + _LEG)
"""What a pose consists of. Degrees, except `jump`, centimetres above the floor.

bend forward, lean to the right, twist to the left; nod down, look left; turn the whole body
to the left; an arm is raised forward by `flex` and sideways by `out`, turned inward about
itself by `in`; a leg is raised forward by `hip` and sideways by `spread`.
"""
_SIGN_CHANGES = ("lean", "twist", "look", "turn")
_FEET = [JOINTS.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
_CONTACT_HEIGHT = 0.015  # metres: a foot this much above the other bears 1/e of its weight


def pose_vector(angles: Mapping[str, float]) -> np.ndarray:
    """A pose (channels,) from named angles, zero where nothing is named.

    Raises:
        CrosscaleError: when a name is not a channel.
    """
    vector = np.zeros(len(CHANNELS))
    for name, value in angles.items():
        if name not in CHANNELS:
            raise CrosscaleError(f"no channel {name!r} in a pose; there are {', '.join(CHANNELS)}")
        vector[CHANNELS.index(name)] = value
    return vector


def mirrored(poses: np.ndarray) -> np.ndarray:
    """The poses (..., channels) with left and right exchanged."""
    other = {"r": "l", "l": "r"}
    order = [
        CHANNELS.index(other[name[0]] + name[1:]) if name[1] == "_" else index
        for index, name in enumerate(CHANNELS)
    ]
    signs = np.array([-1.0 if name in _SIGN_CHANGES else 1.0 for name in CHANNELS])
    return poses[..., order] * signs


def place_joints(poses: np.ndarray, bones: np.ndarray, heading: float = 0.0) -> np.ndarray:
    """Joint positions of one body on the floor y = 0, its feet not sliding.

    The lowest foot stands on the floor (or `jump` above it), and the body moves sideways so
    that the foot which bears the weight rests: steps, squats and kicks need no path of their
    own. The first frame's pelvis is above the origin.

    Args:
        poses: (T, channels), degrees (`jump`: centimetres).
        bones: (25, 3), each bone in its segment's resting frame, metres.
        heading: the turn to the left about the vertical axis, radians.

    Returns:
        (T, 25, 3), metres.
    """
    angles = dict(zip(CHANNELS, np.radians(poses.T), strict=True))
    turns = _segment_turns(angles, heading)
    joints = np.zeros((len(poses), len(JOINTS), 3))
    for joint in _from_the_root():
        joints[:, joint] = joints[:, PARENTS[joint]] + turns[SEGMENTS[joint]] @ bones[joint]
    feet = joints[:, _FEET]
    lowest = feet[..., 1].min(axis=1)
    weight = np.exp((lowest[:, None] - feet[..., 1]) / _CONTACT_HEIGHT)
    weight /= weight.sum(axis=1, keepdims=True)
    step = np.zeros((len(poses), 3))
    step[1:] = -(weight[1:, :, None] * np.diff(feet, axis=0)).sum(axis=1)
    path = np.cumsum(step, axis=0)
    path[:, 1] = poses[:, CHANNELS.index("jump")] / 100 - lowest
    return joints + path[:, None]


def about(axis: int, angle: np.ndarray | float) -> np.ndarray:
    """Right-handed rotations (T, 3, 3) about one axis by `angle` (T,), radians, or one of them."""
    angle = np.asarray(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((*angle.shape, 3, 3))
    turn[..., axis, axis] = 1.0
    turn[..., first, first] = turn[..., second, second] = np.cos(angle)
    turn[..., second, first] = np.sin(angle)
    turn[..., first, second] = -turn[..., second, first]
    return turn


def _segment_turns(angles: Mapping[str, np.ndarray], heading: float) -> dict[str, np.ndarray]:
    """Orientation (T, 3, 3) of every rigid segment."""
    turns = {"hips": about(1, angles["turn"] + heading)}
    for name, share in (("waist", 0.7), ("chest", 1.0)):
        trunk = about(1, share * angles["twist"]) @ about(0, -share * angles["bend"])
        turns[name] = turns["hips"] @ trunk @ about(2, -share * angles["lean"])
    turns["head"] = turns["chest"] @ about(1, angles["look"]) @ about(0, -angles["nod"])
    for side, sign in (("r", 1.0), ("l", -1.0)):
        arm = {name: angles[f"{side}_{name}"] for name in _ARM + _LEG}
        shoulder = about(0, arm["flex"]) @ about(2, sign * arm["out"])
        turns[f"{side}_upper_arm"] = turns["chest"] @ shoulder @ about(1, sign * arm["in"])
        turns[f"{side}_forearm"] = turns[f"{side}_upper_arm"] @ about(0, arm["elbow"])
        turns[f"{side}_hand"] = turns[f"{side}_forearm"] @ about(0, arm["wrist"])
        hip = about(0, arm["hip"]) @ about(2, sign * arm["spread"])
        turns[f"{side}_thigh"] = turns["hips"] @ hip
        turns[f"{side}_shank"] = turns[f"{side}_thigh"] @ about(0, -arm["knee"])
        turns[f"{side}_foot"] = turns[f"{side}_shank"] @ about(0, arm["ankle"])
    return turns


def _from_the_root() -> list[int]:
    """Every joint but the root, parents first."""

    def depth(joint: int) -> int:
        return 0 if joint == 0 else 1 + depth(PARENTS[joint])

    return sorted(range(1, len(JOINTS)), key=depth)
