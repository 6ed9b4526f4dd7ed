"""Make the files of version 0.1 that later versions must read, and the numbers they must reach.

    OMP_NUM_THREADS=1 python make.py FOLDER

The folder must not be there yet. Run it with version 0.1 of crosscale; see README.md.
"""

import dataclasses
import gzip
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from crosscale.data.protocol import split
from crosscale.evaluate.extract import extract
from crosscale.predict.model import load
from crosscale.recipe import Recipe, read_recipe, recipe_names, recipe_values
from crosscale.run import load_encoders
from crosscale.settings import flat, plain
from crosscale.train.data import load_training
from crosscale.train.loop import pretrain, steps_per_epoch
from crosscale.train.team import team_fabric
from digest import array_digest, state_digest, tensors_of, values_digest

import crosscale
from crosscale.cli import main
from crosscale.data.store import ClipStore

HERE = Path(__file__).parent
VERSION = "0.1.0"
SEED = 0
METHODS = ["skeletonclr", "aimclr", "sgclr", "crossclr", "crosview", "crosscale", "crosscale3"]
TWO_STAGES = ["aimclr", "crossclr", "crosview", "crosscale", "crosscale3"]
STORE = Path("store")
ACTIONS = (1, 2, 3, 11)  # drink, wave, clap and handshake, which shows two people
LAST = Path("checkpoints") / "last.safetensors"
Values = dict[str, Any]

TINY: Values = {
    "optimisation.epochs": 4,
    "optimisation.batch": 6,
    "encoder.hidden": 4,
    "encoder.width": 16,
    "contrast.queue": 32,
    "preprocess.frames": 16,
    "knn_every": 2,
}
# Of each family: whose recipe is taken, and what else is changed. The recipes of NTU train with
# dropout 0.5, those of the synthetic set without; at their learning rate, losses of so small an
# encoder differ by a hundredth from one kind of processor to another after three epochs.
DATA = {"corrected": "synthetic", "paper": "ntu60"}
FURTHER: dict[str, Values] = {
    "corrected": {"optimisation.warmup": 1, "optimisation.learning_rate": 0.002},
    "paper": {"optimisation.milestones": [3]},
}
EVERY_VIEW: Values = {
    "views.shear": 0.4,
    "views.crop": 0.2,
    "views.rotate": 40.0,
    "views.resize": [0.5, 0.9],
    "views.scale": 0.1,
    "views.bones": 0.15,
    "views.jitter": 0.01,
    "views.posture": 0.04,
    "views.mask": 0.1,
    "views.mirror": 0.5,
    "views.tilt": 20.0,
    "views.reverse": 0.3,
    "views.blur": 1.5,
    "views.axis": 0.2,
    "views.cut.most": 2,
}
# Further settings, of the corrected family: method and what is changed.
SETTINGS: dict[str, tuple[str, Values]] = {
    "schedule-step": (
        "skeletonclr",
        {"optimisation.schedule": "step", "optimisation.milestones": [2, 3]},
    ),
    "warmup": ("skeletonclr", {"optimisation.warmup": 3}),
    "last-batch-drop": ("skeletonclr", {"optimisation.last_batch": "drop"}),
    "replay-views": ("skeletonclr", {"optimisation.replay_views": True}),
    "recompute": ("skeletonclr", {"optimisation.recompute": True, "encoder.dropout": 0.5}),
    "dropout-half": ("skeletonclr", {"encoder.dropout": 0.5}),
    "dropout-third": ("skeletonclr", {"encoder.dropout": 0.3}),
    "own-past-positive": ("skeletonclr", {"contrast.own_past": "positive"}),
    "own-past-negative": ("skeletonclr", {"contrast.own_past": "negative"}),
    "log-sum-mean": ("crosscale", {"contrast.form": "log_sum", "contrast.total": "mean"}),
    "no-context": ("crosscale", {"contrast.context": False}),
    "top-three": ("crosscale", {"contrast.top": 3}),
    "key-start-independent": ("skeletonclr", {"contrast.key_start": "independent"}),
    "shared-head": ("crosscale", {"contrast.shared_head": True}),
    "stale-first-key": ("crosscale", {"contrast.stale_first_key": True}),
    "mine-own": ("skeletonclr", {"contrast.mine": "own", "contrast.cross_from": 0.5}),
    "extreme-half": ("aimclr", {"contrast.extreme": 0.5, "extreme.tilt": 10.0}),
    "streams": ("skeletonclr", {"contrast.streams": ["bone", "motion@body5", "bone_motion"]}),
    "cut-batch-both": ("sgclr", {"views.cut.draw": "batch", "views.cut.views": "both"}),
    "cut-ratio-query": (
        "sgclr",
        {"views.cut.most": 0, "views.cut.ratio": 0.2, "views.cut.views": "query"},
    ),
    "cut-run-one-self": (
        "sgclr",
        {
            "views.cut.draw": "run",
            "views.cut.direction": "one",
            "views.cut.self_links": True,
        },
    ),
    "input-norm-joint": ("skeletonclr", {"encoder.input_norm": "joint"}),
    "hops-capped": ("skeletonclr", {"encoder.hops": "capped", "encoder.start": "published"}),
    "bodies-all": ("skeletonclr", {"encoder.bodies": "all"}),
    "root-frame": ("skeletonclr", {"preprocess.root": "frame", "preprocess.facing": "none"}),
    "one-body": ("skeletonclr", {"preprocess.bodies": 1}),
    "every-view": ("skeletonclr", EVERY_VIEW),
}
RUNS = {"crosscale": ("corrected", "crosscale"), "skeletonclr-paper": ("paper", "skeletonclr")}
INTERRUPTED = ("corrected", "aimclr")
INTERRUPTED_IN = 3  # the epoch, the first of stage 2, after one of its steps
READOUTS = ("mean", "nodes", "blocks", "all")
LONG_READOUTS, LONG_ROWS = ("blocks", "all"), slice(0, None, 4)  # of which few clips are kept

