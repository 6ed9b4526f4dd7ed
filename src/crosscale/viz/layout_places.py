"""Where to draw the joints of a layout, which itself has no coordinates."""

from collections import defaultdict

import numpy as np
import torch

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import PEOPLE, Layout
from crosscale.transforms.preprocess import Preprocess, load

CLIPS = 300  # enough for a mean pose
FAN = np.radians(40)  # between joints that would go the same way
# Steps from a joint to the next, in a picture of a person who faces the viewer: outwards and up.
STEPS: dict[str, tuple[float, float]] = {
    "trunk down": (0.0, -1.0),
    "trunk up": (0.0, 1.0),
    "hip": (0.5, -0.45),
    "hip below shoulder": (-0.3, -2.2),
    "tail": (0.0, -1.0),
    "leg": (0.1, -1.1),
    "shoulder": (0.95, -0.15),
    "arm": (0.28, -0.95),
    "head": (0.6, 0.5),
}


def mean_pose(layout: Layout, store: ClipStore) -> np.ndarray:
    """The mean pose of a store's clips: (J, 2), y up.

    People are turned to face the viewer; animals in the plane, seen from above, to head up.

    Raises:
        CrosscaleError: when the store's clips have other joints.
    """
    if store.layout.joints != layout.joints:
        raise CrosscaleError(
            f"{store.path} has layout {store.layout.name}, whose joints are not those of "
            f"{layout.name}; give another store, or none"
        )
    rows = np.linspace(0, len(store) - 1, min(len(store), CLIPS)).astype(int)
    from_above = store.coordinates(0).shape[-1] == 2 and PEOPLE not in layout.scales
    turned = Preprocess(frames=16, root="body_frame", facing="heading" if from_above else "clip")
    clips = load(store, rows.tolist(), turned)
    bodies = clips.coordinates.permute(0, 4, 2, 3, 1)[clips.body_mask]  # (P, T, J, 3)
    mean = bodies.to(torch.float64).mean(dim=(0, 1)).numpy()
    # turned clips have the left at -x, where it is seen from above too
    return mean[:, :2] if from_above else mean[:, :2] * [-1, 1]


def tree_places(layout: Layout) -> np.ndarray:
    """The joints laid out as a tree, (J, 2), y up, the person's left on the viewer's right.

    Mirrored joints get mirrored places; arms hang from the shoulders, legs stand below the hips.
    """
    sides = np.zeros(len(layout.joints))
    for left, right in layout.pairs:
        sides[left], sides[right] = 1, -1
    beneath = _subtrees(layout)
    places = np.zeros((len(layout.joints), 2))
    way = {layout.centre: "centre"}
    frontier = [layout.centre]
    while frontier:
        parent = frontier.pop(0)
        alike: defaultdict[tuple[str, float], list[int]] = defaultdict(list)
        for child, above in layout.edges:
            if above == parent:
                way[child] = _way(layout, child, way[parent], beneath)
                alike[way[child], sides[child]].append(child)
                frontier.append(child)
        for (kind, side), children in alike.items():
            count = len(children)  # spread evenly about their way
            turns = FAN * (np.arange(count) - (count - 1) / 2)
            for turn, child in zip(turns, children, strict=True):
                places[child] = places[parent] + _step(kind, side, turn)
    return places


def _way(layout: Layout, joint: int, before: str, beneath: list[set[int]]) -> str:
    """Which of `STEPS` leads to a joint, given the one that led to its parent."""
    hips, shoulders = set(layout.hips) & beneath[joint], set(layout.shoulders) & beneath[joint]
    if joint in layout.hips:
        return "hip below shoulder" if before in ("shoulder", "arm") else "hip"
    if before in ("hip", "hip below shoulder", "leg"):
        return "leg"
    if joint in layout.shoulders or (len(shoulders) == 1 and not hips):
        return "shoulder"
    if before in ("shoulder", "arm") and not hips:
        return "arm"
    if len(hips) == 1 and not shoulders:
        return "hip"
    if before == "tail" or (not hips and not shoulders and _is_tail(layout, joint, beneath)):
        return "tail"
    if hips:
        return "trunk down"
    return "trunk up" if shoulders else "head"


def _is_tail(layout: Layout, joint: int, beneath: list[set[int]]) -> bool:
    """Whether a joint hangs where the hips do, and the shoulders lie another way from there."""
    root = layout.parents[joint]
    return layout.parents[layout.hips[0]] == root and any(
        above == root and other != joint and set(layout.shoulders) <= beneath[other]
        for other, above in layout.edges
    )


def _step(kind: str, side: float, turn: float) -> np.ndarray:
    across, up = STEPS[kind]
    mirror = side or 1.0
    if not side:  # straight up or down
        across, up = 0.0, np.copysign(np.hypot(across, up), up)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([mirror * (cos * across - sin * up), sin * across + cos * up])


def _subtrees(layout: Layout) -> list[set[int]]:
    """For each joint, itself and all joints beyond it."""
    beneath: list[set[int]] = [set() for _ in layout.joints]
    for joint in range(len(layout.joints)):
        step = joint
        beneath[step].add(joint)
        while step != layout.centre:
            step = layout.parents[step]
            beneath[step].add(joint)
    return beneath
