import json
import shutil
import signal
from pathlib import Path
from unittest.mock import patch

import pytest

from crosscale.cli import main
from crosscale.errors import CrosscaleError
from crosscale.evaluation.comparison import cells
from crosscale.evaluation.comparison.plan import read_plan
from crosscale.evaluation.comparison.results import read_results
from crosscale.training.loop import pretrain
from crosscale.utils.files import sha256


class Told:
    """Runs a plan and remembers what it was told; `report` is called after each epoch."""

    def __init__(self, plan, out, report=lambda done: None):
        self.begun, self.left, self.said, self.epochs = [], [], [], 0
        self.report = report
        with patch.object(cells, "pretrain", self._pretrain):
            cells.run_cells(
                read_plan(plan),
                out,
                "cpu",
                begin=self._begin,
                finished=lambda results: None,
                say=self.said.append,
            )

    def _pretrain(self, *given, callbacks, **options):
        pretrain(*given, callbacks=[*callbacks, self._report], **options)

    def _begin(self, cell, number, left):
        self.begun.append(f"{number} {cell.method} {cell.seed}")
        self.left.append(left)

    def _report(self, done):
        self.epochs += 1
        self.report(done)


ALL = ["1 SkeletonCLR 0", "2 two scales 0", "3 SkeletonCLR 1", "4 two scales 1"]


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    """The folder of a comparison of which every cell is finished; tests work on copies."""
    folder = tmp_path_factory.mktemp("finished")
    plan = folder / "plan.yaml"
    plan.write_text(json.dumps(small))  # JSON is YAML
    told = Told(plan, folder / "out")
    assert told.begun == ALL
    assert told.left[0] is None
    assert all(seconds > 0 for seconds in told.left[1:])
    return folder / "out"


@pytest.fixture
def out(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "out"))


CELL = "synthetic--SkeletonCLR--0"


def without_recompute(out):
    values = json.loads((out / "results" / f"{CELL}.json").read_text())
    del values["checksum"]
    del values["recipe"]["training"]["recompute"]
    return values


def encoder(out, method, seed, data="synthetic"):
    return sha256(out / "runs" / data / method / str(seed) / "encoder.safetensors")


def test_a_result_tells_how_it_was_made(write_plan, out):
    results = list(read_results(out, read_plan(write_plan())).values())
    one, two = results[0], results[1]
    assert (one.data, one.method, one.seed) == ("synthetic", "SkeletonCLR", 0)
    assert one.recipe["training"]["epochs"] == 2
    assert one.parameters < two.parameters
    assert one.clips_per_second == pytest.approx(2 * 18 / one.seconds)
    assert list(two.evaluations["knn"].top1["official"]) == ["joint", "joint@part10", "sum"]
    assert two.evaluations["knn"].headline == "sum"


def test_what_is_finished_is_left_alone(write_plan, out):
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    told = Told(write_plan(), out)
    assert (told.begun, told.said) == ([], [])
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before


def test_an_interrupted_comparison_goes_on_where_it_stopped(write_plan, finished, tmp_path):
    out, epochs = tmp_path / "again", []

    def stop_in_the_second_cell(done):
        epochs.append(done.epoch)
        if len(epochs) == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Told(write_plan(), out, stop_in_the_second_cell)
    assert len(list((out / "results").iterdir())) == 1
    told = Told(write_plan(), out)
    assert told.begun == ALL[1:]
    assert told.epochs == 1 + 2 + 2  # one was trained already
    for method in ("SkeletonCLR", "two scales"):
        assert encoder(out, method, 0) == encoder(finished, method, 0)


def test_a_changed_method_is_trained_anew_and_the_others_are_not(write_plan, out):
    kept, replaced = encoder(out, "SkeletonCLR", 0), encoder(out, "two scales", 0)
    warmer = {"recipe": "crosscale", "set": {"objective.temperature": 0.5}}
    changed = write_plan(methods={"SkeletonCLR": "skeletonclr", "two scales": warmer})
    told = Told(changed, out)
    assert told.begun == ["2 two scales 0", "4 two scales 1"]
    assert "objective.temperature was 0.1, now 0.5; it is trained anew" in told.said[0]
    assert "0.old1" in " ".join(told.said)
    assert encoder(out, "SkeletonCLR", 0) == kept
    assert encoder(out, "two scales", "0.old1") == replaced
    assert encoder(out, "two scales", 0) != replaced
    assert Told(changed, out).begun == []


@pytest.mark.slow
def test_results_older_than_a_setting_hold_while_it_has_its_default(write_plan, small, out):
    (out / "results" / f"{CELL}.json").write_text(json.dumps(without_recompute(out)))
    assert Told(write_plan(), out).begun == []
    told = Told(write_plan(set={**small["set"], "training.recompute": True}), out)
    assert told.begun == ALL
    assert "training.recompute was False, now True" in told.said[0]


