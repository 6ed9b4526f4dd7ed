import pytest

from crosscale.errors import CrosscaleError
from crosscale.evaluation.comparison.plan import read_plan
from crosscale.evaluation.extract import Extraction


def test_a_plan_becomes_cells_with_whole_recipes_one_seed_after_the_other(write_plan):
    uncut = {"recipe": "crosscale", "set": {"augment.cut.most": 0}}
    plan = read_plan(write_plan(methods={"SkeletonCLR": "skeletonclr", "two scales": uncut}))
    assert [cell.title for cell in plan.cells] == [
        "synthetic, SkeletonCLR, seed 0",
        "synthetic, two scales, seed 0",
        "synthetic, SkeletonCLR, seed 1",
        "synthetic, two scales, seed 1",
    ]
    one, other = plan.cells[0].recipe, plan.cells[3].recipe
    assert (one.streams, other.streams) == (["joint"], ["joint", "joint@part10"])
    assert (one.seed, other.seed) == (0, 1)
    assert (one.training.epochs, other.training.epochs) == (2, 2)
    assert other.augment.cut.most == 0


def test_a_methods_own_setting_wins_over_that_of_all(write_plan):
    longer = {"recipe": "skeletonclr", "set": {"training.epochs": 9}}
    plan = read_plan(write_plan(methods={"short": "skeletonclr", "long": longer}, against="short"))
    assert [cell.recipe.training.epochs for cell in plan.cells[:2]] == [2, 9]


def test_a_data_sets_setting_wins_over_that_of_all_and_a_methods_over_both(write_plan):
    data = {"synthetic": {"store": "stores/synth", "set": {"training.epochs": 7}}}
    longer = {"recipe": "skeletonclr", "set": {"training.epochs": 9}}
    methods = {"usual": "skeletonclr", "long": longer}
    plan = read_plan(write_plan(data=data, methods=methods, against="usual"))
    assert [cell.recipe.training.epochs for cell in plan.cells[:2]] == [7, 9]
    data["synthetic"]["set"] = {"training.epoch": 3}
    with pytest.raises(CrosscaleError, match=r"did you mean 'training\.epochs'"):
        read_plan(write_plan(data=data))


def test_two_protocols_of_one_data_set_use_the_same_recipes(write_plan):
    data = {
        name: {"store": "stores/ntu60", "protocol": name, "recipes": "ntu60"}
        for name in ("xsub", "xview")
    }
    plan = read_plan(write_plan(data=data))
    assert [cell.recipe.protocol for cell in plan.cells[:4:2]] == ["xsub", "xview"]
    assert {cell.recipe.preprocess.bodies for cell in plan.cells} == {2}


