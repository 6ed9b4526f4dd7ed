import pytest

from crosscale.errors import CrosscaleError
from crosscale.training.recipe import read_recipe, recipe_names, recipe_values

METHODS = ["skeletonclr", "aimclr", "sgclr", "crossclr", "crosview", "crosscale", "crosscale3"]


def test_there_is_a_recipe_for_every_method_and_data_set():
    wanted = {f"{d}/{m}" for d in ("ntu60", "ntu120", "nwucla", "utdmhad") for m in METHODS}
    assert wanted <= set(recipe_names())


@pytest.mark.parametrize("family", ["corrected", "paper"])
@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_read(name, family):
    recipe = read_recipe(name, {}, family)
    assert recipe.encoder.hops == ("capped" if family == "paper" else "exact")
    cut = recipe.views.cut.most
    assert cut == (0 if name.split("/")[1] in ("skeletonclr", "aimclr", "crossclr") else 2)


def test_a_published_recipe_has_the_published_numbers():
    recipe = read_recipe("ntu60/crosscale", {}, "paper")
    assert recipe.contrast.streams == ["joint", "joint@part10"]
    assert recipe.contrast.queue == 32768
    assert recipe.optimisation.epochs * recipe.contrast.cross_from == 150
    assert recipe.optimisation.milestones == [250]
    assert recipe.preprocess.root == "body_frame"


def test_a_mistyped_recipe_is_answered_with_the_nearest():
    with pytest.raises(CrosscaleError, match="did you mean 'nwucla/crosscale'"):
        recipe_values("nwucla/crosscal")


def test_ones_own_recipe_builds_on_another(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("include: [nwucla/sgclr]\noptimisation: {epochs: 7}\n")
    recipe = read_recipe(str(path), {})
    assert recipe.optimisation.epochs == 7
    assert recipe.protocol == "xview"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimisation: {epoch: 7}", r"'optimisation\.epoch': did you mean 'optimisation\.epochs'"),
        ("colour: red", "sets 'colour'"),
        ("[1, 2", "not a YAML file"),
        ("- 1", "is a mapping"),
        ("include: [nothing]", "no recipe 'nothing'"),
    ],
)
def test_a_recipe_that_is_wrong_says_where(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(CrosscaleError, match=message):
        recipe_values(str(path))


def test_a_recipe_that_includes_itself_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"include: [{path}]")
    with pytest.raises(CrosscaleError, match="includes itself"):
        recipe_values(str(path))
