"""People in moving pictures: found in windows of the picture, then followed, each in a region.

The networks look at one person at a time: one finds people in a small picture, another tells the
joints of the person in a turned square. So several people are found by looking at the whole
picture and at windows of it, in which people are larger, and each is followed in a region of his
or her own, which the joints of the picture before give. Who is who follows from the regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crosscale.data.detections import CAMERA_TO_Y_UP

# Joints outside the picture have a visibility of up to 0.05; those behind a thing or the body
# itself have 0.1 to 0.6, and the network places them sensibly.
CONFIDENCE = 0.1
MOST_FOLLOWED = 6  # people at once; each costs as much time as the first
# Shares of the short side that windows have, besides the whole picture: people in the background
# of a photograph are found in the second kind only.
WINDOWS = (1.0, 0.6)
SEARCHED = 2  # of so many pictures, one is searched for more people
LEAST_WINDOW = 112  # pixels, half of what the finding network takes
SURE = 0.5  # visibility from which a joint tells whether two bodies are one
# Joints of one body that was looked at twice differ by up to a tenth of its length.
ONE_BODY = 0.15
COMMON_JOINTS = 5
# Regions of one body that were found in two ways
NEAR_REGION, LIKE_REGION = 0.2, 1.5

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """A square of a picture that shows one person, feet down.

    Attributes:
        x: of its middle, in pixels from the left.
        y: of its middle, in pixels from the top.
        side: in pixels.
        turn: clockwise, in radians.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0

    def like(self, other: "Region") -> bool:
        """Whether both show the same person, surely."""
        apart = np.hypot(self.x - other.x, self.y - other.y)
        ratio = max(self.side, other.side) / max(1e-6, min(self.side, other.side))
        return bool(apart < NEAR_REGION * self.side and ratio < LIKE_REGION)


@dataclass(frozen=True, eq=False)
class Pose:
    """The joints of one person in one picture.

    Attributes:
        image: (V, 2) pixels, x to the right, y down.
        world: (V, 3) metres from the middle of the hips, x to the right, y down, z away.
        visibility: (V,) 0 to 1.
        region: where to look for the person in the next picture.
    """

    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    region: Region

    def same_body(self, other: "Pose") -> bool:
        """Whether both are one body, looked at twice."""
        both = (self.visibility > SURE) & (other.visibility > SURE)
        if both.sum() < COMMON_JOINTS:
            return self.region.like(other.region)
        mine, its = self.image[both], other.image[both]
        length = np.linalg.norm(np.ptp(mine, axis=0))
        return bool(np.linalg.norm(mine - its, axis=1).mean() < ONE_BODY * length)


class Follower(Protocol):
    """Tells the joints of one person in one picture after the other, smoothed over time."""

    def look(self, picture: Pixels, region: Region, time: float) -> Pose | None:
        """The joints of the person in a region of a picture (H, W, 3); None when nobody is there.

        Args:
            picture: red, green, blue.
            region: of the picture.
            time: in seconds, later than that of the picture before.
        """

    def close(self) -> None:
        """Give back the memory."""


class PoseNetworks(Protocol):
    """The networks, the boundary to a library."""

    def find(self, picture: Pixels) -> list[Region]:
        """Where people are in a picture (H, W, 3), the surest first; it may miss some."""

    def look(self, picture: Pixels, region: Region) -> Pose | None:
        """As a follower's, of this picture alone."""

    def follower(self) -> Follower:
        """A fresh follower."""

    def close(self) -> None:
        """Give back the memory."""


@dataclass(frozen=True)
class Window:
    """A part of a picture, upright, in pixels from its left and top."""

    left: int
    top: int
    width: int
    height: int

    def of(self, picture: Pixels) -> Pixels:
        """What a picture (H, W, 3) shows there."""
        rows = slice(self.top, self.top + self.height)
        return np.ascontiguousarray(picture[rows, self.left : self.left + self.width])


@dataclass
class _Followed:
    follower: Follower
    region: Region


