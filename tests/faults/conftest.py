import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from killable import PRETRAIN, Commands

from tiny_run import TINY


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    started = Commands()
    yield started
    started.end()


@pytest.fixture(scope="session")
def inputs(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, stores, a run and a plan, made in a folder `work` beside this one.

    Paths are kept inside some files, so whoever uses them copies them back to that folder.
    """
    work = tmp_path_factory.mktemp("faults") / "work"
    work.mkdir()

    def do(*arguments: str | Path) -> None:
        commands.well(*arguments, folder=work)

    few = ["--subjects=4", "--cameras=2", "--repetitions=1", "--frames=[12,16]"]
    do("synth", "raw", "--classes=3", *few)
    do("synth", "fewer", "--classes=2", *few)
    do("prepare", "ntu60", "raw", "--out", "store")
    do("prepare", "ntu60", "fewer", "--out", "old_store")
    do(*PRETRAIN, "--out", "run")
    do("index", "run", "old_store", "--out", "old_index")
    plan = {
        "data": {"synthetic": {"store": str(work / "store")}},
        "methods": {"plain": "skeletonclr"},
        "seeds": [0, 1],
        "set": dict(setting.removeprefix("--").split("=") for setting in [*TINY, "save_every=1"]),
        "evaluations": ["knn"],
    }
    (work / "plan.yaml").write_text(yaml.safe_dump(plan))
    return Path(shutil.copytree(work, work.with_name("inputs")))


@pytest.fixture(scope="session")
def files(commands: Commands, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each of the kinds in `readable.FILES`."""
    work = inputs.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(inputs, work)
    for words in (
        ("evaluate", "knn", "run"),
        ("evaluate", "finetune", "run", "--epochs=1"),
        ("compare", "plan.yaml", "--out", "compared"),
        (
            *("classify", "run", "store", "--unlabelled", "old_store"),
            *("--out", "named.csv", "--save", "named.head"),
        ),
    ):
        commands.well(*words, folder=work)
    return Path(shutil.copytree(work, tmp_path_factory.mktemp("readable") / "work"))
