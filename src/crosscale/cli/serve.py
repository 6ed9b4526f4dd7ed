"""`crosscale serve` and `crosscale webcam`."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from crosscale.cli.console import plain_console
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, needs
from crosscale.serve import webcam as assets
from crosscale.utils.choices import FeatureChoice
from crosscale.utils.progress import displayed_by, progress
from crosscale.utils.text import counted

if TYPE_CHECKING:
    from crosscale.inference.head import Head
    from crosscale.inference.index import Index
    from crosscale.models.model import Model
    from crosscale.models.side_by_side import Embedder
    from crosscale.serve.service import Service

LOOPBACK = "127.0.0.1"


def serve(
    run: Path,
    *,
    index: Path | None = None,
    head: str | None = None,
    store: Path | None = None,
    features: FeatureChoice = "auto",
    host: str = LOOPBACK,
    port: int = 8000,
    device: str = "cpu",
) -> None:
    """Open a local web app: drop a recording or turn the webcam on, and see what happens when.

        crosscale serve runs/nwucla --index mine.index --head mine.head

    The page plays the recording, the most similar clips of the index beside it, and shows which
    action it is when. The same is at hand as a JSON API, described at /api/openapi.json. For the
    webcam, run `crosscale webcam` once; nothing that the camera sees leaves the browser but the
    places of joints, which come to this program.

    Args:
        index: a folder made by `crosscale index` with the same encoder; without it, nothing is
            searched.
        head: a head saved by `crosscale classify --save`, best one that knows `--subclips`; or
            linear or knn, which is fitted on the labels of the index, on whole clips; without it,
            no action is named.
        store: where the clips of the index are, to be played; by default where they were.
        features: what actions are told apart by, as in `classify`, where a head is fitted here.
        host: address to listen at; anyone who reaches another one than this machine's own can use
            the server.
        port: the port to listen at; 0 takes a free one.
    """
    from crosscale.inference.index import Index
    from crosscale.models.model import load

    with needs("the web app", extra="serve"):
        from crosscale.serve.app import make_app
        from crosscale.serve.guard import is_loopback
        from crosscale.serve.server import listen
        from crosscale.serve.service import Service, store_of
    if not 0 <= port < 2**16:
        raise CrosscaleError(f"port {port} is not from 0 to 65535")
    model = load(run, device=device)
    opened = None if index is None else Index.open(index)
    if store is not None and opened is None:
        raise CrosscaleError("--store has the clips of an index: name it with --index")
    clips = None if opened is None else store_of(opened, store)
    fitted, namer, why = None, None, ""
    if head is not None:
        fitted, namer, why = _head(head, model, opened, clips, features)
    service = Service(
        model,
        run=run.name,
        head=fitted,
        namer=namer,
        index=opened,
        store=clips,
        main=["crosscale.cli"],
    )
    console = plain_console(stderr=True)
    local = is_loopback(host)
    if not local:
        console.print(
            f"warning: whoever reaches {host} can use this server; there is no password and no "
            "encryption",
            style="yellow",
        )
    _tell(console, service)
    if why:
        console.print(f"features: {why}")
    app = make_app(service, host=None if local else host)
    with displayed_by(None):  # what requests ask for is shown on their page
        listen(
            app, host, port, service.limits, lambda url: console.print(f"{url}  stop with Ctrl-C")
        )


def webcam(*, archive: Path | None = None, out: Path | None = None) -> Path:
    """Fetch the pose estimator that the page of `crosscale serve` runs in the browser, once.

        crosscale webcam
        crosscale webcam --archive mediapipe-pose-0.5.1675469404.tgz

    It is the npm package @mediapipe/pose of Google (Apache License 2.0), 40 MB, its models within.
    npm fetches it; its checksum is compared with the published one.

    Args:
        archive: the package, fetched before with `npm pack @mediapipe/pose@0.5.1675469404`.
        out: the folder to put it into; by default one in the user's cache, where
            `crosscale serve` looks.

    Returns:
        The folder.
    """
    folder = out or assets.usual_folder()
    with progress("fetching"):
        assets.install(archive, folder)
    plain_console().print(f"{assets.PACKAGE}: {folder}")
    return folder


def _head(
    name: str,
    model: "Model",
    index: "Index | None",
    store: ClipStore | None,
    features: FeatureChoice = "auto",
) -> "tuple[Head, Embedder, str]":
    """A head, what gives the embeddings that it judges, and why these, where there was a choice."""
    from crosscale.inference.features import Candidates, fit_best, saved
    from crosscale.inference.head import HEADS, make_head
    from crosscale.inference.labels import people_of
    from crosscale.inference.spreading import others

    if name not in HEADS:
        fitted, embedder = saved(Path(name), model)
        return fitted.head, embedder, ""
    if index is None:
        raise CrosscaleError(f"--head {name} is fitted on the labels of an index: name one")
    index.check(model)
    rows = [row for row, label in enumerate(index.labels) if label is not None]
    labels = np.array([index.labels[row] for row in rows], str)
    if len(set(labels)) < 2:
        raise CrosscaleError(f"{index.path} labels fewer than two classes: name a saved head")
    names = [index.names[row] for row in rows]
    people = None if store is None else people_of(store, names)
    every, candidates = index.vectors, Candidates.of(model, "encoder", model.layout)
    free = others(len(every), np.array(rows)).tolist()
    if store is None and features not in ("auto", "encoder"):
        raise CrosscaleError(f"--features {features} needs the clips of the index: name --store")
    if store is not None and features != "encoder":
        candidates = Candidates.of(model, features, store.layout)
        places = {clip: place for place, clip in enumerate(store.names)}
        every = np.concatenate([*candidates.widest.chunks(store)])
        rows, free = ([places[index.names[row]] for row in own] for own in (rows, free))
    x, rest = every[rows], every[free]
    chosen = fit_best(candidates, x, labels, people, lambda: make_head(name, 0.05), rest)
    return chosen.head, candidates.embedder(chosen.kind), chosen.why


def _tell(console: Console, service: "Service") -> None:
    index, head = service.index, service.head
    console.print(
        f"encoder of layout {service.model.layout.name}; "
        + (
            f"{counted(len(index.names), 'clip')} to search; "
            if index
            else "no --index, so no search; "
        )
        + (counted(len(head.classes_), "class") if head else "no --head, so no actions are named")
    )
    if index and service.store is None:
        console.print("the clips of the index are not where they were: say --store to play them")
