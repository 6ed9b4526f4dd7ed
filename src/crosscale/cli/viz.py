"""`crosscale view`, `crosscale map` and `crosscale layout check`."""

from pathlib import Path

from rich.console import Console

from crosscale.cli.console import plain_console
from crosscale.data.splits import ALL, Split, protocols, split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.utils.choices import EngineName
from crosscale.utils.text import counted
from crosscale.viz.player_clip import rows_of, stored_clip


def view(
    store: Path,
    clips: list[str],
    *,
    out: Path = Path("view.html"),
    recipe: str | None = None,
    seed: int = 0,
    gif: Path | None = None,
    mp4: Path | None = None,
) -> Path:
    """Write one HTML page that plays skeletons in 3D, side by side; it needs no network.

        crosscale view stores/nwucla a01_s01_e00_v01 --recipe nwucla/sgclr

    Args:
        clips: names of clips; when none is given, the first clip of each of the first classes.
        out: the page to write.
        recipe: shows beside each clip its training views as this recipe draws them, with the
            edges that are cut.
        seed: of the draw of the views.
        gif: also write a film as GIF.
        mp4: also write a film as MP4; needs ffmpeg, which crosscale[video] brings.

    Returns:
        The page.
    """
    from crosscale.training.recipe import read_recipe
    from crosscale.viz.drawn_views import drawn_views
    from crosscale.viz.film import write_film
    from crosscale.viz.page import clips_html, view_about, view_title, write_page

    console = plain_console()
    opened = ClipStore.open(store)
    rows = rows_of(opened, clips)
    about = view_about(opened, rows, chosen=bool(clips))
    if recipe is None:
        shown, columns = [stored_clip(opened, row) for row in rows], None
    else:
        shown = drawn_views(opened, rows, read_recipe(recipe, {}), seed)
        columns = len(shown) // len(rows)
        about += f" Beside each are the views that recipe {recipe} draws of it with seed {seed}."
    write_page(out, clips_html(shown, view_title(opened, shown), about, columns))
    console.print(f"{counted(len(shown), 'skeleton')} in {out} ({out.stat().st_size / 1e6:.1f} MB)")
    for film in (gif, mp4):
        if film is not None:
            console.print(f"film written to {write_film(film, shown, columns)}")
    return out


def map_clips(
    run: Path,
    *,
    data: Path | None = None,
    protocol: str | None = None,
    out: Path | None = None,
    clips: int = 2000,
    seed: int = 0,
    device: str = "cpu",
    engine: EngineName = "torch",
) -> Path:
    """Write an interactive map of embeddings, where pointing at a dot plays its clip.

        crosscale map runs/nwucla --out map.html
        crosscale map body --data stores/mine --out map.html

    Args:
        data: the store; by default the one that the run was trained on.
        protocol: which clips are marked as train and test; by default that of the run, or of
            another store its own first one.
        out: the page to write; by default `map.html` inside the run.
        clips: with more clips than this, so many are drawn at random.
        seed: of that draw and of the map.
        engine: what computes the embeddings.

    Returns:
        The page.
    """
    from crosscale.models.model import load
    from crosscale.viz.embedding_map import frames_kept, map_html, sampled
    from crosscale.viz.page import write_page

    console = plain_console()
    if not run.exists() and (data is None or out is None):
        raise CrosscaleError(
            f"{run} is no folder here: name a store with --data and a page with --out"
        )
    model = load(run, device=device, engine=engine)
    store = ClipStore.open(data or model.trained.store_path)
    parts = _parts(store, protocol, model.trained.protocol, console)
    title = f"Map of {store.title} by {run.resolve().name}"
    rows = sampled(len(store), clips, seed)
    frames = frames_kept(store, rows)
    html = map_html(store, model, rows, frames, parts, seed=seed, title=title)
    page = write_page(out or (run if run.is_dir() else run.parent) / "map.html", html)
    drawn = f", drawn at random from {len(store):,}" if len(rows) < len(store) else ""
    console.print(
        f"{counted(len(rows), 'clip')}{drawn}, at most {frames} frames of each, in {page} "
        f"({page.stat().st_size / 1e6:.1f} MB)"
    )
    return page


def check_layout(layout: str, *, out: Path | None = None, store: Path | None = None) -> Layout:
    """Check a layout, tell what it says, and draw it on request.

        crosscale layout check kinect20 --out kinect20.png

    Args:
        layout: a YAML file, or the name of a built-in layout.
        out: the figure to write, a .png, or an .html page that also lists the joints.
        store: draws the joints at the mean pose of this store's clips; without one they are laid
            out as a tree, since a layout has no coordinates.

    Returns:
        The layout.
    """
    from crosscale.viz.layout_figure import layout_facts, left_out, write_layout
    from crosscale.viz.layout_places import mean_pose, tree_places

    console = plain_console()
    checked = Layout.load(layout)
    console.print(f"layout {checked.name} is well-formed", style="green")
    for name, text in layout_facts(checked).items():
        console.print(f"{name}: {text}")
    for name, graph in checked.scales.items():
        if missing := left_out(checked, graph):
            console.print(f"scale {name} leaves out {', '.join(missing)}", style="yellow")
    if out is not None:
        places = mean_pose(checked, ClipStore.open(store)) if store else tree_places(checked)
        console.print(f"drawn in {write_layout(out, checked, places)}")
    return checked


def _parts(store: ClipStore, protocol: str | None, trained: str, console: Console) -> Split | None:
    """The parts to mark; the run's own protocol need not be one of another store."""
    own = protocols(store)
    if protocol is None and trained == ALL:  # which tests nothing anywhere
        return split(store, own[0]) if own else None
    try:
        return split(store, protocol or trained)
    except CrosscaleError as error:
        if protocol is not None:
            raise
        if own:
            return split(store, own[0])
        console.print(f"clips are not marked as train and test: {error}", style="yellow")
        return None
