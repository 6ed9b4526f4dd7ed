"""`crosscale evaluate`."""

from collections.abc import Callable, Mapping, Sequence
from inspect import getdoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from crosscale.cli.parser import CrosscaleParser, add_function
from crosscale.evaluation.probes import GIVEN, PROBES, described
from crosscale.utils.choices import COUNTS, SHARES, EngineChoice, Layers, Pooling

if TYPE_CHECKING:
    from crosscale.evaluation.report import Report

_FROZEN = ("engine", "pooling", "layers", "mirror")  # options that fine-tuning has no use for


def judge(
    probe: str,
    runs: list[Path],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    baselines: bool = False,
    seed: int = 0,
    device: str = "cpu",
    engine: EngineChoice = "auto",
    pooling: Pooling | None = None,
    layers: Layers = 1,
    mirror: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> "Report":
    """Judge what the encoders of one or more runs have learned, by a probe on their features.

    Each stream is judged alone, and so is the sum of their scores.

    Args:
        probe: what is trained on the features: a name, or an import path of a class.
        runs: run folders made by `crosscale pretrain`, or other encoders by name, such as `body`.
        data: the store; by default the one that the first run was trained on. Another one, of a
            layout that can be brought to the run's, tells how well what was learned transfers.
        protocol: which clips train and test: one that comes with the data (`data show`),
            random_subjects, leave_one_subject_out, folds or folds:NUMBER (by subject where subjects
            are known), or a YAML file of names; by default that of the first run, or the first one
            of the data set where that is of no use, or else five folds.
        out: folder of the results; by default one inside the first run, named after the probe and,
            where it is another one, the data set.
        baselines: also show what any training must beat: raw coordinates, MiniRocket as it is and
            half-whitened, the untrained encoder, as a mean over three seeds, and by ridge
            MultiRocket, where aeon is installed.
        seed: of all that is random.
        device: cpu or cuda.
        engine: what computes the features; `auto` is the fastest installed one.
        pooling: of each layer that is read: the `mean` over time and nodes; `statistics`: mean,
            largest and deviation; or the mean over time of each of the `nodes` (joints or parts),
            a vector that many times as long. By default as trained, with the output layer that was
            fitted to the encoders.
        layers: how many of the last layers are read, or `all`.
        mirror: average each clip's features with those of its mirror image, left and right
            exchanged: for actions that are done with either hand.
        settings: of the probe, by name.

    Returns:
        The figures, as printed; they are written too, with a page of them.
    """
    from crosscale.cli import evaluate_steps as steps
    from crosscale.evaluation.extract import Extraction
    from crosscale.evaluation.finetune import Finetune
    from crosscale.evaluation.runner import make_probes, open_runs

    probes = make_probes(probe, settings or {})
    steps.check_places(runs, data, out)
    judged = open_runs(runs, data, protocol, device)
    if isinstance(probes[0], Finetune):
        return steps.judge_finetuned(probes[0], judged, out, seed, baselines)
    how = Extraction(pooling, layers, mirror, engine)
    return steps.judge_frozen(probe, probes, judged, how, out, seed, device, baselines)


def make_parser(probe: str) -> CrosscaleParser:
    """The parser of `evaluate` with the settings of a probe."""
    kind: Any = described(probe)
    about = f"{_about(kind)}\n\n    crosscale evaluate {probe} runs/nwucla --seed 1"
    parser = CrosscaleParser(f"evaluate {probe}", about)
    skip = {"probe", "settings", *(_FROZEN if PROBES.spelled(probe) == "finetune" else ())}
    add_function(parser, judge, *skip)
    skip = {*signature(judge).parameters, *GIVEN}
    if probe == "semi":
        told = "of each class's training clips that keep their label, at least one clip a class"
        parser.add_argument("--shares", type=tuple[float, ...], default=SHARES, help=told)
        skip.add("share")
    if probe == "few":
        told = "how many labelled clips a class has; each number is judged"
        parser.add_argument("--labels", type=tuple[int, ...], default=COUNTS, help=told)
        skip.add("labels")
    if isinstance(kind, type):
        parser.add_class_arguments(kind, as_group=False, skip=skip, fail_untyped=False)
    return parser


def run(probe: str, values: Namespace) -> None:
    """Run `evaluate` with parsed values, the probe's settings among them."""
    chosen: dict[str, Any] = vars(values)
    own = signature(judge).parameters
    settings = {name: value for name, value in chosen.items() if name not in own}
    judge(probe, **{k: v for k, v in chosen.items() if k in own}, settings=settings)


def current_arguments(arguments: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Arguments with the options of 0.1 as they are called now.

    Args:
        arguments: after the probe.
        say: told of each option that had another name.
    """
    found: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        option, equals, value = word.partition("=")
        now = [word]
        if option == "--readout":
            from crosscale.evaluation.extract import READOUTS

            value = value if equals else next(waiting, "")
            pooling, layers = READOUTS.get(value, (value, 1))
            now = [f"--pooling={pooling}", f"--layers={layers}"]
            say(f"--readout {value} is called {' '.join(now)} now")
        elif option == "--floors" or option.startswith("--config."):
            name = "--baselines" if option == "--floors" else f"--{option[len('--config.') :]}"
            now = [name + equals + value]
            say(f"{option} is called {name} now")
        found += now
    return found


def _about(probe: Any) -> str:
    """The first paragraph of what a probe says of itself."""
    return (getdoc(probe) or "").partition("\n\n")[0]
