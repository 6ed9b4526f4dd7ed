"""Which clips train and which test: selections over a store's table, never copies of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.utils.formats import read_yaml
from crosscale.utils.text import composed, listed, places_of

RANDOM_SUBJECTS = "random_subjects"
GIVEN = "given"
ALL = "all"
FOLDS = "folds"
LEAVE_ONE_OUT = "leave_one_subject_out"
LEAK_FREE = "leak_free"
USUAL_FOLDS = 5
HELD_OUT = 0.25  # share of the training part's subjects (cameras, set-ups) that validate


@dataclass(frozen=True)
class Rule:
    """A published split: a clip trains when the number in `factor` is one of `train`."""

    factor: str
    train: frozenset[int]


_NTU60_SUBJECTS = frozenset(
    [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]
)
_NTU120_SUBJECTS = _NTU60_SUBJECTS | frozenset(
    [
        *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80),
        *(81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
    ]
)

PUBLISHED: Mapping[str, Mapping[str, Rule]] = MappingProxyType(
    {
        "ntu60": {
            "xsub": Rule("subject", _NTU60_SUBJECTS),
            "xview": Rule("camera", frozenset([2, 3])),
        },
        "ntu120": {
            "xsub": Rule("subject", _NTU120_SUBJECTS),
            "xset": Rule("setup", frozenset(range(2, 33, 2))),
        },
        "nwucla": {"xview": Rule("camera", frozenset([1, 2]))},
        "utdmhad": {"odd_even": Rule("subject", frozenset(range(1, 9, 2)))},
        "msr": {"odd_even": Rule("subject", frozenset(range(1, 11, 2)))},
        # a set-up is a fold of pairs of people, and each fold is the test once
        "sbu": {
            f"fold{fold}": Rule("setup", frozenset(range(1, 6)) - {fold}) for fold in range(1, 6)
        },
    }
)


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a store that train and that test.

    Attributes:
        name: the protocol.
        train: rows of the training part, int64, ascending; clips without a label are among them,
            since learning without labels can use them.
        tests: rows of each test, int64, ascending, all labelled; the first is the headline:
            `official` for a published protocol, `test` for one's own, `validation` for a part
            cut from the training part. `leak_free` is the headline's test without the leaked
            clips; it is there when some clips are such, and others are left.
        factor: the column whose values keep the parts apart, if one does.
        leaked: rows of the headline's test whose coordinates equal a training clip's.
    """

    name: str
    train: np.ndarray
    tests: dict[str, np.ndarray]
    factor: str | None = None
    leaked: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))


def protocols(store: ClipStore) -> tuple[str, ...]:
    """Protocols that come with a store: those published for its data set, or with its source."""
    given = (GIVEN,) if set(store.column("part")) == {"train", "test"} else ()
    return (*PUBLISHED.get(store.name, {}), *given)


def usual(store: ClipStore) -> str:
    """The protocol where none is named: the first that comes with a store, or else folds."""
    return next(iter(protocols(store)), FOLDS)


def trains_all(protocol: str) -> bool:
    """Whether every clip that a protocol tests trains without labels, too."""
    return protocol == ALL or _makes_folds(protocol)


def split(store: ClipStore, protocol: str) -> Split:
    """Select the training and the test part.

    Args:
        store: a prepared data set.
        protocol: a published one of this data set (`xsub`, `xview`, `xset`, `odd_even`,
            `fold1` ...);
            `random_subjects` or `random_subjects:SEED`, which trains on half of the subjects
            drawn at random; `given`, which keeps the two parts that the source came in;
            `all`, by which every clip trains and none tests; or a YAML file with two lists of
            clip names, `train:` and `test:`.

    Raises:
        CrosscaleError: when the data set has no such protocol, a part would be empty, or a list
            names clips that are not there.
    """
    published = PUBLISHED.get(store.name, {})
    if protocol in published:
        rule = published[protocol]
        values = _known(store, rule.factor, protocol)
        chosen = np.isin(values, sorted(rule.train))
        _need_both(store, chosen, rule.factor, values, protocol)
        return _with_tests(store, protocol, "official", chosen, ~chosen, rule.factor)
    if protocol == GIVEN:
        return _given(store)
    if protocol == ALL:
        return Split(ALL, np.arange(len(store)), {})
    name, _, seed = protocol.partition(":")
    if name == RANDOM_SUBJECTS:
        return _random_subjects(store, protocol, seed)
    if _makes_folds(protocol):
        raise CrosscaleError(f"{protocol} makes several splits, and {_one_is_needed(store)}")
    if Path(protocol).suffix in (".yaml", ".yml") or Path(protocol).is_file():
        return _listed(store, Path(protocol))
    offered = [*protocols(store), ALL, RANDOM_SUBJECTS, f"{RANDOM_SUBJECTS}:SEED"]
    offered += [FOLDS, f"{FOLDS}:NUMBER", LEAVE_ONE_OUT]
    raise CrosscaleError(
        f"{store.path} ({store.name}) has no protocol '{protocol}'; it has "
        f"{', '.join(offered)}, or give a YAML file with lists of names under train and test"
    )


