"""`.skeleton` files for tests, written from their documented form."""

from collections.abc import Sequence

import numpy as np

Body = tuple[str, np.ndarray]


def skeleton_text(frames: Sequence[Sequence[Body]]) -> bytes:
    """Frames of bodies (id, (V, 3) metres) as the text of a `.skeleton` file."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for name, joints in bodies:
            lines += [f"{name} 0 1 1 1 1 0 0.01 -0.02 2", str(len(joints))]
            lines += [f"{x!r} {y!r} {z!r} 1 2 3 4 0 0 0 0 2" for x, y, z in joints.tolist()]
    return "\n".join([*lines, ""]).encode()


def standing(x: float = 0.0, z: float = 3.0, sway: float = 0.0) -> np.ndarray:
    """A person of 25 joints, upright, at a place on the floor, float32."""
    height = np.linspace(-0.9, 0.8, 25)
    wide = 0.3 * np.cos(np.arange(25.0) * 2.5)
    return np.stack([x + wide + sway, height, np.full(25, z)], axis=1).astype(np.float32)
