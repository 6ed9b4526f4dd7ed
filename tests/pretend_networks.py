"""Networks that find red, green and blue squares and take each for a person of 1.7 m.

They stand in for MediaPipe at `crosscale.pose.pose_estimator.PoseNetworks`. As the real ones, they
miss people who are small in the picture they look at, and see one person in a region.
"""

import numpy as np

from crosscale.pose.pose_estimator import Pose, Region
from crosscale.skeleton.layout import Layout

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
NAMES = Layout.load("blazepose33").joints
HEIGHT = 1.7
SMALL = 0.2  # share of a picture's short side below which people are missed
# hips in the middle, head up (y is down), facing the camera: the left is to the right
BODY = np.stack(
    [
        [0.2 if "left" in name else -0.2 if "right" in name else 0.0 for name in NAMES],
        np.linspace(-HEIGHT / 2, HEIGHT / 2, len(NAMES)),
        np.zeros(len(NAMES)),
    ],
    axis=1,
)
BODY -= BODY[[NAMES.index("left_hip"), NAMES.index("right_hip")]].mean(0)


def painted(people, width=320, height=240):
    """A picture with squares: colour to (x, y, side) of its middle, in pixels."""
    picture = np.full((height, width, 3), 60, np.uint8)
    for colour, (x, y, side) in people.items():
        top, left = max(0, round(y - side / 2)), max(0, round(x - side / 2))
        picture[top : round(y + side / 2), left : round(x + side / 2)] = COLOURS[colour]
    return picture


class PretendNetworks:
    """Counts what is asked of it."""

    def __init__(self, visibility=None, twice=False):
        self.visibility = np.ones(len(NAMES)) if visibility is None else visibility
        self.twice = twice  # tell everybody two times, a bit apart
        self.searched = self.followers = 0

    def find(self, picture):
        self.searched += 1
        least = SMALL * min(picture.shape[:2])
        regions = [region for region in _squares(picture) if region.side / 1.25 >= least]
        beside = [Region(r.x + 0.3 * r.side, r.y, r.side) for r in regions] if self.twice else []
        return regions + beside

    def look(self, picture, region, time=None):
        near = [s for s in _squares(picture) if np.hypot(s.x - region.x, s.y - region.y) < s.side]
        if not near:
            return None
        found = min(near, key=lambda s: np.hypot(s.x - region.x, s.y - region.y))
        pixels_a_metre = found.side / 1.25 / HEIGHT
        image = np.array([found.x, found.y]) + pixels_a_metre * BODY[:, :2]
        return Pose(image, BODY, self.visibility, found)

    def follower(self):
        self.followers += 1
        return _Follower(self)

    def close(self):
        pass


class _Follower:
    def __init__(self, networks):
        self.look = networks.look
        self.networks = networks

    def close(self):
        self.networks.followers -= 1


def _squares(picture):
    bright, dark = picture > 150, picture < 110
    for channel in range(3):
        first, second = {0, 1, 2} - {channel}
        rows, columns = np.nonzero(bright[..., channel] & dark[..., first] & dark[..., second])
        if len(rows):
            side = 1.25 * (np.ptp(rows) + 1)
            yield Region(columns.mean() + 0.5, rows.mean() + 0.5, float(side))