RECIPES = {
    "cut": """\
# Edges cut once per batch in both views, and most other settings of training changed.
include: [data/synthetic, method/crosscale]
seed: 5
precision: bf16-mixed
knn_every: 0
save_every: 5
preprocess: {frames: 40, root: frame, facing: none, length: published, bodies: 1}
views:
  mirror: 0.25
  mask: 0.1
  cut: {most: 3, draw: batch, views: both, direction: one, self_links: true}
contrast:
  features: 64
  cross_from: 0.25
  top: 2
  context: false
  own_past: positive
  form: log_sum
  total: mean
  key_start: independent
  shared_head: true
  stale_first_key: true
encoder: {start: published, hops: capped, bodies: all, input_norm: joint, dropout: 0.25}
optimisation:
  epochs: 90
  batch: 32
  learning_rate: 0.02
  schedule: step
  milestones: [60, 80]
  warmup: 2
  momentum: 0.8
  weight_decay: 0.0005
  last_batch: drop
  batch_norm: shuffled
  recompute: true
  replay_views: true
""",
    "extreme": """\
# AimCLR on recordings of one's own, with other extreme views and two streams.
include: [data/own, method/aimclr]
contrast: {streams: [joint, motion@part10], extreme: 0.5, mine: own, cross_from: 0.75, top: 3}
extreme: {tilt: 15.0, reverse: 0.25, blur: 0.0, cut: {most: 1, views: query}}
views: {resize: [0.6, 0.9], crop: 0.0, bones: 0.0}
""",
    "whole": """\
# All of a recipe, a few values of it changed, some by dotted names.
include: [nwucla/crosscale3]
protocol: random_subjects:3
views: {resize: null, cut: {most: 0, ratio: 0.1}}
contrast: {cross_from: null, momentum: 0.995, temperature: 0.1, own_past: left_out}
optimisation.epochs: 12
encoder.hidden: 8
""",
    "nested": """\
# One's own recipe built on another of one's own.
include: [recipes/extreme.yaml]
contrast: {queue: 256, own_past: negative}
optimisation: {milestones: [3, 6], schedule: step}
""",
}


