import dataclasses
import json
from pathlib import Path

import pytest

from crosscale.config import current, plain
from crosscale.errors import CrosscaleError
from crosscale.training.recipe import (
    read_recipe,
    recipe_names,
    recipe_values,
    settings_by_name,
)

METHODS = ["skeletonclr", "aimclr", "sgclr", "crossclr", "crosview", "crosscale", "crosscale3"]


def test_there_is_a_recipe_for_every_method_and_data_set():
    wanted = {f"{d}/{m}" for d in ("ntu60", "ntu120", "nwucla", "utdmhad") for m in METHODS}
    assert wanted <= set(recipe_names())


@pytest.mark.parametrize("family", ["corrected", "paper"])
@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_read(name, family):
    recipe = read_recipe(name, {}, family)
    if recipe.encoder.name == "stgcn":
        assert recipe.encoder.hops == ("capped" if family == "paper" else "exact")
    cuts = name.split("/")[1] in ("sgclr", "crosview", "crosscale", "crosscale3")
    assert recipe.augment.cut.most == (2 if cuts else 0)


def test_a_published_recipe_has_the_published_numbers():
    recipe = read_recipe("ntu60/crosscale", {}, "paper")
    assert recipe.streams == ["joint", "joint@part10"]
    assert recipe.objective.queue == 32768
    assert recipe.training.epochs * recipe.objective.mining_start == 150
    assert recipe.schedule.milestones == [250]
    assert recipe.preprocess.root == "body_frame"


def test_a_mistyped_recipe_is_answered_with_the_nearest():
    with pytest.raises(CrosscaleError, match="did you mean 'nwucla/crosscale'"):
        recipe_values("nwucla/crosscal")


def test_ones_own_recipe_builds_on_another(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("include: [nwucla/sgclr]\ntraining: {epochs: 7}\n")
    recipe = read_recipe(str(path), {})
    assert recipe.training.epochs == 7
    assert recipe.protocol == "xview"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {epoch: 7}", r"'training\.epoch': did you mean 'training\.epochs'"),
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


def test_what_suits_one_objective_is_left_out_for_another(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("include: [nwucla/sgclr]\nobjective: {name: moco}\noptimiser: {name: adamw}\n")
    recipe = read_recipe(str(path), {"optimiser.lr": 0.01})
    assert (recipe.optimiser.name, recipe.optimiser.lr) == ("adamw", 0.01)
    assert not hasattr(recipe.optimiser, "momentum")
    assert recipe.objective.queue == 512
    with pytest.raises(CrosscaleError, match=r"does not accept option .momentum"):
        read_recipe(str(path), {"optimiser.momentum": 0.5})


def test_a_setting_chosen_by_a_word_of_yaml_can_be_written(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("include: [own/sgclr]\nencoder: {hops: true}\n")
    assert read_recipe(str(path), {}, "paper").encoder.hops == "exact"


def test_ones_own_recipe_wins_over_the_family(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("include: [own/sgclr]\nencoder: {init: fan_out}\n")
    recipe = read_recipe(str(path), {}, "paper")
    assert (recipe.encoder.init, recipe.encoder.hops) == ("fan_out", "capped")


V01 = Path(__file__).parents[1] / "v01"


@pytest.mark.parametrize("name", ["cut", "extreme", "whole", "nested"])
def test_recipes_of_0_1_say_what_they_said(monkeypatch, name):
    monkeypatch.chdir(V01)
    told = json.loads((V01 / "recipes" / f"{name}.json").read_text())
    old = told["corrected"]["settings"]
    recipe = read_recipe(f"recipes/{name}.yaml", {})
    found = settings_by_name(dataclasses.asdict(recipe))
    expected, names = current(old)
    assert names  # some were called otherwise
    if recipe.schedule.name == "cosine":
        del expected["schedule.milestones"]  # idle
    assert {key: plain(found[key]) for key in expected} == expected


@pytest.mark.parametrize("name", ["own", "own/"])
def test_data_without_a_method_is_told_that_one_is_lacking(name):
    with pytest.raises(CrosscaleError, match="own/METHOD"):
        read_recipe(name, {})
