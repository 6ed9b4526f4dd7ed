"""What is measured, each piece of work beside the plain way of doing it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from benchmarks import naive
from benchmarks.operations import TRAINING_PASSES, forward_operations
from benchmarks.plain import PlainSTGCN
from benchmarks.timing import default_memory, fastest, fastest_seconds
from crosscale.augment.compose import AugmentSettings, Views
from crosscale.augment.edge_cut import Cut
from crosscale.encoders.cuda_graph import record
from crosscale.encoders.readout import Readout
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.evaluation.probes.knn import knn_scores
from crosscale.evaluation.probes.linear import LinearProbe
from crosscale.models.published import from_published, load_whole
from crosscale.objectives.base import Batch, StreamSpec
from crosscale.objectives.moco import MoCo, MoCoSettings
from crosscale.readers.datasets.ntu import Ntu60
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import SyntheticSettings, write_synthetic
from crosscale.synthesis.draw import Draw
from crosscale.synthesis.performers import perform
from crosscale.synthesis.programs import draw_programs
from crosscale.transforms.modality import Stream
from crosscale.transforms.preprocess import ClipTensors, Preprocess, preprocess
from crosscale.utils.repeatable import one_thread, repeatable

LAYOUT = "ntu25"
FRAMES = 50
WIDTH, CLASSES = 256, 60
PERFORMED = 256  # programs at once
# A sensor's lines have pixels and turns where synthetic ones have zeros, and are twice as long.
NO_COLUMNS = " 0 0 0 0 0 0 0 0 "
COLUMNS = " 281.614 203.7751 1042.617 541.2093 -0.1873364 0.06127715 0.9741208 -0.1140386 "


@dataclass(frozen=True)
class Size:
    """How much work each measurement does.

    Attributes:
        batch: clips of a training step.
        queue: negatives.
        embedded: clips embedded at once.
        files: `.skeleton` files read.
        clips: clips preprocessed.
        train, test: clips of the evaluations.
        epochs: of the linear layer.
        rounds: how often each is timed.
    """

    batch: int
    queue: int
    embedded: int
    files: int
    clips: int
    train: int
    test: int
    epochs: int
    rounds: int


SIZES = {
    "full": Size(128, 32768, 256, 200, 2000, 40_091, 16_487, 100, 3),
    "small": Size(16, 1024, 64, 24, 300, 8000, 2000, 5, 7),
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        work: what was done.
        rate: how much of it in a second.
        unit: of the rate.
        against: the plain way that it is compared with.
        ratio: how many times as fast it is.
        goal: what the ratio should be at least, where there is one.
        goal_rate: what the rate should be at least, where there is one.
        share: of the machine's matrix-multiply rate, counted in the published network's (or the
            product's) operations, where arithmetic is what counts.
    """

    work: str
    rate: float
    unit: str
    against: str
    ratio: float
    goal: float | None = None
    goal_rate: float | None = None
    share: float | None = None


Measure = Callable[[Size, torch.device, float], Iterator[Row]]