class PeopleFollower:
    """Finds people in pictures and follows them; each keeps a number.

    The first picture is searched all over; of every second one after it, one window in turn, so
    that all cost about as much. While nobody is there, each picture is looked at as a whole too.
    """

    def __init__(self, networks: PoseNetworks) -> None:
        self._networks = networks
        self._followed: dict[int, _Followed] = {}
        self._next = 0
        self._pictures = 0

    def step(self, picture: Pixels, time: float) -> dict[int, Pose]:
        """The people in a picture (H, W, 3) at a time in seconds, by number."""
        poses = self._still_there(picture, time)
        for window in self._to_search(picture.shape, nobody=not poses):
            if len(poses) >= MOST_FOLLOWED:
                break
            poses |= self._new(picture, window, poses, time)
        self._pictures += 1
        return poses

    def close(self) -> None:
        """Forget everybody."""
        for number in list(self._followed):
            self._lose(number)

    def _still_there(self, picture: Pixels, time: float) -> dict[int, Pose]:
        poses: dict[int, Pose] = {}
        for number, person in list(self._followed.items()):
            pose = person.follower.look(picture, person.region, time)
            if pose is None or any(pose.same_body(other) for other in poses.values()):
                self._lose(number)
            else:
                poses[number], person.region = pose, pose.region
        return poses

    def _to_search(self, shape: Sequence[int], nobody: bool) -> list[Window]:
        all_windows = windows(shape[1], shape[0])
        if not self._pictures:
            return all_windows
        turn, rest = divmod(self._pictures, SEARCHED)
        chosen = {0} if nobody else set()
        if not rest:
            chosen.add(turn % len(all_windows))
        return [all_windows[place] for place in sorted(chosen)]

    def _new(
        self,
        picture: Pixels,
        window: Window,
        known: dict[int, Pose],
        time: float,
    ) -> dict[int, Pose]:
        """People in a window who are not among the known ones."""
        found: dict[int, Pose] = {}
        for seen in self._networks.find(window.of(picture)):
            region = replace(seen, x=seen.x + window.left, y=seen.y + window.top)
            others = [*known.values(), *found.values()]
            if len(others) >= MOST_FOLLOWED or any(region.like(one.region) for one in others):
                continue
            pose = self._networks.look(picture, region)
            if pose is None or any(pose.same_body(one) for one in others):
                continue
            follower = self._networks.follower()
            first = follower.look(picture, region, time)
            if first is None:
                follower.close()
                continue
            found[self._next] = first
            self._followed[self._next] = _Followed(follower, first.region)
            self._next += 1
        return found

    def _lose(self, number: int) -> None:
        self._followed.pop(number).follower.close()


def windows(width: int, height: int) -> list[Window]:
    """The whole picture, and squares that cover it, each half over the next.

    Args:
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    found = [Window(0, 0, width, height)]
    for share in WINDOWS:
        side = int(share * min(width, height))
        if side >= LEAST_WINDOW:
            found += [
                Window(left, top, side, side)
                for top in _starts(height, side)
                for left in _starts(width, side)
            ]
    return list(dict.fromkeys(found))


def _starts(length: int, side: int) -> list[int]:
    count = int(np.ceil(2 * (length - side) / side)) + 1
    return [int(start) for start in np.linspace(0, length - side, count)]


def placed(pose: Pose, width: int, height: int) -> np.ndarray:
    """Joints (V, 3) in metres, y up, of a person in a picture.

    x and y are from the middle of the picture, by the size that the body has in it. How far away
    the body is cannot be known from one picture: z is from the middle of its own hips. All NaN
    when picture and body do not fit together.

    Args:
        pose: the person.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    weight = np.maximum(pose.visibility, 1e-3)[:, None]
    weight = weight / weight.sum()
    flat = pose.world[:, :2]
    of_image, of_body = (weight * pose.image).sum(0), (weight * flat).sum(0)
    spread = flat - of_body
    # least squares: image = pixels_a_metre * flat + where the hips are
    pixels_a_metre = (weight * spread * (pose.image - of_image)).sum() / (weight * spread**2).sum()
    if not pixels_a_metre > 0:
        return np.full_like(pose.world, np.nan)
    hips = of_image - pixels_a_metre * of_body
    middle = (hips - np.array([width, height]) / 2) / pixels_a_metre
    return (pose.world + np.array([*middle, 0.0])) * CAMERA_TO_Y_UP
