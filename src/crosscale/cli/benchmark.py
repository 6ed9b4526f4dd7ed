"""`crosscale benchmark`."""

from pathlib import Path

from crosscale.cli.console import plain_console
from crosscale.data.store import ClipStore
from crosscale.data.store_files import is_store
from crosscale.errors import CrosscaleError
from crosscale.utils.choices import DRAWS, OWN


def benchmark(
    names: list[Path],
    *,
    out: Path,
    protocols: tuple[str, ...] = (OWN,),
    draws: int = DRAWS,
    untrained: bool = True,
    device: str = "cpu",
) -> list[Path]:
    """Judge encoders on many data sets beside what needs no training, all of it alike.

        crosscale benchmark body rocket stores/nwucla stores/utdmhad --out benchmark

    One table is written as Markdown, CSV and HTML: ridge with all labels, the nearest neighbour,
    and 1, 5 and 10 labels a class, for each encoder, the same before training, raw coordinates,
    MiniRocket, plain and half-whitened, and MultiRocket where aeon is installed; and the share of
    the errors of the best of raw coordinates and MiniRocket that each encoder removes, with
    intervals by bootstrap over subjects.

    Args:
        names: encoders (run folders, or names such as body) and stores (folders made by prepare),
            in any order. STORE@PROTOCOL judges a store by a protocol of its own.
        out: the folder of the tables.
        protocols: of all other stores: own (the one that comes with a store, or else five folds),
            leave_one_subject_out, folds or folds:NUMBER (by subject where subjects are known), or
            as in evaluate.
        draws: how often few labels are drawn.
        untrained: judge each encoder before training too.
        device: cpu or cuda.

    Returns:
        The tables.
    """
    from crosscale.evaluation.comparison.benchmark import run_benchmark
    from crosscale.evaluation.comparison.benchmark_page import write_benchmark
    from crosscale.models.checkpoint import load_encoders
    from crosscale.models.hub import resolve
    from crosscale.utils.devices import usable

    usable(device)
    if draws < 1:
        raise CrosscaleError(f"draws must be 1 or more, not {draws}")
    stores, encoders = [], {}
    for name in map(str, names):
        path, at, protocol = name.rpartition("@") if not Path(name).exists() else (name, "", "")
        if at or is_store(Path(name)):
            opened = ClipStore.open(Path(path))
            stores += [(opened, one) for one in ([protocol] if at else protocols)]
        else:
            try:
                found_at = resolve(name)
            except CrosscaleError as unknown:
                raise CrosscaleError(f"{name} is neither store nor encoder: {unknown}") from None
            encoders[name] = load_encoders(found_at, device)
    if not stores or not encoders:
        what = "store" if encoders else "encoder"
        raise CrosscaleError(f"name one {what} or more: crosscale benchmark ENCODER STORE")
    console = plain_console()
    found = run_benchmark(encoders, stores, draws=draws, untrained=untrained, say=console.print)
    written = write_benchmark(found, out)
    console.print(written[0].read_text(encoding="utf-8"))
    console.print(f"tables: {', '.join(str(path) for path in written)}")
    return written
