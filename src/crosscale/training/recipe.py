"""A recipe: every setting of a pre-training run, in one place.

A recipe inside the package is composed of data and method: `nwucla/crosscale` is
`recipes/data/nwucla.yaml` below `recipes/method/crosscale.yaml`. Recipes are small YAML files
that may name others under `include`; what stands further down wins. A user's own file works the
same way.

Encoder, objective, source, optimiser and schedule are chosen by `name`, and what else stands in
their groups are the settings of that choice. A group with `for: NAME` is left out where another is
chosen, so that data can say what suits momentum contrast without getting into others' way.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from crosscale.augment.compose import AugmentSettings
from crosscale.config import built, current, flat, flat_keys, plain
from crosscale.encoders import ENCODERS
from crosscale.errors import CrosscaleError, nearest
from crosscale.objectives import OBJECTIVES
from crosscale.training.optim import OPTIMISERS, SCHEDULES
from crosscale.training.output import OutputSettings
from crosscale.training.sources import SOURCES
from crosscale.transforms.preprocess import Preprocess
from crosscale.utils.formats import read_yaml
from crosscale.utils.registry import Registry

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
Family = Literal["corrected", "paper"]
# What is chosen by name, and what is taken where no name is given.
CHOICES: Mapping[str, tuple[Registry, str]] = MappingProxyType(
    {
        "source": (SOURCES, "store"),
        "encoder": (ENCODERS, "stgcn"),
        "objective": (OBJECTIVES, "moco"),
        "optimiser": (OPTIMISERS, "sgd"),
        "schedule": (SCHEDULES, "step"),
    }
)


@dataclass(frozen=True)
class TrainingSettings:
    """How long to train, and on what at once.

    Attributes:
        epochs: passes over the training clips; 0 fits an output layer only.
        batch_size: clips a step, over all processes.
        warmup: epochs over which the learning rate rises from zero.
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
    batch_size: int = 128
    warmup: int = 0
    last_batch: Literal["use", "drop"] = "use"
    batch_norm: Literal["synchronised", "shuffled"] = "synchronised"
    recompute: bool = False
    replay_views: bool = False


