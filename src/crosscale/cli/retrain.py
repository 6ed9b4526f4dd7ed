"""`crosscale retrain`: the encoder that comes with crosscale, made again."""

from pathlib import Path

from rich.console import Console

from crosscale.errors import CrosscaleError
from crosscale.utils.stopping import goes_on_by_itself

RECIPE = "sensors/skeletonclr"


def retrain(
    nwucla: Path,
    utdmhad: Path,
    *,
    out: Path = Path("retrained"),
    epochs: int = 160,
    seed: int = 0,
    device: str = "auto",
) -> Path:
    """Train the encoder `parts`, which comes with crosscale, anew from recordings.

        crosscale retrain NW-UCLA UTD-MHAD --out retrained

    Both data sets are prepared, merged at ten parts of the body, and learned from without labels;
    the encoder is judged on each, and written as a model folder with its card. Say the same
    command again to go on with one that was interrupted.

    Args:
        nwucla: the folder of NW-UCLA's recordings, as `crosscale prepare nwucla` takes it.
        utdmhad: the folder of UTD-MHAD's, as `crosscale prepare utdmhad` takes it.
        out: the folder of stores, run and model.
        epochs: of pre-training.
        seed: of everything random.
        device: auto, cpu, cuda or mps.

    Returns:
        The model folder, which all commands take in place of `parts`.
    """
    from crosscale.cli.data import merge, prepare
    from crosscale.cli.evaluate import evaluate
    from crosscale.cli.export import folder
    from crosscale.cli.pretrain import train
    from crosscale.training.distributed import team_fabric
    from crosscale.training.loop import RECIPE_FILE
    from crosscale.training.recipe import read_recipe

    stores, run, model = out / "stores", out / "run", out / "parts"
    if model.exists():
        raise CrosscaleError(f"{model} is there already; name another folder with --out")
    team_fabric("32-true", device)  # before hours of work
    sources = {"nwucla": nwucla, "utdmhad": utdmhad}
    for source_format, source in sources.items():
        if not (stores / source_format).exists():
            prepare(source_format, source, out=stores / source_format)
    if not (stores / "both").exists():
        merge([stores / source_format for source_format in sources], out=stores / "both")
    recipe = read_recipe(RECIPE, {"seed": seed, "training.epochs": epochs})
    begun = (run / RECIPE_FILE).is_file()
    with goes_on_by_itself():
        train(recipe, data=[stores / "both"], out=run, resume=begun, device=device)
    console = Console()
    for name in ("both", *sources):
        console.print(f"accuracy on {name}, in per cent:")
        for probe in ("knn", "linear"):
            evaluate(probe, [run], data=stores / name)
    return folder(run, out=model, license="mit")