def test_a_method_may_be_a_whole_recipe_or_a_file(write_plan, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("include: [nwucla/sgclr]\ncontrast: {temperature: 0.5}\n")
    methods = {"a": "nwucla/sgclr", "b": str(own), "c": "own.yaml"}
    plan = read_plan(write_plan(methods=methods, set=None, against=None))
    assert plan.cells[0].recipe.protocol == "xview"
    assert plan.cells[1].recipe.objective.temperature == 0.5
    assert plan.cells[2].recipe == plan.cells[1].recipe


def test_stores_are_looked_for_from_the_plans_folder_on(write_plan, tmp_path):
    plan = read_plan(write_plan(data={"synthetic": {"store": "stores/synth"}}))
    assert {cell.store for cell in plan.cells} == {tmp_path / "stores" / "synth"}
    plan = read_plan(write_plan(data={"synthetic": {"store": "/elsewhere/synth"}}))
    assert {str(cell.store) for cell in plan.cells} == {"/elsewhere/synth"}


def test_evaluations_come_in_their_order_and_semi_once_a_share(write_plan):
    plan = read_plan(
        write_plan(
            evaluations=["linear", "ridge", "semi", "knn", "retrieval", "finetune"],
            linear={"learning_rate": 10},
            ridge={"penalty": 2.0, "root": False},
            finetune={"epochs": 3, "share": 0.5},
            semi={"shares": [0.01, 0.5], "draws": 3},
        )
    )
    names = ["linear", "ridge", "semi 1 %", "semi 50 %", "knn", "retrieval", "finetune"]
    assert list(plan.judges) == names
    config = {label: judge.config for label, judge in plan.judges.items()}
    assert config["linear"]["learning_rate"] == 10
    assert config["ridge"] == {"penalty": 2.0, "root": False}
    assert config["semi 50 %"]["draws"] == 3
    assert config["knn"] == {"neighbours": 1}
    assert config["retrieval"] == {}
    assert (config["finetune"]["epochs"], config["finetune"]["share"]) == (3, 0.5)


def test_any_classifier_judges_with_settings_under_its_import_path(write_plan):
    path = "sklearn.svm:LinearSVC"
    plan = read_plan(write_plan(evaluations=[path, "knn"], **{path: {"C": 0.1}}))
    assert list(plan.judges) == [path, "knn"]
    assert plan.judges[path].config["C"] == 0.1


def test_frozen_encoders_are_judged_by_each_readout(write_plan):
    readouts = ["mean", "nodes", {"pooling": "nodes", "layers": 2}, "all"]  # the last is 0.1's
    plan = read_plan(write_plan(evaluations=["knn", "finetune"], readouts=readouts))
    assert {label: judge.how for label, judge in plan.judges.items()} == {
        "knn": Extraction("mean", 1),
        "knn, nodes": Extraction("nodes", 1),
        "knn, nodes-2": Extraction("nodes", 2),
        "knn, nodes-all": Extraction("nodes", "all"),
        "finetune": Extraction(),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": [0]}, "unknown 'seed': did you mean 'seeds'"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"readouts": ["node"]}, "did you mean 'nodes'"),
        ({"readouts": "nodes"}, "readouts is a list"),
        ({"readouts": [{"pool": "mean"}]}, "did you mean 'pooling'"),
        ({"seeds": None}, "'seeds' is missing"),
        ({"methods": {"a": "skeletonclt"}, "against": None}, "'synthetic/skeletonclr'"),
        ({"methods": {"a/b": "skeletonclr"}}, "'a/b' becomes a folder's name"),
        ({"methods": {"a--b": "skeletonclr"}}, "'a--b' becomes a folder's name"),
        ({"methods": {"a": {"recipe": "sgclr", "sett": {}}}}, "method a: unknown 'sett'"),
        ({"against": "skeletonclr"}, "did you mean 'SkeletonCLR'"),
        ({"set": {"training.epoch": 3}}, "did you mean 'training.epochs'"),
        ({"set": {"training.epochs": "many"}}, r'"training.epochs".*many'),
        ({"set": {"seed": 3}}, "under seeds"),
        ({"data": {"synthetic": {"stor": "x"}}}, "did you mean 'store'"),
        ({"data": {"synthetic": "x"}}, "data synthetic: expected names with values"),
        ({"evaluations": ["linaer"]}, "did you mean 'linear'"),
        ({"evaluations": "knn"}, "evaluations is a list"),
        ({"linear": {"epochs": 3}}, "linear is set, but evaluations does not list it"),
        ({"knn": {"neighbour": 3}}, "knn has no setting 'neighbour': did you mean 'neighbours'"),
        ({"evaluations": ["semi"], "semi": {"share": 0.1}}, "did you mean 'shares'"),
        ({"evaluations": ["semi"], "semi": {"shares": [2]}}, "above 0 and at most 1"),
        ({"evaluations": ["finetune"], "finetune": {"rate": 2}}, "finetune has no setting 'rate'"),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_the_nearest_right_name(
    write_plan, changes, message
):
    with pytest.raises(CrosscaleError, match=message):
        read_plan(write_plan(**changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1\n", "not a YAML file"), ("just words", "expected names"), (None, "cannot be read")],
)
def test_what_is_no_plan_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "plan.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CrosscaleError, match=rf"plan.yaml.*{message}"):
        read_plan(path)
