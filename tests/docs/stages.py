"""What pages of the documentation need to run here: recordings, small sizes, hosts for clusters."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from kinect_folders import write_nwucla, write_utdmhad
from tiny_run import TINY

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
SMALL = " ".join([*TINY, "--training.epochs=1", "--training.batch_size=8"])


@dataclass(frozen=True)
class Stage:
    """What a page needs.

    Attributes:
        write: puts recordings and the like into the page's folder.
        instead: what a page says to what is run in its place, where that would take hours, a
            cluster, a camera or the internet; `{folder}` is the page's folder.
        programs: that stand in for those which are not here, by name.
        settings: of the environment.
        apart: whether each command must be a program of its own from the start.
    """

    write: Callable[[Path], None] = lambda folder: None
    instead: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    apart: bool = False


def _formats(folder: Path) -> None:
    """Films; who is in them is found by networks that are pretended."""
    for action, step in (("walk", 2), ("wave", 0)):
        (folder / "films" / action).mkdir(parents=True)
        for film in range(2):
            _film(folder / "films" / action / f"{film}.avi", step, 80 + 10 * film)
    named = [f"{action}/{film},{action}" for action in ("walk", "wave") for film in range(2)]
    (folder / "films.csv").write_text("\n".join(["name,label", *named, ""]))
    pretend = f"""