def folds(store: ClipStore, protocol: str) -> list[Split]:
    """The splits of a protocol by which every clip is tested once; of any other, its one split.

    Args:
        store: a prepared data set.
        protocol: `leave_one_subject_out`; `folds` or `folds:NUMBER`, which parts the subjects by
            chance, or where subjects are not known of all, the clips of each class; or as `split`
            takes it. Without a number there are five folds, or one a subject where these are fewer.

    Raises:
        CrosscaleError: as `split`, or when there are fewer labelled subjects or clips than folds.
    """
    if not _makes_folds(protocol):
        return [split(store, protocol)]
    name, _, number = protocol.partition(":")
    values = store.column("subject")
    by_subject = name == LEAVE_ONE_OUT or bool((values >= 0).all() and len(np.unique(values)) > 1)
    values = _known(store, "subject", protocol) if by_subject else np.arange(len(store))
    order = np.random.default_rng(0).permutation(np.unique(values[store.labels >= 0]))
    if not by_subject:  # each class is dealt out to all folds
        order = order[np.argsort(store.labels[order], kind="stable")]
    if name == LEAVE_ONE_OUT:
        order, count = np.sort(order), len(order)
    elif number and not number.isdecimal():
        raise CrosscaleError(f"the number of folds in {protocol} must be a whole number")
    else:
        count = int(number or min(USUAL_FOLDS, len(order)))
    if not 2 <= count <= len(order):
        what = "subjects" if by_subject else "clips"
        raise CrosscaleError(
            f"{protocol} needs 2 folds or more, and {store.path} has {len(order)} {what} with "
            "labels"
        )
    parts = [np.isin(values, order[fold::count]) for fold in range(count)]
    factor = "subject" if by_subject else None
    return [_with_tests(store, protocol, "test", ~test, test, factor) for test in parts]


def only_split(store: ClipStore, splits: Sequence[Split]) -> Split:
    """The split of a protocol that makes one.

    Raises:
        CrosscaleError: when it makes several.
    """
    if len(splits) > 1:
        raise CrosscaleError(
            f"{splits[0].name} makes {len(splits)} splits, and {_one_is_needed(store)}"
        )
    return splits[0]


def validation(split: Split, store: ClipStore, seed: int = 0) -> Split:
    """Cut the training part in two, so that choices can be made without the test's labels.

    A quarter of the training part's subjects (or cameras, or set-ups: what the protocol itself
    keeps apart) validates. With a single one, subjects are held out; with a single subject, or
    when clips have none, a random quarter of the clips.

    Args:
        split: what `split` gave.
        store: the store it was made for.
        seed: draws what is held out.

    Raises:
        CrosscaleError: when the training part is too small to be cut.
    """
    rng = np.random.default_rng(seed)
    name = f"{split.name}/validation"
    inside = np.zeros(len(store), dtype=bool)
    inside[split.train] = True
    for factor in dict.fromkeys([split.factor or "subject", "subject"]):
        values = store.column(factor)
        distinct = np.unique(values[split.train])
        if len(distinct) > 1 and distinct[0] >= 0:
            out = np.isin(values, rng.permutation(distinct)[: _quarter(len(distinct))])
            return _with_tests(store, name, "validation", inside & ~out, inside & out, factor)
    if len(split.train) < 2:
        raise CrosscaleError(f"{split.name}: one training clip cannot be cut in two")
    out = np.zeros(len(store), dtype=bool)
    out[rng.permutation(split.train)[: _quarter(len(split.train))]] = True
    return _with_tests(store, name, "validation", inside & ~out, inside & out, None)