def recordings_and_stores() -> Values:
    """Synthetic clips of four actions and three actors, whole and in shards."""
    size = ["--classes", str(max(ACTIONS)), "--subjects", "3", "--cameras", "2"]
    length = ["--repetitions", "1", "--frames", "[10,16]"]
    command(["synth", "recordings", *size, *length, "--workers", "1"])
    for path in Path("recordings").glob("*.skeleton"):
        if int(path.stem[-3:]) not in ACTIONS:
            path.unlink()
    command(["prepare", "ntu60", "recordings", "--out", str(STORE), "--workers", "1"])
    sharded = ["--out", "store-sharded", "--shard_clips", "10", "--workers", "1"]
    command(["prepare", "ntu60", "recordings", *sharded])
    store, pieces = ClipStore.open(STORE), ClipStore.open(Path("store-sharded"))
    assert store.fingerprint == pieces.fingerprint
    parts = split(store, "xsub")
    shutil.rmtree("recordings")
    return {
        "folders": [str(STORE), "store-sharded"],
        "fingerprint": store.fingerprint,
        "clips": len(store),
        "frames": int(store.column("frames").sum()),
        "two_bodies": int((store.column("bodies") == 2).sum()),
        "actions": ACTIONS,
        "protocol": "xsub",
        "train": parts.train.tolist(),
        "tests": {name: rows.tolist() for name, rows in parts.tests.items()},
        "coordinates": array_digest(
            np.concatenate([store.coordinates(i).ravel() for i in range(len(store))])
        ),
    }


def changes_of(family: str, method: str, further: Mapping[str, Any]) -> Values:
    """What is changed of a recipe so that it trains in a second."""
    stages = {"contrast.cross_from": 0.5} if method in TWO_STAGES else {}
    return {**TINY, **stages, **FURTHER[family], **further}


def trained(family: str, method: str, further: Mapping[str, Any], keep: str | None) -> Values:
    """Train a recipe in a folder that is taken away, and say what came out."""
    folder, name = Path("work"), f"{DATA[family]}/{method}"
    changes = changes_of(family, method, further)
    recipe = read_recipe(name, {"seed": SEED, **changes}, family)
    written = train(recipe, folder)
    count = len(split(ClipStore.open(STORE), recipe.protocol).train)
    found = {
        "recipe": name,
        "family": family,
        "seed": SEED,
        "changes": changes,
        "clips": count,
        "steps_an_epoch": steps_per_epoch(recipe, count),
        **outcome(folder),
    }
    if keep:
        Path(keep).parent.mkdir(exist_ok=True)
        shutil.copyfile(written, keep)
        found = {"file": keep} | found
    shutil.rmtree(folder)
    return found


def train(recipe: Recipe, folder: Path, report: Callable[[Any], None] = lambda done: None) -> Path:
    """Train as the command line does."""
    fabric = team_fabric(recipe.precision, "cpu")
    data = load_training(ClipStore.open(STORE), recipe, fabric.device)
    return pretrain(recipe, data, folder, fabric, report=report)


def outcome(folder: Path) -> Values:
    """What a finished run has reached."""
    model = tensors_of(folder / LAST, "model/")
    encoder = tensors_of(folder / "encoder.safetensors")
    metrics = rows_of(folder)
    return {
        "model": state_digest(model),
        "model_values": values_digest(model),
        "momentum": state_digest(tensors_of(folder / LAST, "momentum/")),
        "encoder": state_digest(encoder),
        "encoder_values": values_digest(encoder),
        "losses": [row["loss"] for row in metrics],
        "metrics": metrics,
    }


