"""Whether a GPU waits for its clips: the share of a training step in which it computes."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.works import FRAMES, LAYOUT, Row, Size, training_step
from crosscale.encoders.stgcn import EncoderSettings
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipTensors

STEPS = 10
# Of a data set as large as NTU RGB+D 60's training part a step takes its clips in any order.
CLIPS = 40_091


def feeding(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """Steps of two scales whose clips lie on the device; nothing to measure on a processor."""
    del multiply
    if device.type == "cpu":
        return
    layout, settings = Layout.load(LAYOUT), EncoderSettings()
    joints = len(layout.joints)
    kept = ClipTensors(
        torch.randn(CLIPS, 3, FRAMES, joints, 2, device=device),
        torch.ones(CLIPS, 2, dtype=torch.bool),
    )
    on_host = ClipTensors(kept.coordinates.cpu(), kept.body_mask)
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(0))
    train = training_step(layout, settings, size, device)

    def steps(clips: ClipTensors) -> Callable[[], None]:
        def run() -> None:
            for rows in order.split(size.batch)[:STEPS]:
                batch = clips.take(rows)
                train(batch.coordinates.to(device), batch.body_mask)

        return run

    ours, plain = _profiled(steps(kept), device), _profiled(steps(on_host), device)
    yield Row(
        work="device busy in a step",
        rate=100 * ours[1] / ours[0],
        unit="%",
        against="clips kept on the host, each batch copied",
        ratio=plain[0] / ours[0],
        goal_rate=95.0,
    )


def _profiled(work: Callable[[], None], device: torch.device) -> tuple[float, float]:
    """Seconds that work takes on a device, and those in which a kernel runs."""
    work()
    torch.cuda.synchronize(device)
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize(device)
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in profiler.events() or []
        if event.device_type.name == "CUDA" and not event.is_user_annotation
    ]
    begin, end = min(s for s, _ in spans), max(e for _, e in spans)
    return (end - begin) / 1e6, covered(spans) / 1e6


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of spans (begin, end)."""
    begins, ends = np.array(sorted(spans), dtype=np.float64).reshape(-1, 2).T
    if not len(begins):
        return 0.0
    reached = np.maximum.accumulate(ends)
    before = np.concatenate([begins[:1], reached[:-1]])
    return float(np.maximum(0.0, reached - np.maximum(begins, before)).sum())
