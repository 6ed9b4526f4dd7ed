"""Performances in the file formats of sensors and pose estimators, for examples and tests."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from crosscale.data.detections import CAMERA_TO_Y_UP
from crosscale.skeleton.layout import Layout
from crosscale.synthesis.performers import JOINTS

RATE = 30  # frames a second, of every example
PICTURE, FOCAL = (640, 480), 525.0  # pixels, as of a Kinect's camera
_NETWORK = "DLC_resnet50_examplesJan1shuffle1_100000"
_HEAD = {  # metres from the middle of the head: to the person's right, up, and forward
    "nose": (0, -0.02, 0.11), "left_ear": (-0.08, 0, 0), "left_mouth": (-0.02, -0.06, 0.09),
    "left_eye_inner": (-0.02, 0.03, 0.09), "left_eye": (-0.03, 0.03, 0.09),
    "left_eye_outer": (-0.04, 0.03, 0.08),
}  # fmt: skip
# The bones of the BVH body, depth first: joint, what it hangs on, and the performers' joint there.
_TRUNK = (
    ("Hips", "", "spine_base"),
    ("Spine", "Hips", "spine_mid"),
    ("Chest", "Spine", "spine_shoulder"),
    ("Neck", "Chest", "neck"),
    ("Head", "Neck", "head"),
)
_ARM = (("Arm", "shoulder"), ("ForeArm", "elbow"), ("Hand", "wrist"), ("HandEnd", "hand_tip"))
_LEG = (("UpLeg", "hip"), ("Leg", "knee"), ("Foot", "ankle"), ("ToeBase", "foot"))
_BVH = (
    *_TRUNK,
    *(
        (f"{side}{bone}", f"{side}{limb[i - 1][0]}" if i else root, f"{side.lower()}_{joint}")
        for root, limb in (("Chest", _ARM), ("Hips", _LEG))
        for side in ("Left", "Right")
        for i, (bone, joint) in enumerate(limb)
    ),
)  # fmt: skip
_FRAMES = {"Hips": ("LeftUpLeg", "RightUpLeg", "Spine"), "Chest": ("LeftArm", "RightArm", "Neck")}


def seen_as(joints: np.ndarray, layout: str) -> np.ndarray:
    """Where a pose estimator puts its joints.

    Args:
        joints: (T, 25, 3) metres, the performers' joints.
        layout: `blazepose33` or `openpose25`.

    Returns:
        (T, V, 3) metres, in the same axes.
    """
    found = {name: joints[:, j] for j, name in enumerate(JOINTS)}
    right = _unit(found["right_shoulder"] - found["left_shoulder"])
    up = _unit(found["head"] - found["neck"])
    forward = _unit(np.cross(up, right))
    for name, (x, y, z) in _HEAD.items():
        for side, sign in ((name, 1), (name.replace("left", "right"), -1)):
            found[side] = found["head"] + sign * x * right + y * up + z * forward
    for side, sign in (("left", -1), ("right", 1)):
        hand, tip, ankle, toe = (
            found[f"{side}_{joint}"] for joint in ("hand", "hand_tip", "ankle", "foot")
        )
        sole = toe - ankle
        found[f"{side}_index"], found[f"{side}_pinky"] = tip, 0.6 * tip + 0.4 * hand
        found[f"{side}_foot_index"] = found[f"{side}_big_toe"] = toe
        found[f"{side}_small_toe"] = toe + 0.05 * sign * right
        found[f"{side}_heel"] = ankle - 0.4 * sole - 0.05 * up
    found["neck"], found["mid_hip"] = found["spine_shoulder"], found["spine_base"]
    return np.stack([found[name] for name in Layout.load(layout).joints], axis=1)


def mediapipe_json(landmarks: np.ndarray) -> str:
    """A video's results as MediaPipe's world landmarks.

    Args:
        landmarks: (T, 33, 3) metres, in a depth sensor's axes.
    """
    hips = landmarks[:, [23, 24]].mean(axis=1, keepdims=True)
    places = np.round((landmarks - hips) * CAMERA_TO_Y_UP, 4)
    frames = [
        {
            "pose_world_landmarks": [
                {"x": x, "y": y, "z": z, "visibility": 0.95} for x, y, z in frame
            ]
        }
        for frame in places.tolist()
    ]
    return json.dumps({"fps": RATE, "frames": frames}, separators=(",", ":"))


def in_pixels(joints: np.ndarray) -> np.ndarray:
    """What a camera's picture shows of joints (..., 3) in its space: x, y and confidence."""
    across, down = (
        middle / 2 - FOCAL * joints[..., axis] / joints[..., 2]
        for axis, middle in enumerate(PICTURE)
    )
    return np.stack([across, down, np.full_like(across, 0.9)], axis=-1)


