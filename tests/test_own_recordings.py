"""Four commands take a folder of recordings and ten labels to a collection that can be searched."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bvh_files
from crosscale.cli import main
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import formats
from crosscale.synthesis.formats import in_pixels, mediapipe_json

FRAMES, TAKES = 48, 10
ACTIONS = {"wave": "right_forearm", "kick": "right_shank"}
STANDING = {
    "torso": (0.0, 1.05),
    "head": (0.0, 1.6),
    "upper_arm": (0.2, 1.35),
    "forearm": (0.3, 1.0),
    "thigh": (0.1, 0.75),
    "shank": (0.1, 0.25),
}


def performed(layout: str, action: str, take: int) -> np.ndarray:
    """(T, V, 3) metres, y up: somebody who moves one part to and fro."""
    graph = Layout.load(layout).scale("part10")
    draws = np.random.default_rng(take)
    time = np.arange(FRAMES) / 30
    parts = np.zeros((FRAMES, len(graph.names), 3))
    for i, name in enumerate(graph.names):
        side = -1 if name.startswith("right") else 1
        x, y = STANDING[name.split("_", 1)[-1]]
        parts[:, i] = (side * x, y, 2.5)
        if name == ACTIONS[action]:
            swing = 0.3 * np.sin(2 * np.pi * draws.uniform(1, 1.5) * time + draws.uniform(0, 6))
            parts[:, i, :2] += swing[:, None] * [0.6, 0.8] + [0, 0.3 if action == "wave" else 0.1]
    member = graph.pooling > 0
    joints = parts[:, member.argmax(0)]
    return joints + draws.normal(scale=0.03, size=joints[:1].shape)


def write_npz(folder: Path, name: str, joints: np.ndarray) -> None:
    np.savez(folder / f"{name}.npz", coordinates=joints.astype(np.float32), frame_rate=30.0)


def write_azure(folder: Path, name: str, joints: np.ndarray) -> None:
    joints = joints * [-1000, -1000, 1000]
    frames = [
        {
            "frame_id": t,
            "timestamp_usec": 33333 * t,
            "num_bodies": 1,
            "bodies": [{"body_id": 1, "joint_positions": places.tolist()}],
        }
        for t, places in enumerate(joints)
    ]
    (folder / f"{name}.json").write_text(json.dumps({"frames": frames}))


def write_mediapipe(folder: Path, name: str, joints: np.ndarray) -> None:
    (folder / f"{name}.json").write_text(mediapipe_json(joints * [-1, 1, 1]))


def write_openpose(folder: Path, name: str, joints: np.ndarray) -> None:
    formats.write_openpose(folder / name, in_pixels(joints)[:, None])


def write_kinect(folder: Path, name: str, joints: np.ndarray) -> None:
    sdk = [_sdk_name(joint) for joint in Layout.load("ntu25").joints]
    with (folder / f"{name}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", *(f"{joint}_{axis}" for joint in sdk for axis in "XYZ")])
        rows.writerows([t, *places.ravel()] for t, places in enumerate(joints))


def _sdk_name(joint: str) -> str:
    """left_hand_tip to HandTipLeft."""
    words = joint.split("_")
    side = words.pop(0) if words[0] in ("left", "right") else ""
    return "".join(word.capitalize() for word in [*words, side])


def write_bvh(folder: Path, name: str, action: str, take: int) -> None:
    """Somebody who turns the right arm or leg to and fro, in centimetres."""
    root = bvh_files.person(100.0)
    draws = np.random.default_rng(take)
    turned = {"wave": ("RightArm", "RightForeArm"), "kick": ("RightUpLeg", "RightLeg")}[action]
    channels = [(bone.name, channel) for bone in root.all() for channel in bone.channels]
    frames = bvh_files.still(root, FRAMES, (0, 90, 0))
    swing = np.sin(2 * np.pi * draws.uniform(1, 1.5) * np.arange(FRAMES) / 30 + draws.uniform(0, 6))
    for bone, degrees in zip(turned, (70, 40), strict=True):
        frames[:, channels.index((bone, "Xrotation"))] = -degrees * (0.6 + 0.4 * swing)
    frames[:, 3:] += draws.normal(scale=3, size=frames[:1, 3:].shape)
    (folder / f"{name}.bvh").write_text(bvh_files.text(root, frames, 1 / 30))


Write = Callable[[Path, str, str, int], None]


def of_joints(layout: str, write: Callable[[Path, str, np.ndarray], None]) -> Write:
    return lambda folder, name, action, take: write(folder, name, performed(layout, action, take))


FORMATS: dict[str, Write] = {
    "npz": of_joints("ntu25", write_npz),
    "azure": of_joints("azure32", write_azure),
    "mediapipe": of_joints("blazepose33", write_mediapipe),
    "openpose": of_joints("openpose25", write_openpose),
    "kinect": of_joints("ntu25", write_kinect),
    "bvh": write_bvh,
}


@pytest.mark.slow
@pytest.mark.parametrize("source_format", FORMATS)
def test_four_commands_make_a_collection(source_format, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = ["name,label"]
    for action in ACTIONS:
        folder = tmp_path / "recordings" / action
        folder.mkdir(parents=True)
        for take in range(TAKES):
            FORMATS[source_format](folder, f"{action}{take}", action, take)
        lines += [f"{action}/{action}{take},{action}" for take in range(0, TAKES, 2)]
    Path("labels.csv").write_text("\n".join(lines) + "\n")

    for command in (
        "prepare auto recordings --out store",
        "index parts store --out collection",
        "search collection wave/wave7 --k 3 --out found.json",
        "classify parts store --labels labels.csv --out named.csv",
    ):
        assert main(command.split()) == 0, capsys.readouterr().err

    with Path("named.csv").open() as file:
        named = {row["name"]: row["label"] for row in csv.DictReader(file)}
    assert len(named) == len(ACTIONS) * TAKES // 2
    known = {name: label for name, label in named.items() if label in ACTIONS}
    right = [label == name.partition("/")[0] for name, label in known.items()]
    assert len(right) > 0.5 * len(named)
    assert np.mean(right) >= 0.8
    assert "wave/" in Path("found.json").read_text()
