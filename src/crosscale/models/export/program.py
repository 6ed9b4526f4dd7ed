"""Encoders as one file that runs without this package, compared with the encoders themselves."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

import crosscale
from crosscale.encoders.engines import LIBRARIES, quiet
from crosscale.errors import CrosscaleError, needs
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.export.network import ClipNetwork, RecordingNetwork
from crosscale.models.export.trial import SHORTEST, Trial, trials
from crosscale.models.features import embed_stream
from crosscale.transforms.modality import Stream, StreamTransform
from crosscale.transforms.preprocess import Preprocess
from crosscale.utils.files import atomic_path

FORMAT = "crosscale export 1"
TOLERANCE = 1e-4  # of a stream's largest feature; engines differ by about 1e-5
Run = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


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


def export_onnx(trained: TrainedEncoders, path: Path, *, with_preprocess: bool) -> Exported:
    """Write all streams as one ONNX file, run it by ONNX Runtime, and compare.

    Args:
        trained: the encoders, on the CPU.
        path: the .onnx file; a file named so with .json behind, beside it, describes it.
        with_preprocess: take recordings as they are, rather than prepared clips.

    Raises:
        CrosscaleError: when a library is missing, or the features differ by more than
            `TOLERANCE`; nothing is written then.
    """
    libraries, extra = LIBRARIES["onnxruntime"]
    with needs("ONNX", extra):
        for library in libraries:
            import_module(library)
    plan = _Plan.of(trained, with_preprocess)
    with quiet("torch.onnx"):
        program = cast(
            torch.onnx.ONNXProgram,
            torch.onnx.export(
                plan.network,
                tuple(plan.example.values()),
                input_names=list(plan.example),
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


def export_torch(trained: TrainedEncoders, path: Path, *, with_preprocess: bool) -> Exported:
    """Write all streams as one `torch.export` program, load it again, and compare.

    Args:
        trained: the encoders, on the CPU.
        path: the .pt2 file; a file named so with .json behind, beside it, describes it.
        with_preprocess: take recordings as they are, rather than prepared clips.

    Raises:
        CrosscaleError: when the features differ by more than `TOLERANCE`; nothing is written then.
    """
    plan = _Plan.of(trained, with_preprocess)
    with quiet("torch.export"):
        program = torch.export.export(
            plan.network, tuple(plan.example.values()), dynamic_shapes=plan.dynamic
        )

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file, quiet("torch.export"):
            torch.export.save(program, file, extra_files={"crosscale": json.dumps(plan.facts)})

    return _written(path, plan, save, _torch_run)


@dataclass(frozen=True)
class _Plan:
    """What is exported: a network, its inputs, and what they mean."""

    trained: TrainedEncoders
    with_preprocess: bool
    network: nn.Module
    example: Mapping[str, Tensor]
    dynamic: tuple[dict[int, Any], ...]
    facts: dict[str, Any]

    @classmethod
    def of(cls, trained: TrainedEncoders, with_preprocess: bool) -> "_Plan":
        batch = torch.export.Dim("batch")
        network: nn.Module = ClipNetwork(trained)
        frames = torch.export.Dim("frames", min=SHORTEST)
        dynamic: tuple[dict[int, Any], ...] = ({0: batch, 2: frames}, {0: batch})
        if with_preprocess:
            network = RecordingNetwork(trained)
            dynamic = ({0: batch, 1: torch.export.Dim("frames")},)
        trial = trials(trained, with_preprocess)[0]
        example = trial.inputs(trained, with_preprocess)
        facts = _facts(trained, with_preprocess)
        return cls(trained, with_preprocess, network.eval(), example, dynamic, facts)

    def differences(self, run: Run) -> tuple[dict[str, float], int]:
        """Compare a loaded program with the encoders on all trials; also how many there were."""
        largest = dict.fromkeys(self.trained.encoders, 0.0)
        made = trials(self.trained, self.with_preprocess)
        for trial in made:
            found = run(trial.inputs(self.trained, self.with_preprocess))
            for stream, right in _features(self.trained, trial).items():
                error = (found[stream] - right).abs().max() / right.abs().max()
                # Not `max`, which drops a NaN.
                largest[stream] = float(np.maximum(largest[stream], error.item()))
        return largest, len(made)


def _features(trained: TrainedEncoders, trial: Trial) -> dict[str, Tensor]:
    """What the encoders themselves make of it, the way training and evaluation go."""
    return {
        name: embed_stream(
            encoder, StreamTransform(Stream.parse(name), trained.layout), trial.clips(trained)
        )
        for name, encoder in trained.encoders.items()
    }


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

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = session.run(streams, {name: value.numpy() for name, value in inputs.items()})
        return dict(zip(streams, map(torch.from_numpy, found), strict=True))

    return run


def _torch_run(path: Path, plan: _Plan) -> Run:
    with path.open("rb") as file:
        network = torch.export.load(file).module()

    @torch.inference_mode()
    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        features: Mapping[str, Tensor] = network(*inputs.values())
        return features

    return run


def _facts(trained: TrainedEncoders, with_preprocess: bool) -> dict[str, Any]:
    """What somebody needs who has nothing but the file."""
    settings, joints = trained.preprocess, len(trained.layout.joints)
    bodies = settings.bodies
    if with_preprocess:
        inputs = {
            "recordings": {
                "shape": ["batch", "frames", bodies, joints, 3],
                "type": "float32",
                "meaning": "metres, y up, joints in the order of the layout; NaN where a body is "
                "absent. Any number of frames; shorter recordings are padded at the end with NaN",
            }
        }
    else:
        inputs = {
            "coordinates": {
                "shape": ["batch", 3, "frames", joints, bodies],
                "type": "float32",
                "meaning": "metres, after the steps of `preparation`; those of absent bodies are "
                f"ignored. {SHORTEST} frames or more; training had {settings.frames}",
            },
            "present": {
                "shape": ["batch", bodies],
                "type": "bool",
                "meaning": "whether a body is there in any frame",
            },
        }
    return {
        "format": FORMAT,
        "crosscale": crosscale.__version__,
        "inputs": inputs,
        "outputs": {
            name: {"shape": ["batch", encoder.dim], "type": "float32"}
            for name, encoder in trained.encoders.items()
        },
        "embedding": "what crosscale searches and classifies by: each output divided by its "
        "length, put side by side, divided by the root of the number of outputs",
        "preparation": {
            "inside": with_preprocess,
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
    return [step for step in steps if step is not None]