def write_openpose(
    folder: Path, frames: Sequence[Sequence[np.ndarray]], name: str | None = None
) -> Path:
    """Write one JSON file a frame, as OpenPose does.

    Args:
        folder: of the clip, made if it is not there.
        frames: of each, its people (V, 3): x, y (down) and confidence.
        name: of the clip, by default that of its folder.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clip = folder.name if name is None else name
    for t, people in enumerate(frames):
        told = [
            {
                "person_id": [-1],
                "pose_keypoints_2d": np.round(person, 3).ravel().tolist(),
                "face_keypoints_2d": [],
                "pose_keypoints_3d": [],
            }
            for person in people
        ]
        text = json.dumps({"version": 1.3, "people": told}, separators=(",", ":"))
        (folder / f"{clip}_{t:012d}_keypoints.json").write_text(text)
    return folder


def write_deeplabcut(folder: Path, video: str, parts: Sequence[str], found: np.ndarray) -> Path:
    """Write the table that DeepLabCut makes of a video.

    Args:
        folder: that is there.
        video: its name.
        parts: V names of bodyparts.
        found: (T, V, 3) x, y (down) in pixels and likelihood.
    """
    each = [part for part in parts for _ in range(3)]
    head = [
        ["scorer", *[_NETWORK] * len(each)],
        ["bodyparts", *each],
        ["coords", *["x", "y", "likelihood"] * len(parts)],
    ]
    rows = [[t, *frame] for t, frame in enumerate(np.round(found, 3).reshape(len(found), -1))]
    path = folder / f"{video}{_NETWORK}.csv"
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in [*head, *rows]))
    return path


def bvh_text(joints: np.ndarray) -> str:
    """Motion capture of a performance, in centimetres, y up, facing +z.

    Args:
        joints: (T, 25, 3) metres, the performers' joints, standing on the floor.
    """
    places = {name: 100 * joints[:, JOINTS.index(j)] * [-1, 1, -1] for name, _, j in _BVH}
    parents = {name: above for name, above, _ in _BVH}
    turns: dict[str, np.ndarray] = {}  # of each bone against the world, (T, 3, 3)
    offsets: dict[str, np.ndarray] = {}
    own: dict[str, np.ndarray] = {}  # turns against the parent
    for name, above in parents.items():
        children = [child for child in parents if parents[child] == name]
        if above:
            step = places[name] - places[above]
            offsets[name] = (turns[above].transpose(0, 2, 1) @ step[..., None])[..., 0].mean(0)
        if not children:
            continue
        if name in _FRAMES:
            left, right, end = (places[joint] for joint in _FRAMES[name])
            x, y = _unit(left - right), end - places[name]
            z = _unit(np.cross(x, y))
            turns[name] = np.stack([x, np.cross(z, x), z], axis=-1)
        else:
            bone = places[children[0]] - places[name]
            here = turns[above]
            turns[name] = _shortest(here @ _unit(_rest(name)), _unit(bone)) @ here
        own[name] = turns[above].transpose(0, 2, 1) @ turns[name] if above else turns[name]
    columns = [places["Hips"]] + [
        Rotation.from_matrix(turn).as_euler("ZXY", degrees=True) for turn in own.values()
    ]
    rows = [" ".join(f"{number:.3f}" for number in row) for row in np.concatenate(columns, axis=1)]
    head = ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / RATE:.6f}"]
    return "\n".join(["HIERARCHY", *_block("Hips", parents, offsets), *head, *rows, ""])


def _rest(name: str) -> np.ndarray:
    """Where a bone points before it turns: arms aside, legs down, feet ahead."""
    if name.endswith(("Arm", "Hand")):
        return np.array([1.0 if name.startswith("Left") else -1.0, 0, 0])
    if name.endswith("Foot"):
        return np.array([0.0, -0.3, 1])
    return np.array([0.0, -1 if name.endswith("Leg") else 1, 0])


def _block(name: str, parents: dict[str, str], offsets: dict[str, np.ndarray]) -> list[str]:
    """The lines of a joint and all below it."""
    offset = " ".join(f"{x:.3f}" for x in offsets.get(name, np.zeros(3)))
    children = [child for child in parents if parents[child] == name]
    if not children:
        return ["End Site", "{", f"OFFSET {offset}", "}"]
    turns = "Zrotation Xrotation Yrotation"
    kind, channels = (
        ("JOINT", f"3 {turns}")
        if parents[name]
        else ("ROOT", f"6 Xposition Yposition Zposition {turns}")
    )
    below = [line for child in children for line in _block(child, parents, offsets)]
    return [f"{kind} {name}", "{", f"OFFSET {offset}", f"CHANNELS {channels}", *below, "}"]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _shortest(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest turns (T, 3, 3) from unit vectors (T, 3) to others."""
    axis, cosine = np.cross(first, second), (first * second).sum(-1)
    x, y, z = axis.T
    none = np.zeros_like(x)
    skew = np.stack([none, -z, y, z, none, -x, -y, x, none], axis=-1).reshape(-1, 3, 3)
    return np.eye(3) + skew + skew @ skew / np.maximum(1 + cosine, 1e-6)[:, None, None]
