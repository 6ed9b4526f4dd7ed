"""Mice in an open field, seen from above as a pose estimator gives them, for examples."""

from collections.abc import Callable
from importlib.resources import files

import numpy as np

# Bodyparts: share of the body's length ahead of its middle, and to its left.
PARTS = {
    "nose": (0.5, 0.0), "left_ear": (0.34, 0.1), "right_ear": (0.34, -0.1), "neck": (0.25, 0.0),
    "back": (0.0, 0.0), "left_hip": (-0.28, 0.13), "right_hip": (-0.28, -0.13),
    "tail_base": (-0.45, 0.0),
}  # fmt: skip
LAYOUT = (files("crosscale.skeleton") / "layouts" / "mouse8.yaml").read_text("utf-8")
_LENGTH = 90.0  # pixels from nose to tail
_Motion = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
_RATE = 30


def perform_mouse(action: str, mouse: int, take: int, seed: int) -> np.ndarray:
    """One mouse doing one thing, two to three seconds at 30 frames a second.

    Args:
        action: one of `MOUSE_ACTIONS`.
        mouse: which of the animals, that differ in size.
        take: which time.
        seed: of everything random.

    Returns:
        (T, V, 3) of the parts: x, y (down) in pixels, and likelihood.
    """
    key = (mouse, take, list(MOUSE_ACTIONS).index(action))
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    size = np.exp(np.random.default_rng((seed, mouse)).normal(0, 0.1))
    time = np.arange(random.integers(60, 91)) / _RATE
    heading, bend, length, speed = MOUSE_ACTIONS[action](time, random)
    heading = heading + random.uniform(0, 2 * np.pi)
    steps = (speed / _RATE)[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    middle = random.uniform(200, 400, 2) + np.cumsum(steps, axis=0)
    body = _LENGTH * size * np.stack([np.ones_like(length), length], axis=1)  # behind, ahead
    places = np.empty((len(time), len(PARTS), 3))
    for j, (ahead, left) in enumerate(PARTS.values()):
        turn = heading + bend * ahead
        along = body[:, int(ahead > 0), None] * ahead
        across = body[:, :1] * left
        places[:, j, 0] = middle[:, 0] + (along[:, 0] * np.cos(turn) + across[:, 0] * np.sin(turn))
        places[:, j, 1] = middle[:, 1] + (along[:, 0] * np.sin(turn) - across[:, 0] * np.cos(turn))
    places[..., :2] += random.normal(0, 0.8, places[..., :2].shape)
    places[..., 2] = random.uniform(0.9, 1, places.shape[:2])
    return places


def _walk(time: np.ndarray, random: np.random.Generator) -> _Motion:
    gait = np.sin(2 * np.pi * random.uniform(3, 4) * time + random.uniform(0, 6))
    heading = random.normal(0, 0.3) * time + 0.1 * gait
    return heading, 0.35 * gait, 1 + 0.05 * gait, np.full_like(time, random.uniform(110, 180))


def _rear(time: np.ndarray, random: np.random.Generator) -> _Motion:
    """Up on the hind legs: seen from above the front shortens, then comes down."""
    up = _rise(time, random) - _rise(time, random, late=True)
    look = 0.3 * np.sin(2 * np.pi * random.uniform(0.5, 1) * time)
    return 0.1 * look, look * up, 1 - 0.65 * up, np.full_like(time, 4.0)


def _groom(time: np.ndarray, random: np.random.Generator) -> _Motion:
    """The head bowed, and quickly to and fro."""
    bowed = _rise(time, random)
    strokes = np.sin(2 * np.pi * random.uniform(4.5, 6) * time)
    return 0.04 * strokes, 0.9 * bowed * strokes, 1 - (0.3 + 0.08 * strokes) * bowed, 0 * time


def _turn(time: np.ndarray, random: np.random.Generator) -> _Motion:
    """Round on the spot, the body bent towards where it goes."""
    side = random.choice([-1, 1])
    done = _rise(time, random, length=1.2)
    bend = side * 1.6 * np.sin(np.pi * done)
    return (
        side * random.uniform(2.2, 3.2) * done,
        bend,
        np.ones_like(time),
        np.full_like(time, 12.0),
    )


def _rise(
    time: np.ndarray, random: np.random.Generator, *, late: bool = False, length: float = 0.5
) -> np.ndarray:
    """From 0 to 1 with the least jerk, once, in the first or in the last third."""
    begin = random.uniform(0.65, 0.75) * time[-1] if late else random.uniform(0.1, 0.3)
    share = np.clip((time - begin) / length, 0, 1)
    return np.asarray(share**3 * (10 - 15 * share + 6 * share**2))


MOUSE_ACTIONS: dict[str, Callable[[np.ndarray, np.random.Generator], _Motion]] = {
    "walk": _walk,
    "rear": _rear,
    "groom": _groom,
    "turn": _turn,
}