def training(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """A step of two scales, from the views to the update."""
    layout = Layout.load(LAYOUT)
    settings = EncoderSettings()
    x = torch.randn(size.batch, 3, FRAMES, len(layout.joints), 2, device=device)
    operations = sum(
        forward_operations(settings, len(layout.scale(scale).names), FRAMES)
        for scale in ("joints", "part10")
    )
    for bodies, words, goal in ((2, "two bodies", 3.0), (1, "one body", 5.0)):
        body_mask = torch.ones(size.batch, 2, dtype=torch.bool)
        body_mask[:, bodies:] = False
        seen = x * body_mask.to(device)[:, None, None, None, :]
        ours = partial(training_step(layout, settings, size, device), seen, body_mask)
        plain = partial(training_step(layout, settings, size, device, plain=True), seen, body_mask)
        with default_memory():
            before = fastest_seconds({"plain": plain}, size.rounds, device)["plain"]
        now = fastest_seconds({"ours": ours}, size.rounds, device)["ours"]
        done = TRAINING_PASSES * operations * size.batch * 2
        yield Row(
            work=f"training, {words}",
            rate=size.batch / now,
            unit="clips/s",
            against="1×1 convolution, einsum, every body; two scales, views to update",
            ratio=before / now,
            goal=goal,
            share=done / now / multiply if bodies == 2 else None,
        )


def training_step(
    layout: Layout,
    settings: EncoderSettings,
    size: Size,
    device: torch.device,
    *,
    plain: bool = False,
) -> Callable[[Tensor, Tensor], None]:
    """A step of two scales, from the views of clips (N, 3, T, V, M), present (N, M), to the update.

    Args:
        layout: of the clips.
        settings: of the encoder.
        size: of the batch and the queue.
        device: where it is trained.
        plain: by the plain encoder.
    """
    moco = MoCoSettings(queue=size.queue)
    streams = [Stream.parse(name) for name in ("joint", "joint@part10")]
    torch.manual_seed(0)
    specs = [StreamSpec(s, layout, partial(STGCN, s.graph(layout), settings)) for s in streams]
    method = MoCo(specs, moco)
    if plain:
        for network in (*method.query, *method.key):
            network.encoder = PlainSTGCN(network.encoder.adjacency, settings)
        method.key.requires_grad_(False)
    method.to(device)
    if device.type == "cuda" and not plain:
        record(method)
    wanted = MoCo.views(moco, AugmentSettings(cut=Cut(most=2)))
    views = Views(wanted, layout, ["joints", "part10"])
    optimiser = torch.optim.SGD(method.query.parameters(), lr=0.01, momentum=0.9, foreach=True)
    clips = torch.arange(size.batch, device=device)

    def step(x: Tensor, body_mask: Tensor) -> None:
        batch = ClipTensors(x, body_mask)
        drawn = {name: views(name, batch, 1) for name in views.names}
        method(Batch(drawn, clips)).loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step if plain else repeatable()(step)


def embedding(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """Clips to features, by the fastest engine."""
    layout, settings = Layout.load(LAYOUT), EncoderSettings()
    torch.manual_seed(0)
    encoder = STGCN(layout.scale("joints"), settings).to(device).eval()
    plain = PlainSTGCN(encoder.adjacency, settings).to(device).eval()
    load_whole(encoder, from_published(plain.state_dict()), "the plain encoder")
    x = torch.randn(size.embedded, 3, FRAMES, len(layout.joints), 2, device=device)
    both = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
    name, ours, _ = fastest(Readout(encoder), both)
    works = {"two bodies": lambda: ours(both), "one body": lambda: ours(both[::2])}
    with torch.inference_mode():
        with default_memory():
            before = fastest_seconds({"plain": lambda: plain(x)}, size.rounds, device)["plain"]
        seconds = fastest_seconds(works, size.rounds, device)
    done = 2 * size.embedded * forward_operations(settings, len(layout.joints), FRAMES)
    for bodies, goal in (("two bodies", 2.2), ("one body", 4.5)):
        yield Row(
            work=f"embedding, {bodies}",
            rate=size.embedded / seconds[bodies],
            unit="clips/s",
            against=f"1×1 convolution, einsum, every body; ours by {name}",
            ratio=before / seconds[bodies],
            goal=goal,
            share=done / seconds[bodies] / multiply if bodies == "two bodies" else None,
        )


def reading(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """`.skeleton` files, on one core."""
    del device, multiply
    with TemporaryDirectory() as folder:
        made = SyntheticSettings(classes=12, subjects=8, clips=size.files, frames=(60, 120))
        write_synthetic(Path(folder) / "set", made, workers=1)
        reader = Ntu60()
        items = reader.find(Path(folder) / "set")
        for item in items:
            item.path.write_text(item.path.read_text().replace(NO_COLUMNS, COLUMNS))
        megabytes = sum(item.path.stat().st_size for item in items) / 1e6
        works = {
            "plain": lambda: [naive.read_skeleton(item.path) for item in items],
            "ours": lambda: [reader.read(item) for item in items],
        }
        seconds = fastest_seconds(works, size.rounds, torch.device("cpu"))
    yield Row(
        work="reading .skeleton",
        rate=megabytes / seconds["ours"],
        unit="MB/s",
        against="float() of every word, line by line; one core",
        ratio=seconds["plain"] / seconds["ours"],
        goal_rate=300.0,
    )


def preprocessing(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """Clips of 40 to 120 frames to one tensor, on one core."""
    del device, multiply
    layout, draws = Layout.load(LAYOUT), np.random.default_rng(0)
    shapes = [(int(draws.integers(40, 121)), 1 + (i % 4 == 0), 25, 3) for i in range(size.clips)]
    clips = [draws.normal(size=shape).astype(np.float32) for shape in shapes]
    settings = Preprocess(frames=FRAMES)
    few = clips[: max(8, size.clips // 20)]
    works: dict[str, Callable[[], object]] = {
        "plain": lambda: [naive.preprocess(clip, layout, FRAMES) for clip in few],
        "ours": lambda: preprocess(clips, layout, settings),
    }
    rounds = 5 * size.rounds  # a tenth of a second each, which one slow moment could fill
    with one_thread():
        seconds = fastest_seconds(works, rounds, torch.device("cpu"))
    yield Row(
        work="preprocessing",
        rate=len(clips) / seconds["ours"],
        unit="clips/s",
        against="clip by clip, frame by frame; one core, a clip in four has two bodies",
        ratio=(seconds["plain"] / len(few)) / (seconds["ours"] / len(clips)),
        goal_rate=20_000.0,
    )


def performing(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """Motion programs drawn and performed at ten parts, on one core."""
    del multiply
    pooling = torch.from_numpy(Layout.load(LAYOUT).scale("part10").pooling).float().to(device)

    def performed(at_once: int) -> Callable[[], object]:
        draw = Draw(0, device)
        return lambda: perform(draw_programs(at_once, draw), draw, FRAMES, pooling=pooling)

    works = {"plain": performed(1), "ours": performed(PERFORMED)}
    with one_thread():
        seconds = fastest_seconds(works, size.rounds, device)
    yield Row(
        work="performing",
        rate=PERFORMED / seconds["ours"],
        unit="clips/s",
        against="one program after another; one core",
        ratio=seconds["plain"] * PERFORMED / seconds["ours"],
        goal_rate=2_000.0,
    )


def linear(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """The linear layer on features that are there."""
    del multiply
    x, y = _features(size.train)
    test, _ = _features(size.test)
    probe = LinearProbe(size.epochs, device=str(device))
    works: dict[str, Callable[[], object]] = {
        "plain": lambda: naive.linear_epoch(torch.from_numpy(x), torch.from_numpy(y), CLASSES),
        "ours": lambda: probe.fit(x, y).decision_function(test),
    }
    seconds = fastest_seconds(works, 1, device)
    yield Row(
        work=f"linear layer, {size.train:,} clips",
        rate=size.epochs / seconds["ours"],
        unit="epochs/s",
        against="data loader over stored features",
        ratio=seconds["plain"] * size.epochs / seconds["ours"],
        goal_rate=100 / 60 if size == SIZES["full"] else None,
    )


def neighbours(size: Size, device: torch.device, multiply: float) -> Iterator[Row]:
    """Nearest neighbours of all test clips among all training clips."""
    x, y = _features(size.train)
    test, _ = _features(size.test)
    few = test[: max(16, size.test // 100)]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    works: dict[str, Callable[[], object]] = {
        "plain": lambda: [y[(unit @ (one / np.linalg.norm(one))).argmax()] for one in few],
        "ours": lambda: knn_scores(x, y, test, CLASSES, device=device),
    }
    seconds = fastest_seconds(works, size.rounds, device)
    yield Row(
        work=f"neighbours, {size.test:,} of {size.train:,}",
        rate=size.test / seconds["ours"],
        unit="clips/s",
        against="clip by clip",
        ratio=(seconds["plain"] / len(few)) / (seconds["ours"] / size.test),
        goal_rate=size.test / 5 if size == SIZES["full"] else None,
        share=2 * WIDTH * size.train * size.test / seconds["ours"] / multiply,
    )


def _features(count: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(count)
    labels = draws.integers(CLASSES, size=count)
    return draws.normal(size=(count, WIDTH)).astype(np.float32), labels