def rows_of(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's `metrics.jsonl`."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def options(changes: Mapping[str, Any]) -> list[str]:
    """Changed settings as the command line takes them."""
    return [f"--{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in changes.items()]


def command(arguments: list[str]) -> None:
    """One command of crosscale."""
    if main(arguments):
        sys.exit(f"crosscale {' '.join(arguments)} failed")


def pretrain_command(family: str, method: str, out: Path) -> list[str]:
    """The command line of a run."""
    return [
        *("pretrain", f"{DATA[family]}/{method}", "--family", family, "--data", str(STORE)),
        *("--out", str(out), "--device", "cpu", f"--seed={SEED}"),
        *options(changes_of(family, method, {})),
    ]


def finished_run(name: str, family: str, method: str) -> Values:
    """A run by the command line."""
    folder = Path("runs") / name
    arguments = pretrain_command(family, method, folder)
    command(arguments)
    tidy(folder)
    return {
        "folder": str(folder),
        "command": arguments,
        "recipe": f"{DATA[family]}/{method}",
        "family": family,
        "seed": SEED,
        "changes": changes_of(family, method, {}),
        "fingerprint": load_encoders(folder).fingerprint,
        **outcome(folder),
    }


def interrupted_run() -> Values:
    """A run that was told to stop in the middle of an epoch, and what it reaches when resumed."""
    family, method = INTERRUPTED
    folder, changes = Path("runs") / "interrupted", changes_of(family, method, {})
    name = f"{DATA[family]}/{method}"

    def stop(done: Any) -> None:
        if done.epoch == INTERRUPTED_IN - 1:  # seen after the next step
            signal.raise_signal(signal.SIGINT)

    try:
        train(read_recipe(name, {"seed": SEED, **changes}, family), folder, stop)
    except KeyboardInterrupt:
        tidy(folder)
    assert not (folder / "encoder.safetensors").exists()
    stopped = {
        "stopped_model": state_digest(tensors_of(folder / LAST, "model/")),
        "stopped_metrics": rows_of(folder),
    }
    whole = Path("work")
    shutil.copytree(folder, whole)
    arguments = pretrain_command(family, method, whole)
    command([*arguments, "--resume"])
    resumed = outcome(whole)
    shutil.rmtree(whole)
    return {
        "folder": str(folder),
        "command": [*pretrain_command(family, method, folder), "--resume"],
        "recipe": name,
        "family": family,
        "seed": SEED,
        "changes": changes,
        "epochs_finished": INTERRUPTED_IN - 1,
        "steps_of_the_next": 1,
        **stopped,
        "resumed": resumed,
    }


def tidy(run: Path) -> None:
    """Take away what only watches a run, or is computed again."""
    shutil.rmtree(run / "tensorboard", ignore_errors=True)
    for path in [run / ".writing", *run.glob("*/report.html"), *run.glob("features-*.npz")]:
        path.unlink(missing_ok=True)


def used(name: str) -> Values:
    """What the commands make of a run: results, embeddings, features, a head, an index, a model."""
    run, out = Path("runs") / name, Path("results") / name
    out.mkdir(parents=True)
    command(["evaluate", "linear", str(run), "--data", str(STORE)])
    command(["evaluate", "ridge", str(run), "--data", str(STORE)])
    command(["evaluate", "ridge", str(run), "--data", str(STORE), "--readout", "all"])
    command(["evaluate", "knn", str(run), "--data", str(STORE)])
    shortest = min(run.glob("features-*.npz"), key=lambda path: path.stat().st_size)
    shutil.move(shortest, out / "kept-features.npz")  # as evaluations keep them, of `mean`
    command(["embed", str(run), str(STORE), "--out", str(out / "embeddings.npz")])
    command(["index", str(run), str(STORE), "--out", str(out / "index")])
    store = ClipStore.open(STORE)
    lines = [
        f"{store.names[row]},{store.classes[store.labels[row]]}\n"
        for row in split(store, "xsub").train
    ]
    (out / "labels.csv").write_text("name,label\n" + "".join(lines))
    for head in ("linear", "knn"):
        told = ["--save", str(out / f"{head}.head"), "--out", str(out / f"{head}.json")]
        known = ["--labels", str(out / "labels.csv"), "--head", head]
        command(["classify", str(run), str(STORE), *known, *told])
    if name == "crosscale":
        command(["export", "folder", str(run), "--out", str(out / "model"), "--license", "mit"])
    tidy(run)
    return {
        "folder": str(out),
        "evaluations": {
            path.parent.name: accuracies(path) for path in sorted(run.glob("*/results.json"))
        },
        "embeddings": array_digest(load(run).embed(store)),
        "features": features_of(run, out / "features.npz"),
    }


def accuracies(path: Path) -> dict[str, Any]:
    """Top-1 by test and stream, of a results file."""
    metrics = json.loads(path.read_text())["evaluations"][0]["metrics"]
    return {t: {s: m["top1"] for s, m in streams.items()} for t, streams in metrics.items()}


def features_of(run: Path, path: Path) -> dict[str, str]:
    """Write what is read of each encoder; the digests are those of all clips."""
    encoders, store = load_encoders(run), ClipStore.open(STORE)
    rows = np.arange(len(store))
    kept: dict[str, np.ndarray] = {"names": np.array(store.names), "long_rows": rows[LONG_ROWS]}
    digests = {}
    for readout in READOUTS:
        for mirror in (False, True) if readout == "mean" else (False,):
            found = extract(
                encoders, store, torch.device("cpu"), "torch", readout, mirror=mirror
            ).vectors
            for stream, vectors in found.items():
                label = f"{readout}{'-mirror' if mirror else ''}/{stream}"
                digests[label] = array_digest(vectors)
                kept[label] = vectors[LONG_ROWS] if readout in LONG_READOUTS else vectors
    np.savez(path, **kept)
    return digests


def recipes() -> dict[str, Values]:
    """Recipes of a user, and all the settings that they come to."""
    Path("recipes").mkdir()
    made = {}
    for name, text in RECIPES.items():
        path = Path("recipes") / f"{name}.yaml"
        path.write_text(text)
        families = {
            family: {
                "set": plain(recipe_values(str(path), family)),
                "settings": settings(read_recipe(str(path), {}, family)),
            }
            for family in DATA
        }
        told = path.with_suffix(".json")
        told.write_text(json.dumps(families, indent=1) + "\n")
        made[name] = {"file": str(path), "settings": str(told)}
    return made


def settings(recipe: Recipe) -> Values:
    """All settings of a recipe by dotted name."""
    return flat(plain(dataclasses.asdict(recipe)))


def shipped_recipes() -> dict[str, dict[str, Values]]:
    """Of every recipe that comes with 0.1, by family, the settings that are not the default."""
    default = settings(Recipe())
    found: dict[str, dict[str, Values]] = {"defaults": default}
    for family in DATA:
        found[family] = {}
        for name in recipe_names():
            values = settings(read_recipe(name, {}, family))
            found[family][name] = {k: v for k, v in values.items() if v != default[k]}
    return found


def pack() -> None:
    """Pack every safetensors file, see `unpack.py`; in all, they come to less than half."""
    for path in [*Path().rglob("*.safetensors")]:
        packed = gzip.compress(path.read_bytes(), 9, mtime=0)
        path.with_name(f"{path.name}.gz").write_bytes(packed)
        path.unlink()


def machine() -> Values:
    """What the numbers' last digits may depend on."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "scikit-learn", "safetensors")},
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch_config": torch.__config__.show().splitlines()[:8],
    }


def commit() -> str:
    """Of the code that is run."""
    where = Path(crosscale.__file__).parent
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def make(out: Path) -> None:
    """Make everything in a new folder, from within it, so that no other path is written down."""
    assert crosscale.__version__ == VERSION, f"this is crosscale {crosscale.__version__}"
    assert torch.get_num_threads() == 1, "say OMP_NUM_THREADS=1"
    made_by = commit()
    out.mkdir(parents=True)
    for name in ("make.py", "digest.py", "unpack.py", "README.md"):
        shutil.copyfile(HERE / name, out / name)
    os.chdir(out)
    manifest: Values = {"crosscale": VERSION, "commit": made_by, "made_with": machine()}
    manifest["store"] = recordings_and_stores()
    manifest["steps"] = {
        f"{family}--{method}": trained(family, method, {}, f"steps/{family}--{method}.safetensors")
        for family in DATA
        for method in METHODS
    }
    manifest["settings"] = {
        name: trained("corrected", method, further, None)
        for name, (method, further) in SETTINGS.items()
    }
    manifest["runs"] = {name: finished_run(name, *what) for name, what in RUNS.items()}
    manifest["interrupted"] = interrupted_run()
    for name, (family, method) in {**RUNS, "interrupted": INTERRUPTED}.items():
        reached = manifest["runs"].get(name) or manifest["interrupted"]["resumed"]
        assert reached["model"] == manifest["steps"][f"{family}--{method}"]["model"], name
    manifest["results"] = {name: used(name) for name in RUNS}
    command(["embed", "parts", str(STORE), "--out", "results/parts.npz"])
    manifest["parts"] = {
        "file": "results/parts.npz",
        "fingerprint": load("parts").fingerprint,
        "embeddings": array_digest(load("parts").embed(ClipStore.open(STORE))),
    }
    manifest["recipes"] = recipes()
    Path("shipped-recipes.json").write_text(json.dumps(shipped_recipes(), indent=1) + "\n")
    for lock in Path().rglob(".writing"):
        lock.unlink()
    pack()
    Path("manifest.json").write_text(json.dumps(plain(manifest), indent=1) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