@pytest.mark.slow
def test_a_changed_store_trains_everything_anew(write_plan, out, store, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(store, other)
    described = other / "store.json"
    values = json.loads(described.read_text())
    del values["checksum"]
    values["provenance"]["written"] = "at another time"
    described.write_text(json.dumps(values))
    plan = write_plan(data={"synthetic": {"store": str(other)}})
    assert Told(plan, out).begun == []
    values["classes"][0] = "another action"
    described.write_text(json.dumps(values))
    told = Told(plan, out)
    assert told.begun == ALL
    assert f"{other} has changed" in told.said[0]


def test_further_evaluations_train_nothing(write_plan, out):
    kinds, shares = ["knn", "retrieval", "semi"], {"shares": [0.2, 0.5], "draws": 2}
    plan = write_plan(evaluations=kinds, semi=shares)
    told = Told(plan, out)
    assert told.begun == ALL
    assert told.epochs == 0
    assert "judged anew by retrieval, semi 20 %, semi 50 %" in told.said[0]
    for result in read_results(out, read_plan(plan)).values():
        assert list(result.evaluations) == ["knn", "retrieval", "semi 20 %", "semi 50 %"]
        assert result.seconds > 0


def test_fine_tuning_is_an_evaluation_of_a_comparison_and_leaves_its_runs_alone(write_plan, out):
    before = encoder(out, "two scales", 0)
    plan = write_plan(
        evaluations=["knn", "finetune"], finetune={"epochs": 1, "warmup": 0}, seeds=[0]
    )
    told = Told(plan, out)
    assert told.epochs == 0
    assert encoder(out, "two scales", 0) == before
    results = read_results(out, read_plan(plan))
    for result in results.values():
        found = result.evaluations["finetune"]
        assert found.config["epochs"] == 1
        assert 0 <= found.top1["official"][found.headline] <= 1
    assert Told(plan, out).begun == []


@pytest.mark.usefixtures("plain_figures")
def test_a_run_of_a_comparison_can_be_judged_like_any_other(out, capsys):
    run = out / "runs" / "synthetic" / "two scales" / "0"
    assert main(["evaluate", "retrieval", str(run)]) == 0
    assert main(["evaluate", "semi", str(run), "--shares", "[0.2, 0.5]", "--draws", "2"]) == 0
    assert "20 % of the labels are 3 training clips" in " ".join(capsys.readouterr().out.split())
    (found,) = json.loads((run / "retrieval" / "results.json").read_text())["evaluations"]
    assert 0 < found["precision"]["official"]["sum"] <= 1
    found = json.loads((run / "semi" / "results.json").read_text())["evaluations"]
    assert [evaluation["config"]["share"] for evaluation in found] == [0.2, 0.5]
    assert len(found[0]["draws"]["official"]["sum"]) == 2


def test_a_further_seed_trains_only_that(write_plan, out):
    assert Told(write_plan(seeds=[0, 1, 2]), out).begun == ["5 SkeletonCLR 2", "6 two scales 2"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": "crosscale comparison result 1"}'])
def test_a_damaged_result_is_refused_by_name_before_anything_trains(write_plan, out, damage):
    path = out / "results" / "synthetic--two scales--1.json"
    path.write_text(damage)
    with pytest.raises(CrosscaleError, match=r"synthetic--two scales--1.json is damaged"):
        Told(write_plan(seeds=[0, 1, 2]), out)


def test_a_result_with_an_impossible_figure_is_damaged(write_plan, out):
    path = out / "results" / "synthetic--two scales--1.json"
    values = json.loads(path.read_text())
    values["evaluations"]["knn"]["top1"]["official"]["sum"] = 50
    path.write_text(json.dumps(values))
    with pytest.raises(CrosscaleError, match="its checksum differs"):
        read_results(out, read_plan(write_plan()))
    del values["checksum"]
    path.write_text(json.dumps(values))
    with pytest.raises(CrosscaleError, match="is damaged"):
        read_results(out, read_plan(write_plan()))


def test_an_absent_store_or_protocol_is_refused_before_anything_trains(write_plan, store, tmp_path):
    for data, message in (
        ({"store": "nowhere"}, "nowhere does not exist"),
        ({"store": str(store), "protocol": "xveiw"}, "no protocol 'xveiw'"),
    ):
        with pytest.raises(CrosscaleError, match=message):
            Told(write_plan(data={"synthetic": data}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("subjects", [True, False])
def test_what_has_no_published_split_is_judged_by_folds(
    write_plan, clip, stored, tmp_path, subjects
):
    clips = [
        clip(f"{i}", label="ab"[i % 2], subject=i // 4 if subjects else None) for i in range(24)
    ]
    own = {"mine": {"store": str(stored(*clips, name="own").path), "recipes": "own"}}
    small = {"data": own, "methods": {"A": "skeletonclr"}, "against": None}
    settled = write_plan(**small, evaluations=["knn", "finetune"])
    with pytest.raises(CrosscaleError, match="folds makes 5 splits, and one is needed"):
        Told(settled, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    plan = write_plan(**small, seeds=[0], evaluations=["knn", "retrieval"])
    assert main(["compare", str(plan), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    (result,) = read_results(tmp_path / "out", read_plan(plan)).values()
    top1 = {label: found.top1["test"]["joint"] for label, found in result.evaluations.items()}
    for right in top1.values():  # of all clips
        assert 24 * right == pytest.approx(round(24 * right))
    table = (tmp_path / "out" / "table.md").read_text()
    assert f"| A | {100 * top1['knn']:.1f} (1) |" in table
    assert "pre-training saw the clips that test, too" in table


def test_a_plan_names_folds_whose_totals_stand_in_the_table(write_plan, clip, stored, tmp_path):
    clips = [clip(f"{i}", label="ab"[i % 2], subject=i // 4) for i in range(24)]
    own = {"store": str(stored(*clips, name="own").path), "recipes": "own"}
    named = {name: {**own, "protocol": name} for name in ("leave_one_subject_out", "folds:3")}
    data = {name.replace(":", " "): given for name, given in named.items()}
    small = {"methods": {"A": "skeletonclr"}, "seeds": [0], "against": None}
    plan, out = write_plan(data=data, **small), tmp_path / "out"
    told = Told(plan, out)
    assert told.begun == ["1 A 0", "2 A 0"]
    for result in read_results(out, read_plan(plan)).values():
        right = 24 * result.evaluations["knn"].top1["test"]["joint"]
        assert right == pytest.approx(round(right))  # of all clips
        assert result.clips_per_second == pytest.approx(2 * 24 / result.seconds)
    assert encoder(out, "A", 0, "folds 3") == encoder(out, "A", 0, "leave_one_subject_out")
    assert Told(plan, out).begun == []
    data["folds 3"]["protocol"] = "folds:2"
    again = Told(write_plan(data=data, **small), out)
    assert again.begun == ["2 A 0"]
    assert "protocol was folds:3, now folds:2" in again.said[0]
    data["folds 3"]["protocol"] = "folds:7"
    with pytest.raises(CrosscaleError, match="folds:7 needs 2 folds or more"):
        Told(write_plan(data=data, **small), out)


def test_time_left_follows_the_finished_cells_most_like_those_that_wait(write_plan, out):
    read = read_plan(write_plan())
    results = read_results(out, read)
    done = {cell: results[cell] for cell in read.cells[:2]}
    seconds = [r.seconds + r.evaluation_seconds for r in done.values()]
    assert cells.time_left(read.cells[3:], done) == pytest.approx(seconds[1])
    assert cells.time_left(read.cells[2:], done) == pytest.approx(sum(seconds))
    assert cells.time_left(read.cells, {}) is None


def test_the_command_writes_the_tables_and_rebuilds_them_from_the_files(write_plan, out, capsys):
    command = ["compare", str(write_plan()), "--out", str(out)]
    assert main(command) == 0
    table = (out / "table.md").read_text()
    assert "| SkeletonCLR | " in table
    assert " (2) |" in table
    assert table.strip() in capsys.readouterr().out
    (out / "results" / "synthetic--two scales--1.json").unlink()
    shutil.rmtree(out / "runs")
    assert main([*command, "--tables-only"]) == 0
    assert "3 of 4 cells are finished." in (out / "table.md").read_text()
    assert "one seed: no test" in (out / "table.md").read_text()
    assert not (out / "runs").exists()


def test_a_rebuilt_table_leaves_out_results_of_other_settings(write_plan, out):
    changed = write_plan(methods={"SkeletonCLR": "skeletonclr", "two scales": "sgclr"})
    assert main(["compare", str(changed), "--out", str(out), "--tables-only"]) == 0
    text = (out / "table.md").read_text()
    assert "other settings than the plan's: synthetic, two scales, seed 0;" in text
    assert "| two scales | – |" in text


def test_a_table_of_nothing_is_refused(write_plan, tmp_path, capsys):
    assert (
        main(["compare", str(write_plan()), "--out", str(tmp_path / "new"), "--tables-only"]) == 2
    )
    assert "holds no result" in capsys.readouterr().err
