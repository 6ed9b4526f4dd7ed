"""From the names of runs to figures: what is judged, on which clips, and by which probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.base import clone

from crosscale.data.conversion import in_layout
from crosscale.data.splits import ALL, Split, folds, only_split, protocols, usual
from crosscale.data.store import ClipStore
from crosscale.encoders.base import Pooling
from crosscale.encoders.readout import Layers
from crosscale.errors import CrosscaleError, refuse_unknown
from crosscale.evaluation.evaluation import Evaluation, evaluate_features
from crosscale.evaluation.extract import Extraction, extract
from crosscale.evaluation.features import Features, merge_features
from crosscale.evaluation.few import COUNTS, Few
from crosscale.evaluation.finetune import Finetune, finetune, pretrained_on, sources_told
from crosscale.evaluation.probes import make_probe, parameters
from crosscale.evaluation.semi import SHARES, FewLabels
from crosscale.models.checkpoint import TrainedEncoders, load_encoders
from crosscale.models.hub import resolve
from crosscale.utils.choices import EngineChoice
from crosscale.utils.devices import usable


def evaluate(
    probe: Any,
    model: Any,
    store: ClipStore | Path | str | None = None,
    *,
    protocol: str | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    pooling: Pooling | None = None,
    layers: Layers = 1,
    mirror: bool = False,
    engine: EngineChoice = "auto",
    **settings: Any,
) -> Evaluation:
    """Judge what encoders have learned: each stream alone, and their sum, on each test set.

        found = crosscale.evaluate("linear", "runs/nwucla", epochs=50)
        found.headline_top1["official"]
        crosscale.evaluate(LinearSVC(C=0.1), "parts", "stores/mine", protocol="random_subjects")

    Nothing is written; the command `crosscale evaluate` writes a report, too.

    Args:
        probe: `linear`, `ridge`, `knn`, `few`, `retrieval`, `semi`, `finetune`, an import path, or
            a scikit-learn classifier; see `crosscale.evaluation.probes`.
        model: a run folder or a model's name, loaded encoders, or a list of these, whose streams
            are judged together; or features of the whole store.
        store: a prepared data set; by default the one that the first run was trained on.
        protocol: which clips train and test, see `crosscale.data.splits`; by default that of the
            first run, or the first one of the data set where that is of no use, or five folds.
        seed: of all that is random.
        device: where the computation runs.
        pooling: of each layer that is read, see `crosscale.encoders.readout.Readout`; by default
            what the encoders' file says.
        layers: how many of the last are read, or `all`.
        mirror: mean of each clip's features and of those of its mirror image.
        engine: what computes the features.
        **settings: of the probe, by name.

    Raises:
        CrosscaleError: when there is no such probe, setting, model, store or protocol, or they do
            not fit each other.
    """
    kind = probe if isinstance(probe, str) else None
    probe = make_probe(probe, settings) if kind else clone(probe).set_params(**settings)
    if isinstance(model, Features):
        if store is None:
            raise CrosscaleError("features need the store that they are of, for its protocols")
        opened = _opened(store)
        parts = folds(opened, protocol or usual(opened))
        return evaluate_features(probe, model, parts, kind=kind, seed=seed, device=device)
    runs = open_runs(model if isinstance(model, list) else [model], store, protocol, device)
    return runs.judge(probe, Extraction(pooling, layers, mirror, engine), kind=kind, seed=seed)


def make_probes(name: str, settings: Mapping[str, Any]) -> list[Any]:
    """The probes of a name; there is one for each share of the labels of `semi` and count of `few`.

    Args:
        name: registered, or an import path.
        settings: of `make_probe`; `shares` for `semi`, and several `labels` for `few`.

    Raises:
        CrosscaleError: as `make_probe`.
    """
    several: dict[str, tuple[Any, str, str, tuple[float, ...]]] = {
        "semi": (FewLabels, "share", "shares", SHARES),
        "few": (Few, "labels", "labels", COUNTS),
    }
    if name not in several:
        return [make_probe(name, settings)]
    kind, one, many, usual = several[name]
    known = {*parameters(kind), many} - ({one} - {many})
    refuse_unknown(settings, known, f"{name} has no setting")
    own = dict(settings)
    values = own.pop(many, usual)
    if not isinstance(values, list | tuple) or not values:
        raise CrosscaleError(f"{many} is a list of at least one, for example {[*usual]}")
    return [make_probe(name, {**own, one: value}) for value in values]


@dataclass(frozen=True, eq=False)
class Runs:
    """Encoders that are judged together, and the clips it is done on.

    Attributes:
        trained: by the name of their run.
        store: the whole data set.
        folds: training and test clips of each; one where the protocol makes one split.
    """

    trained: dict[str, TrainedEncoders]
    store: ClipStore
    folds: Sequence[Split]

    @property
    def streams(self) -> int:
        """Number of all streams."""
        return sum(len(encoders.encoders) for encoders in self.trained.values())

    @property
    def pretrained_elsewhere(self) -> list[str]:
        """Data sets of pre-training that are not the one judged on."""
        sources = {pretrained_on(encoders) for encoders in self.trained.values()}
        return sorted(sources - {self.store.name})

    @property
    def device(self) -> torch.device:
        """Where the encoders are, and what is judged is computed."""
        return next(iter(self.trained.values())).device

    def features(self, how: Extraction, kept_in: Mapping[str, Path] | None = None) -> Features:
        """Features of all runs' streams, kept in the folder that is named for a run, if one is."""
        folders = kept_in or {}
        return merge_features(
            {
                run: extract(encoders, self.store, how, folders.get(run))
                for run, encoders in self.trained.items()
            }
        )

    def judge(
        self,
        probe: Any,
        how: Extraction,
        kept_in: Mapping[str, Path] | None = None,
        *,
        kind: str | None = None,
        seed: int = 0,
    ) -> Evaluation:
        """Judge by a probe, on features or, to fine-tune, with the encoders themselves."""
        if isinstance(probe, Finetune):
            fold = only_split(self.store, self.folds)
            return finetune(self.trained, self.store, fold, probe, seed=seed).evaluation
        return evaluate_features(
            probe,
            self.features(how, kept_in),
            self.folds,
            kind=kind,
            seed=seed,
            device=self.device,
        )

    def about(self) -> dict[str, str]:
        """How the figures were made, for a reader."""
        store = self.store
        facts = f"{store.title} ({store.path}), {len(store)} clips, layout {store.layout.name}"
        layouts = {e.layout.name for e in self.trained.values()} - {store.layout.name}
        facts += f", brought to {' and '.join(sorted(layouts))}" if layouts else ""
        return {"judged on": facts} | {run: _told(e) for run, e in self.trained.items()}


