"""Engines that run a frozen encoder: PyTorch itself, and others where they are installed.

All agree to about 1e-5 of the features' size.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Protocol, cast, get_args

import torch
from torch import Tensor, nn

from crosscale.errors import CrosscaleError, nearest, needs
from crosscale.utils.choices import EngineName

# What an engine needs, and the extra of this package that brings it.
LIBRARIES: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "openvino": (("openvino",), "openvino"),
        "onnxruntime": (("onnx", "onnxscript", "onnxruntime"), "onnxruntime"),
    }
)
FEW = 8  # bodies to try an engine with
WORTH_BUILDING = 2000  # bodies; fewer are computed before a faster engine is built


class Engine(Protocol):
    """A built engine."""

    def __call__(self, bodies: Tensor) -> Tensor:
        """(B, C, T, V) float32, any B from 1, to (B, width) on the same device."""


def available(device: torch.device | str = "cpu") -> tuple[EngineName, ...]:
    """Engines whose libraries are installed and that run on a device."""
    names = cast(tuple[EngineName, ...], get_args(EngineName))
    if torch.device(device).type != "cpu":
        return tuple(name for name in names if name not in LIBRARIES)
    return tuple(name for name in names if _installed(name))


def choose(bodies: int, device: torch.device | str = "cpu") -> EngineName:
    """The engine that `auto` stands for: always the same one for the same number of bodies.

    So it goes by what was measured once, not by a measurement now: for many bodies OpenVINO, then
    ONNX Runtime, whichever is installed; else PyTorch.
    """
    if bodies >= WORTH_BUILDING:
        for name in ("openvino", "onnxruntime"):
            if name in available(device):
                return name
    return "torch"


def build(
    name: EngineName, network: nn.Module, example: Tensor, threads: int | None = None
) -> Engine:
    """Build an engine; this takes seconds, and for `compiled` up to a minute.

    Args:
        name: which one.
        network: takes bodies (B, C, T, V) and gives (B, width), in evaluation mode, on the device
            where it shall run. Where it has a method `for_frames(T)`, what that gives is run; where
            it has `bodies_a_thread`, so many are computed at once.
        example: bodies (B, C, T, V) float32 on that device. They set C, T and V for all calls.
        threads: that it uses; by default as many as PyTorch. The two engines of PyTorch always
            use as many as `torch.set_num_threads` says.

    Raises:
        CrosscaleError: when its library is missing or it does not run on this device.
    """
    if name not in get_args(EngineName):
        raise CrosscaleError(f"no engine '{name}': {nearest(name, get_args(EngineName))}")
    if name in LIBRARIES and example.device.type != "cpu":
        raise CrosscaleError(f"engine {name} runs on the CPU only: use torch on {example.device}")
    libraries, extra = LIBRARIES.get(name, ((), ""))
    with needs(f"engine {name}", extra):
        for library in libraries:
            import_module(library)
    threads = threads or torch.get_num_threads()
    for_frames = getattr(network, "for_frames", None)
    if for_frames is not None:
        network = for_frames(example.shape[2])
    engine = BUILDERS[name](network, example, threads)
    if example.device.type != "cpu":
        return engine
    return _in_parts(engine, getattr(network, "bodies_a_thread", FEW) * threads)


def _installed(name: EngineName) -> bool:
    libraries, _ = LIBRARIES.get(name, ((), ""))
    return all(find_spec(library) is not None for library in libraries)


def _in_parts(engine: Engine, size: int) -> Engine:
    def run(bodies: Tensor) -> Tensor:
        return torch.cat([engine(part) for part in bodies.contiguous().split(size)])

    return run


def _torch(network: nn.Module, example: Tensor, threads: int) -> Engine:
    """PyTorch, as it is."""
    return torch.inference_mode()(network)


def _compiled(network: nn.Module, example: Tensor, threads: int) -> Engine:
    """PyTorch, compiled for this machine first, which takes up to a minute."""
    engine = torch.inference_mode()(torch.compile(network, dynamic=True))
    engine(example[:FEW])  # compiles now, so that a lacking compiler shows here
    return engine


def _openvino(network: nn.Module, example: Tensor, threads: int) -> Engine:
    """OpenVINO, on processors."""
    import openvino

    with quiet("openvino"):
        model = openvino.convert_model(network, example_input=example[:FEW])
    model.reshape({0: [-1, *example.shape[1:]]})
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else 16 bits where the CPU has them
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)

    def run(bodies: Tensor) -> Tensor:
        return torch.from_numpy(compiled([bodies.numpy()], share_inputs=True)[0])

    return run


def _onnxruntime(network: nn.Module, example: Tensor, threads: int) -> Engine:
    """ONNX Runtime, on processors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    with TemporaryDirectory() as folder, quiet("torch.onnx"):
        path = Path(folder) / "encoder.onnx"
        # An export takes a batch of one for a constant.
        several = example[:2] if len(example) > 1 else example.repeat(2, 1, 1, 1)
        torch.onnx.export(
            network,
            (several,),
            str(path),
            input_names=["bodies"],
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def run(bodies: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"bodies": bodies.numpy()})[0])

    return run


@contextlib.contextmanager
def quiet(logger: str) -> Iterator[None]:
    """Without the progress bars and advice of a library."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


BUILDERS: Mapping[EngineName, Callable[[nn.Module, Tensor, int], Engine]] = MappingProxyType(
    {
        "torch": _torch,
        "compiled": _compiled,
        "openvino": _openvino,
        "onnxruntime": _onnxruntime,
    }
)
