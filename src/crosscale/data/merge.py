"""Several stores as one, in a layout that all of them can be brought to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crosscale.data.clip import Clip
from crosscale.data.conversion import Converted
from crosscale.data.splits import protocols, split
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.utils.progress import tracked

CHUNK = 256  # clips converted at once


def merge(
    stores: Sequence[ClipStore],
    out: Path,
    *,
    names: Sequence[str] | None = None,
    layout: str = "part10",
    overwrite: bool = False,
) -> ClipStore:
    """Write the clips of several stores into one, so that one encoder learns from all.

    A clip is called `store/clip` after the name of its store. Classes of the same name become
    one. Where a data set comes with a protocol, its first one decides which clips are `train` and
    which `test`; the protocol `given` then keeps them apart. Clips without a part are `train`.

    Args:
        stores: of whatever layouts.
        out: the store to make.
        names: of the stores; by default the kinds of their data sets.
        layout: that all clips are brought to, see `conversion.to_layout`.
        overwrite: replace a store that is there.

    Raises:
        CrosscaleError: when two stores have the same name, or one lacks the scale of the layout.
    """
    names = names or [store.name for store in stores]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise CrosscaleError(
            f"{len(names)} stores hold {twice} twice; a clip's name would not tell which: give "
            "them names, as in left=stores/a right=stores/b"
        )
    target = Layout.load(layout)
    sources = [Converted(store, target) for store in stores]
    with StoreWriter(out, name="merged", layout=target, overwrite=overwrite) as writer:
        for name, store, source in zip(names, stores, sources, strict=True):
            for clip in tracked(_clips(name, store, source), f"merging {name}", len(store)):
                writer.add(clip)
        writer.provenance["source"] = ", ".join(str(store.path) for store in stores)
        writer.provenance["stores"] = [
            {"path": str(store.path), "name": store.name, **store.provenance} for store in stores
        ]
    return ClipStore.open(out)


def _clips(name: str, store: ClipStore, source: Converted) -> Iterator[Clip]:
    parts = _parts(store)
    for begin in range(0, len(store), CHUNK):
        chosen = range(begin, min(begin + CHUNK, len(store)))
        found = source.recordings(chosen)
        ends = np.cumsum(found.frames * found.bodies)
        blocks = np.split(found.rows, ends[:-1])
        for i, block, frames in zip(chosen, blocks, found.frames, strict=True):
            yield replace(
                store[i],
                name=f"{name}/{store.names[i]}",
                coordinates=block.reshape(frames, -1, *block.shape[1:]),
                part=parts[i],
            )


def _parts(store: ClipStore) -> list[str]:
    """`train` or `test` for each clip, by the first protocol that comes with the store."""
    parts = np.full(len(store), "train", dtype=object)
    if offered := protocols(store):
        chosen = split(store, offered[0])
        parts[np.setdiff1d(np.arange(len(store)), chosen.train)] = "test"
    return parts.tolist()