def open_runs(
    models: Sequence[Any],
    store: ClipStore | Path | str | None = None,
    protocol: str | None = None,
    device: torch.device | str = "cpu",
) -> Runs:
    """Load encoders and open what they are judged on.

    Args:
        models: folders, names or loaded encoders.
        store: by default the one that the first was trained on.
        protocol: by default that of the first, or the first one of the data set where that is of
            no use, or five folds.
        device: where to put encoders.

    Raises:
        CrosscaleError: when a model is named twice, there is no such model, device, store or
            protocol, or the clips cannot be brought to a model's layout.
    """
    named = [str(one) if isinstance(one, str | Path) else str(i) for i, one in enumerate(models)]
    if len(set(named)) != len(named):
        raise CrosscaleError("a run is named twice; its streams would count twice in the sum")
    usable(device)
    trained = {name: _loaded(one, device) for name, one in zip(named, models, strict=True)}
    first = next(iter(trained.values()))
    opened = _opened(first.store_path if store is None else store)
    for encoders in trained.values():
        try:
            in_layout(opened, encoders.layout)
        except CrosscaleError as error:
            raise CrosscaleError(f"{opened.path}: {error}") from error
    return Runs(trained, opened, folds(opened, protocol or _usual(opened, first)))


def _usual(store: ClipStore, encoders: TrainedEncoders) -> str:
    """The protocol of a run where the store has it and it tests clips, else the store's usual."""
    is_known = store.name == encoders.details["store"] or encoders.protocol in protocols(store)
    return encoders.protocol if is_known and encoders.protocol not in ("", ALL) else usual(store)


def _opened(store: ClipStore | Path | str) -> ClipStore:
    return store if isinstance(store, ClipStore) else ClipStore.open(Path(store))


def _loaded(model: Any, device: torch.device | str) -> TrainedEncoders:
    if isinstance(model, str | Path):
        return load_encoders(resolve(model), device)
    return getattr(model, "trained", model)


def _told(encoders: TrainedEncoders) -> str:
    """Where a run's encoders come from."""
    facts: Any = encoders.details
    told = (
        f"{', '.join(encoders.encoders)}; pre-trained on {sources_told(pretrained_on(encoders))} "
        f"without labels, epoch {facts['epoch']}, seed {facts['seed']}"
    )
    told += "; with an output layer, fitted after training" if encoders.output else ""
    if "finetuned" in facts:
        share = 100 * facts["finetuned"]["share"]
        told += (
            f"; fine-tuned with {share:.4g} % of the labels of {facts['store']}, "
            f"{encoders.protocol}, seed {facts['finetuned']['seed']}"
        )
    return told
