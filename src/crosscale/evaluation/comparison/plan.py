"""A comparison's plan: one YAML file, read and checked whole before anything is trained."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml

from crosscale.config import built, current, flat_keys
from crosscale.encoders.readout import ReadoutName
from crosscale.errors import CrosscaleError, nearest
from crosscale.evaluation.evaluation import CONFIGS, Config, Kind
from crosscale.evaluation.semi import SHARES, SemiConfig
from crosscale.training.recipe import Recipe, recipe_type, recipe_values

T = TypeVar("T")
KINDS: tuple[Kind, ...] = get_args(Kind)
READOUTS: tuple[ReadoutName, ...] = get_args(ReadoutName)
_KEYS = ("data", "methods", "seeds", "set", "evaluations", "readouts", "against", *KINDS)
_NAME = re.compile(r"\w[\w+@. -]*")  # names become folders


@dataclass(frozen=True)
class Judge:
    """One evaluation that every cell goes through."""

    kind: Kind
    config: Config
    readout: ReadoutName = "mean"


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
      the recipe's), `recipes` (whose recipes are used; else those of the name) and `set`
      (settings of all cells on it).
    - `methods`: name to a method of the package (`sgclr`), a whole recipe (`nwucla/sgclr`), a YAML
      file, or `{recipe: ..., set: {...}}` with settings by dotted name.
    - `seeds`: whole numbers.
    - `set`: settings of all cells; those of a data set win, and those of a method over both.
    - `evaluations`: of linear, ridge, knn, retrieval, semi and finetune; their settings stand
      under their names.
    - `readouts`: what the evaluations of frozen encoders read, of mean, nodes, blocks and all (see
      `Frozen`); `[mean]` by default.
    - `against`: the method that the others are compared with.

    Raises:
        CrosscaleError: naming the place and the nearest right name.
    """
    values = _loaded(path)
    _refuse_unknown(values, _KEYS, str(path))
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
                _resolved(data[on], on, methods[by], common, seed, path.parent),
            )
            for seed in seeds
            for on in data
            for by in methods
        ),
    )


def _resolved(
    data: _Data, name: str, method: _Method, common: Mapping[str, Any], seed: int, folder: Path
) -> Recipe:
    if method.recipe.endswith((".yaml", ".yml")):
        recipe = str(folder / method.recipe)
    elif "/" in method.recipe:
        recipe = method.recipe
    else:
        recipe = f"{data.recipes or name}/{method.recipe}"
    changes = {**common, **data.set, **method.set, "seed": seed}
    if data.protocol:
        changes["protocol"] = data.protocol
    values, names = recipe_values(recipe, changes=changes)
    place = f"recipe {recipe} as the plan sets it"
    return _typed(recipe_type(names), changes, place, values)


def _judges(values: Mapping[str, Any], path: Path) -> dict[str, Judge]:
    """The evaluations by label, in the order in which they are listed."""
    kinds = values["evaluations"]
    if not isinstance(kinds, list):
        raise CrosscaleError(f"{path}: evaluations is a list of {', '.join(KINDS)}")
    _refuse_unknown(kinds, KINDS, f"{path}, evaluations")
    for kind in KINDS:
        if kind in values and kind not in kinds:
            raise CrosscaleError(f"{path}: {kind} is set, but evaluations does not list it")
    judges: dict[str, Judge] = {}
    for kind in kinds:
        place = f"{path}, {kind}"
        given = _mapping(values.get(kind) or {}, place)
        if kind == "semi":
            judges |= _semi(given, place)
        else:
            judges[kind] = Judge(kind, _typed(CONFIGS[kind], given, place))
    return _read_out(judges, values.get("readouts", ["mean"]), path)


def _read_out(judges: Mapping[str, Judge], readouts: object, path: Path) -> dict[str, Judge]:
    """Each evaluation of frozen encoders once for each thing to read of them."""
    if not isinstance(readouts, list) or not readouts:
        raise CrosscaleError(f"{path}: readouts is a list of {', '.join(READOUTS)}")
    _refuse_unknown(readouts, READOUTS, f"{path}, readouts")
    chosen = [readout for readout in READOUTS if readout in readouts]
    return {
        label if readout == "mean" else f"{label}, {readout}": replace(judge, readout=readout)
        for label, judge in judges.items()
        for readout in (READOUTS[:1] if judge.kind == "finetune" else chosen)
    }


def _semi(given: Mapping[str, Any], place: str) -> dict[str, Judge]:
    """One evaluation a share of the labels."""
    known = {*flat_keys(SemiConfig), "shares"} - {"share"}
    _refuse_unknown(given, known, place)
    shares = given.get("shares", SHARES)
    if not isinstance(shares, list | tuple) or not shares:
        raise CrosscaleError(f"{place}: shares is a list, for example [0.05, 0.1]")
    common = {key: value for key, value in given.items() if key != "shares"}
    configs = [_typed(SemiConfig, common | {"share": share}, place) for share in shares]
    return {f"semi {100 * config.share:.4g} %": Judge("semi", config) for config in configs}


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
    _refuse_unknown(values, flat_keys(kind), place)
    try:
        return built(kind, values, defaults)
    except CrosscaleError as error:
        raise CrosscaleError(f"{place}: {error}") from error


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CrosscaleError(f"plan {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise CrosscaleError(f"plan {path} is not a YAML file{line}") from error
    return _mapping(values, f"plan {path}")


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


def _refuse_unknown(given: Iterable[object], known: Iterable[str], place: str) -> None:
    known = list(known)
    for key in given:
        if key not in known:
            hint = nearest(str(key), known) if known else "there is nothing to set"
            raise CrosscaleError(f"{place}: unknown '{key}': {hint}")