def duplicates(store: ClipStore, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Rows of `test` whose coordinates equal those of some row of `train`.

    Args:
        store: the store that the rows belong to.
        train: (N,) rows.
        test: (K,) rows.
    """
    digests = store.column("digest")
    trained = set(digests[train])
    return test[[digest in trained for digest in digests[test]]]


def _makes_folds(protocol: str) -> bool:
    return protocol.partition(":")[0] in (FOLDS, LEAVE_ONE_OUT)


def _one_is_needed(store: ClipStore) -> str:
    """What to say of several splits, with the remedy that this store allows."""
    subjects = np.unique(store.column("subject"))
    drawn = f"--protocol {RANDOM_SUBJECTS}, or " if subjects[0] >= 0 and len(subjects) > 1 else ""
    return (
        f"one is needed here: take {drawn}a YAML file with lists of names under train and test "
        "(--protocol mine.yaml)"
    )


def _quarter(count: int) -> int:
    return max(1, round(HELD_OUT * count))


def _with_tests(
    store: ClipStore,
    name: str,
    headline: str,
    train: np.ndarray,
    test: np.ndarray,
    factor: str | None,
) -> Split:
    """A split from two masks, with the leak-free test where clips leak."""
    rows, tested = np.flatnonzero(train), np.flatnonzero(test & (store.labels >= 0))
    if not len(tested):
        raise CrosscaleError(f"{name}: none of the {test.sum()} test clips has a label")
    tests = {headline: tested}
    leaked = duplicates(store, rows, tested)
    if 0 < len(leaked) < len(tested):
        tests[LEAK_FREE] = np.setdiff1d(tested, leaked)
    return Split(name, rows, tests, factor, leaked)


def _known(store: ClipStore, factor: str, protocol: str) -> np.ndarray:
    values = store.column(factor)
    if len(unknown := np.flatnonzero(values < 0)):
        raise CrosscaleError(
            f"{protocol} goes by {factor}, and {len(unknown)} of {len(store)} clips have none "
            f"({store.names[unknown[0]]} is the first): prepare them with --pattern or --table, "
            f"which tell a clip's {factor}, or take another --protocol"
        )
    return values


def _need_both(
    store: ClipStore, train: np.ndarray, factor: str, values: np.ndarray, protocol: str
) -> None:
    for part, empty in (("training", not train.any()), ("test", train.all())):
        if empty:
            there = ", ".join(str(v) for v in np.unique(values))
            raise CrosscaleError(
                f"{protocol} leaves no {part} clip in {store.path}: its {factor}s are {there}, "
                f"all of them of the other part; add recordings or take {RANDOM_SUBJECTS}"
            )


def _given(store: ClipStore) -> Split:
    values = store.column("part")
    if len(unknown := np.flatnonzero([value is None for value in values])):
        raise CrosscaleError(
            f"{GIVEN} goes by the two parts of a source, and {len(unknown)} of {len(store)} clips "
            f"belong to none ({store.names[unknown[0]]} is the first)"
        )
    train = values == "train"
    _need_both(store, train, "part", values, GIVEN)
    return _with_tests(store, GIVEN, "test", train, ~train, None)


def _random_subjects(store: ClipStore, protocol: str, seed: str) -> Split:
    if seed and not seed.isdecimal():
        raise CrosscaleError(f"the seed in {protocol} must be a whole number from 0")
    values = _known(store, "subject", protocol)
    subjects = np.unique(values)
    if len(subjects) < 2:
        raise CrosscaleError(
            f"{protocol} needs two subjects or more, {store.path} has only subject {subjects[0]}"
        )
    drawn = np.random.default_rng(int(seed or 0)).permutation(subjects)
    train = np.isin(values, drawn[: (len(drawn) + 1) // 2])
    return _with_tests(store, protocol, "test", train, ~train, "subject")


def _listed(store: ClipStore, path: Path) -> Split:
    lists = _read_lists(path)
    row = places_of(store.names)
    unknown = [n for names in lists.values() for n in names if n not in row]
    if unknown:
        raise CrosscaleError(f"{path} names {listed(unknown)}, not found in {store.path}")
    counts = Counter(n for names in lists.values() for n in names)
    if twice := [n for n, count in counts.items() if count > 1]:
        raise CrosscaleError(f"{path} names {listed(twice)} more than once")
    masks = {}
    for part, names in lists.items():
        masks[part] = np.zeros(len(store), dtype=bool)
        masks[part][[row[n] for n in names]] = True
    return _with_tests(store, path.stem, "test", masks["train"], masks["test"], None)


def _read_lists(path: Path) -> dict[str, Sequence[str]]:
    """The two lists of names of a user's file; names stay text, whatever they look like."""
    given = read_yaml(path, as_text=True)
    fine = isinstance(given, dict) and set(given) == {"train", "test"}
    if not fine or not all(isinstance(v, list) and v for v in given.values()):
        raise CrosscaleError(f"{path} must have two lists of clip names, under train: and test:")
    return {part: [composed(str(name)) for name in names] for part, names in given.items()}
