"""A comparison's plan: one YAML file, read and checked whole before anything is trained."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from crosscale.config import built, current, flat_keys
from crosscale.errors import CrosscaleError, nearest, refuse_unknown
from crosscale.evaluation.extract import READOUTS, Extraction
from crosscale.evaluation.few import Few
from crosscale.evaluation.finetune import Finetune
from crosscale.evaluation.probes import PROBES, settings_of
from crosscale.evaluation.runner import make_probes
from crosscale.evaluation.semi import FewLabels
from crosscale.training.recipe import Recipe, recipe_type, recipe_values
from crosscale.utils.formats import read_yaml

T = TypeVar("T")
_KEYS = ("data", "methods", "seeds", "set", "evaluations", "readouts", "against")
_NAME = re.compile(r"\w[\w+@. -]*")  # names become folders


@dataclass(frozen=True)
class Judge:
    """One evaluation that every cell goes through: by which probe, of which features."""

    kind: str
    probe: Any
    how: Extraction = Extraction()  # noqa: RUF009

    @property
    def config(self) -> dict[str, Any]:
        """The probe's settings, as results have them."""
        return settings_of(self.probe)


@dataclass(frozen=True, eq=False)
class Cell:
    """One pre-training with its evaluations: a method on a data set with a seed."""

    data: str
    method: str
    seed: int
    store: Path
    recipe: Recipe

    @property
    def title(self) -> str:
        """For messages."""
        return f"{self.data}, {self.method}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """A plan with all its recipes resolved.

    Attributes:
        path: the file it was read from.
        data: names of the data sets, in the table's order.
        methods: names of the methods, likewise.
        seeds: of the pre-trainings and of what is random in an evaluation.
        judges: evaluations by the label that tables use.
        against: the method that the differences are stated against.
        cells: in the order of training: all methods with one seed before the next seed, so that
            an unfinished comparison can be paired.
    """

    path: Path
    data: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    judges: Mapping[str, Judge]
    against: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _Data:
    store: Path
    protocol: str | None = None
    recipes: str | None = None
    set: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class _Method:
    recipe: str
    set: dict[str, Any] = dataclasses.field(default_factory=dict)


def read_plan(path: Path) -> Plan:
    """Read a plan and resolve the recipe of every cell.

    Stores and recipe files are looked for from the plan's folder on. The file's keys:

    - `data`: name to `store` (a folder), and where they differ from the usual: `protocol` (else
      the recipe's; also `leave_one_subject_out` and `folds:NUMBER`, see
      `crosscale.data.splits.folds`: one training on all clips, without labels, is judged on every
      fold, and the figures are totals over them), `recipes` (whose recipes are used; else those of
      the name) and `set` (settings of all cells on it).
    - `methods`: name to a method of the package (`sgclr`), a whole recipe (`nwucla/sgclr`), a YAML
      file, or `{recipe: ..., set: {...}}` with settings by dotted name.
    - `seeds`: whole numbers.
    - `set`: settings of all cells; those of a data set win, and those of a method over both.
    - `evaluations`: probes by name or import path; their settings stand under their names.
    - `readouts`: what is read of frozen encoders, each `{pooling: ..., layers: ...}` or a pooling
      alone, `mean` (the default) or `nodes`.
    - `against`: the method that the others are compared with.

    Raises:
        CrosscaleError: naming the place and the nearest right name.
    """
    values = _mapping(read_yaml(path), f"plan {path}")
    listed = values.get("evaluations")
    own = listed if isinstance(listed, list) else []
    refuse_unknown(values, [*_KEYS, *PROBES.paths(), *own], f"{path}: unknown")
    for key in ("data", "methods", "seeds", "evaluations"):
        if not values.get(key):
            raise CrosscaleError(f"{path}: '{key}' is missing")
    data = {
        _name(name, f"{path}, data"): _data(given, f"{path}, data {name}")
        for name, given in _mapping(values["data"], f"{path}, data").items()
    }
    methods = {
        _name(name, f"{path}, methods"): _method(given, f"{path}, method {name}")
        for name, given in _mapping(values["methods"], f"{path}, methods").items()
    }
    seeds, against = _seeds(values["seeds"], path), values.get("against")
    if against is not None and against not in methods:
        raise CrosscaleError(f"{path}: against '{against}': {nearest(str(against), methods)}")
    common = _settings(values.get("set") or {}, f"{path}, set")
    recipes = {
        (on, by): _resolved(data[on], on, methods[by], common, path.parent)
        for on in data
        for by in methods
    }
    return Plan(
        path=path,
        data=tuple(data),
        methods=tuple(methods),
        seeds=seeds,
        judges=_judges(values, path),
        against=against,
        cells=tuple(
            Cell(
                on,
                by,
                seed,
                path.parent / data[on].store,
                replace(recipes[on, by], seed=seed),
            )
            for seed in seeds
            for on in data
            for by in methods
        ),
    )


def _resolved(
    data: _Data, name: str, method: _Method, common: Mapping[str, Any], folder: Path
) -> Recipe:
    if method.recipe.endswith((".yaml", ".yml")):
        recipe = str(folder / method.recipe)
    elif "/" in method.recipe:
        recipe = method.recipe
    else:
        recipe = f"{data.recipes or name}/{method.recipe}"
    changes = {**common, **data.set, **method.set}
    if data.protocol:
        changes["protocol"] = data.protocol
    values, names = recipe_values(recipe, changes=changes)
    place = f"recipe {recipe} as the plan sets it"
    return _typed(recipe_type(names), changes, place, values)


def _judges(values: Mapping[str, Any], path: Path) -> dict[str, Judge]:
    """The evaluations by label, in the order in which they are listed."""
    kinds, known = values["evaluations"], PROBES.paths()
    if not isinstance(kinds, list):
        raise CrosscaleError(f"{path}: evaluations is a list of {', '.join(known)}")
    for kind in known:
        if kind in values and kind not in kinds:
            raise CrosscaleError(f"{path}: {kind} is set, but evaluations does not list it")
    readouts = _readouts(values.get("readouts", ["mean"]), path)
    judges: dict[str, Judge] = {}
    for kind in map(str, kinds):
        try:
            probes = make_probes(kind, _mapping(values.get(kind) or {}, kind))
        except CrosscaleError as error:
            raise CrosscaleError(f"{path}: {error}") from error
        for probe in probes:
            label = kind
            if isinstance(probe, FewLabels):
                label = f"{kind} {100 * probe.share:.4g} %"
            elif isinstance(probe, Few):
                label = f"{kind} {probe.labels}"
            for how in [Extraction()] if isinstance(probe, Finetune) else readouts:
                judges[", ".join(filter(None, [label, how.label]))] = Judge(kind, probe, how)
    return judges


def _readouts(given: object, path: Path) -> list[Extraction]:
    """What is read of frozen encoders; words are poolings, and names that 0.1 had."""
    if not isinstance(given, list) or not given:
        raise CrosscaleError(f"{path}: readouts is a list such as [mean, nodes]")
    place = f"{path}, readouts"
    words = [one for one in given if isinstance(one, str)]
    refuse_unknown(words, READOUTS, f"{place}: unknown")
    return [
        Extraction(*READOUTS[one]) if isinstance(one, str) else _typed(Extraction, one, place)
        for one in given
    ]


def _data(given: object, place: str) -> _Data:
    data = _typed(_Data, given, place)
    return replace(data, set=_settings(data.set, place))


def _method(given: object, place: str) -> _Method:
    method = _typed(_Method, {"recipe": given} if isinstance(given, str) else given, place)
    return replace(method, set=_settings(method.set, place))


def _settings(given: object, place: str) -> dict[str, Any]:
    """Settings of a recipe by dotted name, without those that the plan has keys of its own for."""
    settings, _ = current(_mapping(given, place))
    for key, own in {"seed": "seeds", "protocol": "data: {NAME: {protocol: ...}}"}.items():
        if key in settings:
            raise CrosscaleError(f"{place}: '{key}' is said once for all methods, under {own}")
    return settings


def _seeds(given: object, path: Path) -> tuple[int, ...]:
    seeds = given if isinstance(given, list) else []
    fine = seeds and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not fine or len(set(seeds)) < len(seeds):
        raise CrosscaleError(f"{path}: seeds is a list of different whole numbers, e.g. [0, 1, 2]")
    return tuple(seeds)


def _typed(
    kind: type[T], given: object, place: str, defaults: Mapping[str, Any] | None = None
) -> T:
    """A dataclass from plain values, each checked against its type."""
    values = _mapping(given, place)
    refuse_unknown(values, flat_keys(kind), f"{place}: unknown")
    try:
        return built(kind, values, defaults)
    except CrosscaleError as error:
        raise CrosscaleError(f"{place}: {error}") from error


def _mapping(given: object, place: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise CrosscaleError(f"{place}: expected names with values, not {given!r}")
    return {str(key): value for key, value in given.items()}


def _name(name: str, place: str) -> str:
    if not _NAME.fullmatch(name) or "--" in name or name.endswith((" ", ".")):
        raise CrosscaleError(
            f"{place}: '{name}' becomes a folder's name; use letters, digits, spaces and _ - + . @"
        )
    return name