import sys
sys.path.append({str(TESTS)!r})
import crosscale.pose.blazepose
from pretend_networks import PretendNetworks
crosscale.pose.blazepose.BlazePose = PretendNetworks
"""
    (folder / "pretend").mkdir()
    (folder / "pretend" / "sitecustomize.py").write_text(pretend)


def _recipes(folder: Path) -> None:
    write_nwucla(folder / "nw-ucla")


def _readme(folder: Path) -> None:
    (folder / "Makefile").write_text("demo test:\n\t@echo $@\n")


def _film(path: Path, step: int, side: int) -> None:
    import cv2

    from pretend_networks import painted

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (320, 240))
    for frame in range(30):
        writer.write(painted({"red": (60 + step * frame, 130, side)})[..., ::-1].copy())
    writer.release()


def _index(folder: Path) -> None:
    """An environment that a clone finds made already, whose `crosscale demo` is short."""
    if not (ROOT / ".git").exists():
        pytest.skip("there is no repository here to clone")
    program = Path(sys.executable).parent / "crosscale"
    environment = "\n".join(
        [
            "#!/bin/sh -e",
            f"{sys.executable} -m venv --without-pip .venv",
            f"echo '#!/bin/sh\nexec {program} \"$@\" --epochs 1 --actors 4' > .venv/bin/crosscale",
            "chmod +x .venv/bin/crosscale",
            "touch .venv/.ready",
        ]
    )
    hook = folder / "template" / "hooks" / "post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(environment + "\n")
    hook.chmod(0o755)


def _results(folder: Path) -> None:
    write_nwucla(folder / "path" / "to" / "nw-ucla")
    write_utdmhad(folder / "path" / "to" / "utd-mhad")
    for name in ("methods", "ablations"):
        plan = yaml.safe_load((ROOT / "docs" / "results" / name / "plan.yaml").read_text())
        plan["methods"] = dict(list(plan["methods"].items())[:2])
        plan |= {"seeds": [0], "against": next(iter(plan["methods"]))}
        plan["set"] |= {"encoder.hidden": 2, "encoder.width": 8, "objective.queue": 32}
        plan["set"] |= {"preprocess.frames": 12, "precision": "32-true"}
        for data in plan["data"].values():
            data["set"] = {"training.epochs": 1}
        place = folder / "docs" / "results" / name
        place.mkdir(parents=True)
        (place / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))


def _scale(folder: Path) -> None:
    from crosscale.cli import main

    made = ["synth", str(folder / "raw"), "--classes=3", "--subjects=4", "--cameras=2"]
    assert main([*made, "--repetitions=1", "--frames=[12,16]"]) == 0
    store = str(folder / "stores" / "ntu60")
    assert main(["prepare", "ntu60", str(folder / "raw"), "--out", store]) == 0


# What Slurm sets for each of two tasks on one machine.
_SRUN = """#!/bin/bash
export SLURM_JOB_ID=12345 SLURM_JOB_NAME=train SLURM_NTASKS=2 SLURM_NTASKS_PER_NODE=2
export SLURM_NNODES=1 SLURM_NODEID=0 SLURM_NODELIST=localhost SLURM_STEP_NODELIST=localhost
SLURM_PROCID=1 SLURM_LOCALID=1 "$@" &
other=$!
SLURM_PROCID=0 SLURM_LOCALID=0 "$@"
wait $other
"""


def _contributing(folder: Path) -> None:
    (folder / "Makefile").write_text("install test-fast lint:\n\t@echo $@\n")


def _extend(folder: Path) -> None:
    (folder / "examples").symlink_to(ROOT / "examples")


STAGES = {
    "CONTRIBUTING": Stage(_contributing),
    "extend": Stage(_extend),
    # What make does here is run by .ci/run, and from a clone by the page "index".
    "README": Stage(_readme),
    "recipes": Stage(
        _recipes,
        {
            "prepare nwucla PATH": "prepare nwucla nw-ucla",
            "--out runs/nwucla": f"--out runs/nwucla {SMALL} --preprocess.bodies 1",
        },
    ),
    "index": Stage(
        _index,
        {
            "git clone REPOSITORY": f"git clone -q --template {{folder}}/template {ROOT}",
        },
    ),
    "own-data": Stage(
        instead={
            "own/adapt --data stores/mine": (
                "own/adapt --data stores/mine --training.epochs 1 --source.epoch_clips 256 "
                "--output.batches 2"
            )
        }
    ),
    "animals": Stage(instead={"--out runs/mice\n": f"--out runs/mice {SMALL}\n"}),
    "formats": Stage(
        _formats,
        {
            "crosscale prepare video takes --out stores/takes --label-from-folder": (
                "crosscale prepare video films --out stores/films\n"
                "crosscale classify parts stores/films --labels films.csv --out films-named.csv "
                "--unlabelled stores/films --save mine.head"
            ),
            "crosscale camera | crosscale live runs/takes": (
                "crosscale camera --source films/walk/0.avi | crosscale live parts"
            ),
        },
        programs={"pip": "#!/bin/sh\n"},
        settings={"PYTHONPATH": "{folder}/pretend"},
        apart=True,
    ),
    "results": Stage(
        _results,
        {
            "--streams '[joint,motion]' --precision bf16-mixed": (
                "--streams '[joint,motion]' --training.epochs 1"
            ),
            "--streams '[bone,bone_motion]' --precision bf16-mixed": (
                "--streams '[bone,bone_motion]' --training.epochs 1"
            ),
            "--seed 0 --out": f"--seed 0 {SMALL} --preprocess.bodies 1 --out",
        },
    ),
    "scale": Stage(
        _scale,
        {
            "--nnodes 2 --node-rank 0 --nproc-per-node 4 --master-addr first.example "
            "--master-port 29500": "--standalone --nproc-per-node 2",
            "--processes 4 --nodes 2": "--processes 2 --nodes 1",
            "--processes 4": "--processes 2",
            "--device cuda": f"--device cpu {SMALL}",
            "crosscale pretrain ntu60/crosscale --data stores/ntu60 --out runs/ntu60 --processes": (
                f"crosscale pretrain ntu60/crosscale --data stores/ntu60 --out runs/one {SMALL} "
                "--processes"
            ),
            "--out runs/ntu60 --device": "--out runs/two --device",
        },
        programs={"srun": _SRUN},
        apart=True,
    ),
    "serve": Stage(apart=True),
}
