"""What `import crosscale` offers: the commands' work as functions."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from crosscale.data.store import ClipStore
from crosscale.encoders import ENCODERS
from crosscale.evaluation.online import NeighbourProbe
from crosscale.objectives import OBJECTIVES
from crosscale.training.callbacks import Callback
from crosscale.training.distributed import team_fabric
from crosscale.training.loop import pretrain as train
from crosscale.training.recipe import Family, Recipe, read_recipe, recipe_names
from crosscale.training.setup import make_source
from crosscale.training.sources import Source

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def pretrain(
    recipe: str | Recipe,
    data: Path | str | Sequence[Path | str] | None,
    out: Path | str,
    *,
    settings: Mapping[str, Any] = MappingProxyType({}),
    family: Family = "corrected",
    resume: bool = False,
    device: str = "auto",
    processes: int = 1,
    callbacks: Sequence[Callback] = (),
    say: Callable[[str], None] = print,
) -> Path:
    """Pre-train encoders without labels, as `crosscale pretrain` does.

        crosscale.pretrain("own/skeletonclr", "stores/mine", "runs/mine",
                           settings={"training.epochs": 20})

    Args:
        recipe: a name such as `nwucla/crosscale`, the path of a YAML file, or a `Recipe`.
        data: a store made by `crosscale prepare`, or several for a source that mixes; none for
            one that needs none.
        out: the run folder to make, or to go on with.
        settings: changes to a recipe by name: value by dotted name.
        family: `corrected`, or `paper` for the published code's behaviour.
        resume: go on from the last checkpoint in the run folder.
        device: auto, cpu, cuda or mps.
        processes: on this machine.
        callbacks: called after each epoch.
        say: told what a user should know, in a sentence.

    Returns:
        The file of trained encoders, which `crosscale.load_model` takes.

    Raises:
        CrosscaleError: when a setting, the store or the folder does not fit.
    """
    if not isinstance(recipe, Recipe):
        recipe = read_recipe(recipe, settings, family)
    stores = [data] if isinstance(data, str | Path) else list(data or [])
    fabric, source, probes = opened(recipe, stores, device, processes)
    return train(
        recipe,
        source,
        Path(out),
        fabric,
        resume=resume,
        callbacks=[*probes, *callbacks],
        say=say,
    )


def open_store(path: Path | str) -> ClipStore:
    """Open a store that `crosscale prepare` made: `store[0]` and `store["name"]` are clips.

    Raises:
        CrosscaleError: when it is no store, or damaged.
    """
    return ClipStore.open(path)


def list_encoders() -> list[str]:
    """Names that `create_encoder` and recipes take; import paths work too."""
    return sorted(ENCODERS.paths())


def list_objectives() -> list[str]:
    """Names that recipes take as their objective; import paths work too."""
    return sorted(OBJECTIVES.paths())


def list_recipes() -> list[str]:
    """Names that `pretrain` takes: every data set with every method."""
    return recipe_names()


def opened(
    recipe: Recipe,
    data: Sequence[Path | str],
    device: str = "auto",
    processes: int = 1,
    nodes: int = 1,
) -> tuple["Fabric", Source, list[Callback]]:
    """The processes of a run, its source of clips, and what looks at its neighbours."""
    fabric = team_fabric(recipe.precision, device, processes, nodes)
    source = make_source(recipe, [ClipStore.open(Path(path)) for path in data], fabric.device)
    probe = NeighbourProbe.of(source, recipe)
    return fabric, source, [probe] if probe else []