@dataclass(frozen=True)
class Recipe:
    """A pre-training run.

    Attributes:
        protocol: which part of the store trains.
        seed: of everything random.
        precision: of the encoders' arithmetic; contrast is always computed in 32 bits.
            `bf16-mixed` is 1.5 times as fast on processors with bf16 instructions.
        knn_every: epochs between looks at nearest neighbours among the training clips (0: never).
        save_every: epochs between checkpoints.
        start: trained encoders to begin from: a run, or `body`.
        streams: one encoder each: joint, bone, motion, bone_motion, at a scale (`joint@part10`).
        preprocess: from a clip to a tensor.
        source: where clips come from.
        augment: the random views.
        encoder: the network of each stream.
        objective: what is learned.
        optimiser: how weights follow gradients.
        schedule: the learning rate over the run.
        training: how long to train, and on what at once.
        output: the linear layer that is fitted when training ends.
    """

    protocol: str = "xsub"
    seed: int = 0
    precision: Precision = "32-true"
    knn_every: int = 10
    save_every: int = 10
    start: str | None = None
    streams: list[str] = field(default_factory=lambda: ["joint"])
    preprocess: Preprocess = field(default_factory=Preprocess)
    source: Any = None
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    encoder: Any = None
    objective: Any = None
    optimiser: Any = None
    schedule: Any = None
    training: TrainingSettings = field(default_factory=TrainingSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def chosen(self, group: str) -> tuple[Any, Any]:
        """What a group names, and its settings: a class and an instance of its `Settings`."""
        settings = getattr(self, group)
        kind = CHOICES[group][0].load(settings.name)
        own = settings_of(kind)
        values = {entry.name: getattr(settings, entry.name) for entry in dataclasses.fields(own)}
        return kind, own(**values)


def recipe_type(names: Mapping[str, str] = MappingProxyType({})) -> type[Recipe]:
    """The type of recipes in which each group has the fields of what it names.

    Args:
        names: of encoder, objective, source, optimiser and schedule; the usual ones otherwise.

    Raises:
        CrosscaleError: when there is none of a name.
    """
    chosen = [(group, names.get(group, usual)) for group, (_, usual) in CHOICES.items()]
    return _recipe_type(tuple(chosen))


def settings_of(kind: Any) -> type[Any]:
    """The dataclass of the settings of what was registered; an optimiser is its own."""
    settings: type[Any] = getattr(kind, "Settings", kind)
    if not dataclasses.is_dataclass(settings):
        raise CrosscaleError(f"{kind.__name__}.Settings must be a frozen dataclass")
    return settings


@cache
def _recipe_type(chosen: tuple[tuple[str, str], ...]) -> type[Recipe]:
    groups = []
    for group, name in chosen:
        named = _named(group, name, settings_of(CHOICES[group][0].load(name)))
        groups.append((group, named, field(default_factory=named)))
    return dataclasses.make_dataclass(
        "Recipe", groups, bases=(Recipe,), frozen=True, namespace={"__doc__": Recipe.__doc__}
    )


def _named(group: str, name: str, settings: type[Any]) -> type[Any]:
    """Settings with the name of what they are settings of."""
    described = (settings.__doc__ or "").rstrip()
    if "Attributes:" not in described:
        described += "\n\n    Attributes:"
    return dataclasses.make_dataclass(
        f"{group.capitalize()}Settings",
        [("name", str, field(default=name))],
        bases=(settings,),
        frozen=True,
        namespace={"__doc__": f"{described}\n        name: which {group}.\n"},
    )


def recipe_names() -> list[str]:
    """The recipes inside the package that can be trained, as `data/method`."""
    folder = _folder()
    data, method = (
        sorted(file.name.removesuffix(".yaml") for file in (folder / part).iterdir())
        for part in ("data", "method")
    )
    return [f"{one}/{other}" for one in data for other in method]


def read_recipe(name: str, changes: Mapping[str, Any], family: Family = "corrected") -> Recipe:
    """A recipe by name, with some of its values changed (dotted names).

    Raises:
        CrosscaleError: as `recipe_values`, and when a value is of a wrong type.
    """
    changed, _ = current(changes)
    values, names = recipe_values(name, family, changed)
    return built(recipe_type(names), changed, values)


def recipe_values(
    name: str, family: Family = "corrected", changes: Mapping[str, Any] = MappingProxyType({})
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that a recipe sets, and what it names.

    Args:
        name: of a recipe inside the package (`nwucla/crosscale`), or the path of a YAML file.
        family: `corrected`, or `paper` for the published code's behaviour.
        changes: what will be changed, by dotted name; which names it gives decides which settings
            of the recipe there are.

    Returns:
        Values by dotted name, its includes merged; and the name of each group that has one.

    Raises:
        CrosscaleError: when there is none, it is no YAML, it includes itself, or it sets
            something that does not exist (the nearest right name is given).
    """
    layers = _layers(name, family)
    names = {group: usual for group, (_, usual) in CHOICES.items()}
    for layer in [*layers, _nested(changes)]:
        names |= {group: layer[group]["name"] for group in names if "name" in layer.get(group, {})}
    known = flat_keys(recipe_type(names))
    values: dict[str, Any] = {}
    for layer in layers:
        values |= _flattened(_fitting(layer, names), known)
    for key in values:
        if key not in known:
            hint = nearest(key, known, "crosscale pretrain --help-all")
            raise CrosscaleError(f"recipe {name} sets '{key}': {hint}")
    return values, names


def settings_by_name(written: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name, of a recipe as a run or a result holds it, of 0.1 as well.

    A setting newer than the run has its default, which is what the run was made with. What is
    chosen by name has one spelling, however it was named.
    """
    values, old = current(flat(written))
    names = {g: values[f"{g}.name"] for g in CHOICES if f"{g}.name" in values}
    defaults = flat(plain(dataclasses.asdict(recipe_type(names)())))
    values |= {f"{g}.name": CHOICES[g][0].spelled(name) for g, name in names.items()}
    idle = {new for new in old.values() if new not in defaults}  # see `_for_its_choice`
    return {**defaults, **{name: v for name, v in values.items() if name not in idle}}


def renamed(name: str) -> dict[str, str]:
    """Settings that a recipe of one's own calls as 0.1 did: old name to new."""
    found: dict[str, str] = {}
    for own, layer in _read(name, ()):
        if own:
            found |= current(flat(layer))[1]
    return found


def _layers(name: str, family: str) -> list[dict[str, Any]]:
    """What is set, from the weakest: the package's recipes, the family, a user's own files."""
    layers = _read(name, ())
    inside = [layer for own, layer in layers if not own]
    users = [layer for own, layer in layers if own]
    family_layers = [layer for _, layer in _read(f"family/{family}", ())]
    return [
        _nested(_for_its_choice(*current(flat(layer))))
        for layer in [*inside, *family_layers, *users]
    ]


def _for_its_choice(values: dict[str, Any], old: Mapping[str, str]) -> dict[str, Any]:
    """In 0.1, milestones could be set for any schedule, and idled where it was a cosine."""
    if "optimisation.milestones" in old and values.get("schedule.name", "step") != "step":
        del values["schedule.milestones"]
    return values


def _fitting(layer: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A layer without the groups that are for another choice."""
    fitting = {}
    for key, value in layer.items():
        if key in names and isinstance(value, Mapping):
            spelled = CHOICES[key][0].spelled
            meant = value.get("for", value.get("name", names[key]))
            if spelled(meant) != spelled(names[key]):
                continue
            value = {k: v for k, v in value.items() if k != "for"}
        fitting[key] = value
    return fitting


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted name as nested groups."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *groups, leaf = key.split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = value
    return nested


def _flattened(values: Mapping[str, Any], known: Sequence[str], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name; a mapping that is itself a value stays one."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        is_group = any(name.startswith(f"{prefix}{key}.") for name in known)
        if isinstance(value, Mapping) and is_group:
            found |= _flattened(value, known, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _folder() -> Traversable:
    return resources.files("crosscale") / "recipes"


def _read(name: str, above: tuple[str, ...]) -> list[tuple[bool, dict[str, Any]]]:
    """The layers of a recipe, from the weakest, and whether each is a user's own."""
    if name in above:
        raise CrosscaleError(f"recipe {name} includes itself through {' -> '.join(above)}")
    inside = _folder() / f"{name}.yaml"
    data, _, method = name.partition("/")
    if not inside.is_file() and f"{data}/{method}" in recipe_names():
        return [*_read(f"data/{data}", above), *_read(f"method/{method}", above)]
    source: Traversable | Path = inside if inside.is_file() else Path(name)
    if not source.is_file():
        if name.endswith((".yaml", ".yml")):
            raise CrosscaleError(f"there is no file {name}")
        hint = nearest(name, recipe_names(), "crosscale list recipes")
        if not method and any(known.startswith(f"{data}/") for known in recipe_names()):
            hint = f"name a method too, {data}/METHOD; `crosscale list recipes` has all"
        raise CrosscaleError(f"no recipe '{name}': {hint}")
    values = read_yaml(source) or {}
    if not isinstance(values, Mapping):
        raise CrosscaleError(f"{name}: a recipe is a mapping of settings")
    layers = []
    for included in values.get("include") or []:
        layers += _read(str(included), (*above, name))
    own = {k: v for k, v in values.items() if k != "include"}
    return [*layers, (not inside.is_file(), own)]
