"""A recipe: every setting of a pre-training run, in one place.

Recipes inside the package are small YAML files that name others under `include`; what stands
further down wins. A user's own file works the same way.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import yaml

from crosscale.augment.compose import ViewSettings
from crosscale.config import built, flat, flat_keys, plain
from crosscale.encoders.stgcn import EncoderSettings
from crosscale.errors import CrosscaleError, nearest
from crosscale.objectives.moco import ContrastSettings
from crosscale.transforms.preprocess import Preprocess

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]


@dataclass(frozen=True)
class Optimisation:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training clips.
        batch: clips a step, over all processes; may be larger than the data.
        learning_rate: of stochastic gradient descent.
        schedule: `step` divides the rate by ten at each milestone, `cosine` lets it fall to zero.
        milestones: epochs at which `step` divides.
        warmup: epochs over which the rate rises from zero.
        momentum: of the gradient.
        weight_decay: pull of all weights towards zero.
        last_batch: `use` or `drop` the smaller batch at an epoch's end.
        batch_norm: over several processes, `synchronised` takes statistics over the whole batch;
            `shuffled` takes those of each process, and keys are computed in other processes than
            their queries (as in MoCo), which sends less.
        recompute: keep less for the backward pass and compute it once more: the same result in
            half the memory. On a processor `pretrain` returns freed memory too: a quarter in all,
            for two to three times the time.
        replay_views: every epoch sees the same random views, as in the published code.
    """

    epochs: int = 300
    batch: int = 128
    learning_rate: float = 0.1
    schedule: Literal["step", "cosine"] = "step"
    milestones: list[int] = field(default_factory=lambda: [250])
    warmup: int = 0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    last_batch: Literal["use", "drop"] = "use"
    batch_norm: Literal["synchronised", "shuffled"] = "synchronised"
    recompute: bool = False
    replay_views: bool = False


# AimCLR's extreme augmentations (Guo et al., AAAI 2022, section 3.2).
EXTREME = ViewSettings(mirror=0.5, tilt=30.0, reverse=0.5, jitter=0.05, blur=2.0, axis=0.5)


@dataclass(frozen=True)
class Recipe:
    """A pre-training run.

    Attributes:
        protocol: which part of the store trains.
        seed: of everything random.
        precision: of the encoders' arithmetic; the contrast is always computed in 32 bits.
            `bf16-mixed` is 1.5 times as fast on processors with bf16 instructions.
        knn_every: epochs between looks at nearest neighbours among the training clips (0: never).
        save_every: epochs between checkpoints.
        preprocess: from a clip to a tensor.
        views: the random views.
        extreme: the stronger view of AimCLR, drawn where `contrast.extreme` is above 0.
        encoder: the network of each stream.
        contrast: what is contrasted with what.
        optimisation: how long and how fast.
    """

    protocol: str = "xsub"
    seed: int = 0
    precision: Precision = "32-true"
    knn_every: int = 10
    save_every: int = 10
    preprocess: Preprocess = field(default_factory=Preprocess)
    views: ViewSettings = field(default_factory=ViewSettings)
    extreme: ViewSettings = field(default_factory=lambda: EXTREME)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    optimisation: Optimisation = field(default_factory=Optimisation)


def recipe_names() -> list[str]:
    """The recipes inside the package that can be trained, as `dataset/method`."""
    root = _folder()
    return sorted(
        f"{folder.name}/{file.name.removesuffix('.yaml')}"
        for folder in root.iterdir()
        if folder.is_dir() and folder.name not in ("method", "data", "family")
        for file in folder.iterdir()
    )


def read_recipe(name: str, changes: Mapping[str, Any], family: str = "corrected") -> Recipe:
    """A recipe by name, with some of its values changed (dotted names).

    Raises:
        CrosscaleError: as `recipe_values`, and when a value is of a wrong type.
    """
    return built(Recipe, changes, recipe_values(name, family))


def recipe_values(name: str, family: str = "corrected") -> dict[str, Any]:
    """The values that a recipe sets, as dotted names, its includes merged.

    Args:
        name: of a recipe inside the package (`nwucla/crosscale`), or the path of a YAML file.
        family: `corrected`, or `paper` for the published code's behaviour.

    Raises:
        CrosscaleError: when there is none, it is no YAML, it includes itself, or it sets
            something that does not exist (the nearest right name is given).
    """
    merged = _merge(_read(name, ()), _read(f"family/{family}", ()))
    values = dict(_flattened(merged))
    for key in values:
        if key not in flat_keys(Recipe):
            hint = nearest(key, flat_keys(Recipe), "crosscale pretrain --help-all")
            raise CrosscaleError(f"recipe {name} sets '{key}': {hint}")
    return values


def settings_of(written: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name, of a recipe as a run or a result holds it.

    A setting newer than the run has its default, which is what the run was made with.
    """
    return {**flat(plain(dataclasses.asdict(Recipe()))), **flat(written)}


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    keys = flat_keys(Recipe)
    for key, value in values.items():
        is_group = any(name.startswith(f"{prefix}{key}.") for name in keys)
        if isinstance(value, Mapping) and is_group:
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _folder() -> Traversable:
    return resources.files("crosscale") / "recipes"


def _read(name: str, above: tuple[str, ...]) -> dict[str, Any]:
    if name in above:
        raise CrosscaleError(f"recipe {name} includes itself through {' -> '.join(above)}")
    inside = _folder() / f"{name}.yaml"
    source: Traversable | Path = inside if inside.is_file() else Path(name)
    if not source.is_file():
        hint = nearest(name, recipe_names(), "crosscale list recipes")
        raise CrosscaleError(f"no recipe '{name}': {hint}")
    try:
        values = yaml.safe_load(source.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CrosscaleError(f"{name}: not a YAML file ({error})") from error
    if not isinstance(values, Mapping):
        raise CrosscaleError(f"{name}: a recipe is a mapping of settings")
    merged: dict[str, Any] = {}
    for included in values.get("include") or []:
        merged = _merge(merged, _read(str(included), (*above, name)))
    return _merge(merged, {k: v for k, v in values.items() if k != "include"})


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged
