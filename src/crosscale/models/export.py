"""Encoders as one file that runs without this package, compared with the encoders themselves."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import crosscale
from crosscale.encoders.engines import LIBRARIES, quiet
from crosscale.errors import CrosscaleError, needs
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.features import readout_of
from crosscale.models.model import Model
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import ClipTensors, Preprocess, preprocess
from crosscale.utils.files import atomic_path

FORMAT = "crosscale export 2"
TOLERANCE = 1e-4  # of a stream's largest feature; engines differ by about 1e-5
# Of fewer frames, the last blocks of an ST-GCN, which halve them, keep one: a case apart to
# `torch.export`.
SHORTEST = 5
INPUTS = ("coordinates", "body_mask")
BATCHES = (2, 1, 5)  # clips of the batches on which programs are compared
Run = Callable[[ClipTensors], Mapping[str, Tensor]]


class ClipNetwork(nn.Module):
    """Prepared clips to the features of every stream.

    Pooling, bones and motion are inside, normalisation is folded into the weights where the encoder
    knows how. Unlike a `FeatureExtractor` it computes absent bodies too, and leaves them out of the
    mean: a traced graph does the same for every clip.
    """

    def __init__(self, trained: TrainedEncoders) -> None:
        super().__init__()
        self.streams = tuple(trained.encoders)
        self.average_over_all = [e.bodies == "all" for e in trained.encoders.values()]
        self.transforms = nn.ModuleList(
            StreamTransform(Stream.parse(name), trained.layout) for name in self.streams
        )
        self.readouts = nn.ModuleList(readout_of(trained, name) for name in self.streams)
        self.eval()

    def forward(self, coordinates: Tensor, body_mask: Tensor) -> dict[str, Tensor]:
        """Features by stream.

        Args:
            coordinates: (N, 3, T, V, M) metres; those of an absent body count as zero.
            body_mask: (N, M) bool, whether a body is there.

        Returns:
            stream name to (N, D); zero for a clip without anybody, unless empty bodies count.
        """
        there = body_mask[:, None, None, None, :]
        coordinates = torch.where(there, coordinates, 0.0)
        features = {}
        for i, name in enumerate(self.streams):
            clips = self.transforms[i](coordinates).permute(0, 4, 1, 2, 3)
            vectors = self.readouts[i](clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
            counted = torch.ones_like(body_mask) if self.average_over_all[i] else body_mask
            weights = counted.to(vectors.dtype).unsqueeze(2)
            features[name] = (vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return features


@dataclass(frozen=True)
class Exported:
    """A written file.

    Attributes:
        path: the program.
        description: the JSON file beside it.
        differences: by stream, the largest difference to the encoder over all trials, as a share
            of the largest feature.
        trials: on how many batches they were measured.
    """

    path: Path
    description: Path
    differences: Mapping[str, float]
    trials: int


def export_onnx(trained: TrainedEncoders, path: Path) -> Exported:
    """Write all streams as one ONNX file, run it by ONNX Runtime, and compare.

    Raises:
        CrosscaleError: when a library is missing, the encoders cannot be traced, or the features
            differ by more than `TOLERANCE`; nothing is written then.
    """
    libraries, extra = LIBRARIES["onnxruntime"]
    with needs("ONNX", extra):
        for library in libraries:
            import_module(library)
    plan = _Plan.of(trained)
    with quiet("torch.onnx"):
        program = cast(
            torch.onnx.ONNXProgram,
            torch.onnx.export(
                plan.program,
                input_names=list(INPUTS),
                output_names=list(trained.encoders),
                dynamo=True,
                dynamic_shapes=plan.dynamic,
                verbose=False,
            ),
        )
    program.model.metadata_props["crosscale"] = json.dumps(plan.facts)
    return _written(
        path, plan, lambda temporary: program.save(str(temporary), external_data=False), _onnx_run
    )


def export_torch(trained: TrainedEncoders, path: Path) -> Exported:
    """Write all streams as one `torch.export` program, load it again, and compare.

    Raises:
        CrosscaleError: when the encoders cannot be traced, or the features differ by more than
            `TOLERANCE`; nothing is written then.
    """
    plan = _Plan.of(trained)

    def save(temporary: Path) -> None:
        facts = {"crosscale": json.dumps(plan.facts)}
        with temporary.open("wb") as file, quiet("torch.export"):
            torch.export.save(plan.program, file, extra_files=facts)

    return _written(path, plan, save, _torch_run)


@dataclass(frozen=True)
class _Plan:
    """What is exported: a traced network, and what its inputs and outputs mean."""

    trained: TrainedEncoders
    program: torch.export.ExportedProgram
    dynamic: tuple[dict[int, Any], ...]
    lengths: Sequence[int]
    facts: dict[str, Any]

    @classmethod
    def of(cls, trained: TrainedEncoders) -> "_Plan":
        usual = trained.preprocess.frames
        lengths = [max(SHORTEST, n) for n in (usual, usual // 2, 2 * usual + 3)]
        try:
            program, dynamic = _traced(trained, lengths)
        except CrosscaleError:  # an encoder may take clips of one length only
            lengths = [usual]
            program, dynamic = _traced(trained, lengths)
        _forget_places(program)
        return cls(trained, program, dynamic, lengths, _facts(trained, lengths))

    def differences(self, run: Run) -> tuple[dict[str, float], int]:
        """Compare a loaded program with the encoders on all trials; also how many there were."""
        largest = dict.fromkeys(self.trained.encoders, 0.0)
        model, made = Model(self.trained), trials(self.trained, self.lengths)
        for clips in made:
            found = run(clips)
            with torch.inference_mode():
                right = model.forward_features(clips.coordinates, clips.body_mask)
            for stream, values in right.items():
                error = (found[stream] - values).abs().max() / values.abs().max()
                # Not `max`, which drops a NaN.
                largest[stream] = float(np.maximum(largest[stream], error.item()))
        return largest, len(made)


def _given(clips: ClipTensors) -> tuple[Tensor, Tensor]:
    """What a program takes, in the order of `INPUTS`."""
    return clips.coordinates.contiguous(), clips.body_mask


def _traced(
    trained: TrainedEncoders, lengths: Sequence[int]
) -> tuple[torch.export.ExportedProgram, tuple[dict[int, Any], ...]]:
    """The program for clips of these numbers of frames; from `SHORTEST` on, if there are several.

    Returns:
        It, and which axes of its inputs have any length.

    Raises:
        CrosscaleError: when the encoders cannot be traced.
    """
    batch = torch.export.Dim("batch")
    dynamic: tuple[dict[int, Any], ...] = ({0: batch}, {0: batch})
    if len(lengths) > 1:
        dynamic[0][2] = torch.export.Dim("frames", min=SHORTEST)
    example = _given(trials(trained, lengths)[0])
    try:
        with quiet("torch.export"):
            program = torch.export.export(ClipNetwork(trained), example, dynamic_shapes=dynamic)
    except Exception as error:  # tracing an encoder of anybody's may fail in any way
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CrosscaleError(f"the encoders cannot be exported: {reason}") from error
    return program, dynamic


def _forget_places(program: torch.export.ExportedProgram) -> None:
    """Drop the files of this machine that each operation is noted to come from."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def _written(
    path: Path, plan: _Plan, save: Callable[[Path], object], load: Callable[[Path, _Plan], Run]
) -> Exported:
    with atomic_path(path) as temporary:
        save(temporary)
        differences, number = plan.differences(load(temporary, plan))
        worst = max(differences, key=lambda stream: np.nan_to_num(differences[stream], nan=np.inf))
        if not differences[worst] <= TOLERANCE:
            raise CrosscaleError(
                f"{path} is not written: stream {worst} differs from the encoder by "
                f"{differences[worst]:.1e} of its largest feature, above {TOLERANCE:.0e}"
            )
    description = path.with_name(f"{path.name}.json")
    checked = {"tolerance": TOLERANCE, "trials": number, "largest_differences": differences}
    with atomic_path(description) as temporary:
        text = json.dumps(plan.facts | {"checked": checked}, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return Exported(path, description, differences, number)


def _onnx_run(path: Path, plan: _Plan) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    streams = list(plan.trained.encoders)

    def run(clips: ClipTensors) -> dict[str, Tensor]:
        inputs = (value.numpy() for value in _given(clips))
        found = session.run(streams, dict(zip(INPUTS, inputs, strict=True)))
        return dict(zip(streams, map(torch.from_numpy, found), strict=True))

    return run


def _torch_run(path: Path, plan: _Plan) -> Run:
    with path.open("rb") as file:
        network = torch.export.load(file).module()

    @torch.inference_mode()
    def run(clips: ClipTensors) -> Mapping[str, Tensor]:
        return network(*_given(clips))

    return run


def _facts(trained: TrainedEncoders, lengths: Sequence[int]) -> dict[str, Any]:
    """What somebody needs who has nothing but the file."""
    settings = trained.preprocess
    any_length = len(lengths) > 1
    frames = f"{SHORTEST} frames or more; training had" if any_length else "as many frames as"
    return {
        "format": FORMAT,
        "crosscale": crosscale.__version__,
        "inputs": {
            "coordinates": {
                "shape": [
                    *("batch", 3, "frames" if any_length else settings.frames),
                    *(len(trained.layout.joints), settings.places),
                ],
                "type": "float32",
                "meaning": "metres, after the steps of `preparation`; those of absent bodies are "
                f"ignored. {frames} {settings.frames}",
            },
            "body_mask": {
                "shape": ["batch", settings.places],
                "type": "bool",
                "meaning": "whether a body is there in any frame",
            },
        },
        "outputs": {
            name: {"shape": ["batch", dim], "type": "float32"} for name, dim in trained.dims.items()
        },
        "embedding": "what crosscale searches and classifies by: each output divided by its "
        "length, put side by side, divided by the root of the number of outputs",
        "preparation": {
            "settings": dataclasses.asdict(settings),
            "steps": _steps(trained, settings),
        },
        "layout": trained.layout.to_dict(),
        "joints": list(trained.layout.joints),
        "classes": list(trained.classes),
        "encoder_sha256": trained.fingerprint,
    }


def _steps(trained: TrainedEncoders, settings: Preprocess) -> list[str]:
    """The preparation in words, in order."""
    names = trained.layout.joints
    root = " and ".join(names[joint] for joint in trained.layout.root)
    shoulders = " to ".join(names[joint] for joint in trained.layout.shoulders)
    hips = " to ".join(names[joint] for joint in trained.layout.hips)
    length = {
        "present": "keep the frames from the first to the last that shows anybody",
        "moving": "keep the frames in which somebody moves: resample to 48 as below, take the mean "
        "distance of the farthest quarter of joints from 2 before to 3 after each, and of it the "
        "largest of the bodies; from the first to the last that has more than a fifth of its 95th "
        "percentile, and one more at each end",
        "published": f"keep the first n frames, where n counts those in which {names[0]} of "
        "body 0 is away from zero",
    }
    roots = {
        "clip": f"subtract the mean of {root} of the first body in its first frame",
        "frame": f"subtract, frame by frame, the mean of {root} of the first body",
        "body_frame": f"subtract, frame by frame and body by body, the mean of its own {root}",
    }
    facing = {
        "clip": f"turn about y, one angle a clip, until the sum of the lines {shoulders} and "
        f"{hips} of the first body, averaged over the frames, has z = 0 and x > 0",
        "frame": f"turn about y, frame by frame and body by body, until the line {shoulders} lies "
        "along x; the sense of the turn goes by the sign of the line's z summed over the frames",
        "heading": "turn about z, one angle a clip, until the line from the middle of "
        f"{hips} to that of {shoulders} of the first body, averaged over frames, points along y",
        "none": None,
    }
    steps = [
        f"keep the first {settings.bodies} bodies",
        length[settings.length],
        f"resample to {settings.frames} frames, the middles of equal slices of time, linearly "
        "between the nearest frames that show the body, held at the ends",
        roots[settings.root],
        facing[settings.facing],
        "set bodies that no frame shows to zero",
    ]
    if settings.reference == "each":
        steps.append(
            "do the last steps, from subtracting on, with each body in turn as the first: place "
            f"i times {settings.bodies} plus j holds body j with body i as the first"
        )
    return [step for step in steps if step is not None]


def trials(trained: TrainedEncoders, lengths: Sequence[int]) -> list[ClipTensors]:
    """Batches of several sizes, of each of some lengths: the same ones each time.

    Args:
        trained: their layout and preprocessing are taken.
        lengths: frames of the prepared clips.
    """
    random = np.random.default_rng(0)
    return [
        preprocess(
            [_recording(trained, random, i) for i in range(batch)],
            trained.layout,
            dataclasses.replace(trained.preprocess, frames=frames),
        )
        for frames in lengths
        for batch in BATCHES
    ]


def _recording(
    trained: TrainedEncoders, random: np.random.Generator, place: int
) -> NDArray[np.float32]:
    """Bodies of about human size that walk, move their joints, and are out of sight at times."""
    frames, bodies = int(random.integers(5, 150)), trained.preprocess.bodies
    joints = len(trained.layout.joints)
    pose = random.normal(scale=0.4, size=(1, bodies, joints, 3))
    path = random.normal(scale=0.05, size=(frames, bodies, 1, 3)).cumsum(axis=0)
    limbs = random.normal(scale=0.03, size=(frames, bodies, joints, 3)).cumsum(axis=0)
    recording = (pose + path + limbs + [0, 1, 3]).astype(np.float32)
    recording[random.random((frames, bodies)) < 0.1] = np.nan
    recording[frames // 2] = pose[0] + 1  # somebody is always there
    if place % 2:
        recording[:, 1:] = np.nan
    return recording
