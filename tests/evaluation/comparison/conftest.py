import pytest
import yaml

from crosscale.cli import main


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    made = ["synth", str(folder / "raw"), "--classes=3", "--subjects=4", "--cameras=2"]
    assert main([*made, "--repetitions=1", "--frames=[12,16]"]) == 0
    assert main(["prepare", "ntu60", str(folder / "raw"), "--out", str(folder / "store")]) == 0
    return folder / "store"


@pytest.fixture(scope="session")
def small(store):
    """The keys of a plan that takes a second a cell."""
    return {
        "data": {"synthetic": {"store": str(store)}},
        "methods": {"SkeletonCLR": "skeletonclr", "two scales": {"recipe": "crosscale"}},
        "seeds": [0, 1],
        "set": {
            "training.epochs": 2,
            "training.batch_size": 16,
            "encoder.hidden": 2,
            "encoder.width": 8,
            "objective.queue": 32,
            "objective.temperature": 0.1,
            "preprocess.frames": 12,
            "save_every": 1,
        },
        "evaluations": ["knn"],
        "against": "SkeletonCLR",
    }


@pytest.fixture
def write_plan(small, tmp_path):
    """Write the small plan with some of its keys changed (None takes one out)."""

    def write(**changes):
        values = {key: value for key, value in {**small, **changes}.items() if value is not None}
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write
