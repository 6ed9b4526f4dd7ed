"""How a depth camera sees a performance: its view point, and what it gets wrong."""

from dataclasses import dataclass

import numpy as np

from crosscale.synthesis.performers import JOINTS

_AZIMUTHS = (0.0, -45.0, 45.0)  # degrees of cameras 1, 2, 3, as in NTU RGB+D
_EXTREMITIES = [
    i for i, name in enumerate(JOINTS) if name.endswith(("hand", "tip", "thumb", "foot"))
]
_TRACKED, _INFERRED = 2, 1  # Kinect's tracking states


@dataclass(frozen=True)
class Camera:
    """A view point that looks at the middle of the scene along its own +z, y up."""

    azimuth: float  # radians, to the right of the scene's front as seen from the scene
    distance: float  # metres to the middle of the scene
    height: float  # metres above the floor
    tilt: float  # radians downwards

    def see(self, scene: np.ndarray) -> np.ndarray:
        """Scene points (..., 3) in camera space, metres."""
        turned = scene @ about(1, -self.azimuth).T + [0.0, -self.height, self.distance]
        return turned @ about(0, -self.tilt).T


def about(axis: int, angle: float) -> np.ndarray:
    """The right-handed rotation (3, 3) about one axis by an angle in radians."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[second, first] = np.sin(angle)
    turn[first, second] = -turn[second, first]
    return turn


def draw_camera(number: int, random: np.random.Generator) -> Camera:
    """Camera 1, 2 or 3 (0, -45 and +45 degrees, a few more or less) of one setup."""
    height = random.uniform(0.8, 1.8)
    distance = random.uniform(3.1, 3.6)
    return Camera(
        azimuth=np.radians(_AZIMUTHS[number - 1] + random.normal(0, 3)),
        distance=distance,
        height=height,
        tilt=float(np.arctan2(height - 1.0, distance) + np.radians(random.normal(0, 2))),
    )


def record(seen: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the sensor makes of true joints in camera space.

    Jitter grows with the square of the depth; every joint drifts slowly by about a
    centimetre; joints behind the trunk drift far and are marked as inferred.

    Args:
        seen: (T, M, V, 3), metres.
        random: the source of the noise.

    Returns:
        The noisy joints (T, M, V, 3) and the tracking states (T, M, V), 1 or 2.
    """
    hidden = _hidden_behind_the_trunk(seen)
    depth = np.maximum(seen[..., 2:], 0.5)
    jitter = 0.004 * (depth / 3) ** 2 * (1 + 2 * hidden[..., None])
    jitter[:, :, _EXTREMITIES] *= 1.8
    drift = _drift(seen.shape, random) * (0.008 + 0.04 * _softened(hidden)[..., None])
    noisy = seen + jitter * random.standard_normal(seen.shape) + drift
    return noisy, np.where(hidden, _INFERRED, _TRACKED)


def _hidden_behind_the_trunk(seen: np.ndarray) -> np.ndarray:
    """Which joints (T, M, V) the same body's trunk covers."""
    trunk = seen[:, :, [JOINTS.index("spine_mid")]]
    beside = np.abs(seen[..., 0] - trunk[..., 0])
    above = np.abs(seen[..., 1] - trunk[..., 1])
    behind = seen[..., 2] - trunk[..., 2]
    return np.asarray((behind > 0.1) & (beside < 0.13) & (above < 0.4))


def _drift(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Slow wandering of unit size for every joint and axis."""
    frames = np.arange(shape[0]).reshape(-1, 1, 1, 1)
    rate = random.uniform(0.003, 0.02, shape[1:])  # cycles a frame
    return np.sqrt(2) * np.sin(2 * np.pi * (frames * rate + random.random(shape[1:])))


def _softened(hidden: np.ndarray, reach: int = 4) -> np.ndarray:
    """The mean over the neighbouring frames, so that drift comes and goes smoothly."""
    padded = np.pad(hidden.astype(float), ((reach, reach), (0, 0), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return np.asarray(windows.mean(axis=-1))
