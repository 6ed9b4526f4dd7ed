"""Pictures of a video file or a camera, one after the other, decoded by OpenCV."""

import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from crosscale.errors import BadClip, CrosscaleError, needs
from crosscale.pose.pose_estimator import Pixels

ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
MOST_FRAMES_A_SECOND = 1000.0
ASSUMED_RATE = 30.0  # of a file that does not say it, for smoothing over time


@dataclass
class Pictures:
    """An open source, to be gone through once.

    Attributes:
        name: of the source, for messages.
        frame_rate: pictures a second, None when the source does not say it.
        told: how many pictures a file says that it has; 0 when it does not.
    """

    name: str
    frame_rate: float | None
    told: int
    _capture: Any
    _library: ModuleType
    _begun: float | None = None  # a camera's clock; None for a file

    def __iter__(self) -> Iterator[tuple[float, Pixels]]:
        """Seconds from the start, and the picture (H, W, 3) in red, green and blue.

        Raises:
            BadClip: when a file has no pictures that can be decoded.
            CrosscaleError: when a camera gives no more.
        """
        count = 0
        while (read := self._capture.read())[0]:
            yield self._seconds(count), self._library.cvtColor(read[1], self._library.COLOR_BGR2RGB)
            count += 1
        if self._begun is not None:
            raise CrosscaleError(f"{self.name} gives no more pictures")
        if not count:
            raise BadClip(f"{self.name}: has no pictures that can be decoded")

    def _seconds(self, count: int) -> float:
        if self._begun is None:
            return count / (self.frame_rate or ASSUMED_RATE)
        return time.perf_counter() - self._begun


@contextmanager
def open_video(path: Path) -> Iterator[Pictures]:
    """Open a video file.

    Raises:
        BadClip: when it cannot be decoded.
        CrosscaleError: when OpenCV is missing.
    """
    library = _load()
    if not path.is_file():
        raise BadClip(f"{path} is no file")
    capture = library.VideoCapture(str(path), library.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise BadClip(f"{path.name}: cannot be decoded as a video")
        rate = float(capture.get(library.CAP_PROP_FPS))
        known = bool(np.isfinite(rate)) and 0 < rate <= MOST_FRAMES_A_SECOND
        told = int(max(0.0, capture.get(library.CAP_PROP_FRAME_COUNT)))
        yield Pictures(path.name, rate if known else None, told, capture, library)
    finally:
        capture.release()


@contextmanager
def open_camera(device: int) -> Iterator[Pictures]:
    """Open a camera; pictures that are not fetched in time are left out.

    Args:
        device: its number, the first is 0.

    Raises:
        CrosscaleError: when there is none of this number, or OpenCV is missing.
    """
    library = _load()
    capture = library.VideoCapture(device)
    try:
        if not capture.isOpened():
            raise CrosscaleError(
                f"camera {device} cannot be opened: see that it is there, free, and that you may "
                "use it; or name a video file with --source"
            )
        capture.set(library.CAP_PROP_BUFFERSIZE, 1)
        yield Pictures(f"camera {device}", None, 0, capture, library, time.perf_counter())
    finally:
        capture.release()


def _load() -> ModuleType:
    # What is wrong with a file is said once, by the error.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    with needs("reading videos and cameras", extra="video-pose"):
        return importlib.import_module("cv2")
