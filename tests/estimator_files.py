"""Files as pose estimators write them, made from places in a picture."""

import json

import numpy as np

from crosscale.skeleton.layout import Layout

People = list[np.ndarray]  # (V, 3) of one person: x, y in pixels (y down) and confidence


def person(layout: str, x: float = 300.0, y: float = 100.0, size: float = 200.0) -> np.ndarray:
    """Somebody standing, every joint at a place of its own, (V, 3)."""
    joints = Layout.load(layout).joints
    heights = {"nose": 0.05, "eye": 0.03, "ear": 0.05, "mouth": 0.08, "neck": 0.18}
    heights |= {"shoulder": 0.2, "elbow": 0.4, "wrist": 0.5, "hip": 0.55, "knee": 0.75}
    rows = []
    for j, name in enumerate(joints):
        side = {"left": 1, "righ": -1}.get(name[:4], 0)
        down = next((at for key, at in heights.items() if key in name), 0.95)
        rows.append((x + size * (0.12 * side + 0.002 * j), y + size * (down + 0.001 * j), 0.9))
    return np.array(rows)


def walking(layout: str, frames: int = 6, x: float = 300.0, step: float = 2.0) -> list[People]:
    """One person in each frame, moving to the right."""
    return [[person(layout, x + step * t)] for t in range(frames)]


def alphapose(frames: list[People], ids: bool = False) -> str:
    return json.dumps(
        [
            {
                "image_id": f"{t}.jpg",
                "category_id": 1,
                "keypoints": one.ravel().tolist(),
                "score": 2.5,
                "box": [1.0, 2.0, 3.0, 4.0],
                **({"idx": i + 1} if ids else {}),
            }
            for t, people in enumerate(frames)
            for i, one in enumerate(people)
        ]
    )


def mmpose(frames: list[People], meta: dict | None = None) -> str:
    instances = [
        {
            "frame_id": t + 1,
            "instances": [
                {
                    "keypoints": one[:, :2].tolist(),
                    "keypoint_scores": one[:, 2].tolist(),
                    "bbox": [[1, 2, 3, 4]],
                    "bbox_score": 0.9,
                }
                for one in people
            ],
        }
        for t, people in enumerate(frames)
    ]
    return json.dumps(
        instances if meta is None else {"meta_info": meta, "instance_info": instances}
    )


def ultralytics(frames: list[People], ids: bool = False) -> list:
    return [
        [
            {
                "name": "person",
                "class": 0,
                "confidence": 0.9,
                "box": {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0},
                **({"track_id": i + 1} if ids else {}),
                "keypoints": {
                    "x": one[:, 0].tolist(),
                    "y": one[:, 1].tolist(),
                    "visible": one[:, 2].tolist(),
                },
            }
            for i, one in enumerate(people)
        ]
        for people in frames
    ]


def up(places: np.ndarray) -> np.ndarray:
    """What clips hold of places in a picture."""
    return places[..., :2] * [1, -1]
