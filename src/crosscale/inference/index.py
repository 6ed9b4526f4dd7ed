"""Embeddings on disk, searched exactly: a matrix product, block by block.

    index.json        format, encoder, store, sizes and SHA-256 of the others
    embeddings.npy    (N, D) float32, each row of length 1; mapped into memory
    clips.parquet     name and label, one row a clip

A million clips of 512 numbers are 2 GB, which a product reads at the speed of memory, a fraction
of a second for all queries at once. So no approximate index is kept: it would have to be built,
trusted and tuned, and would miss some of the nearest.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError, most_like
from crosscale.inference.embeddings import facts_of, write_rows
from crosscale.inference.labels import label_names
from crosscale.models.model import Model
from crosscale.utils.arrayfiles import open_array
from crosscale.utils.files import atomic_folder, sha256
from crosscale.utils.formats import checked, is_version_of, refuse_other_version, with_checksum
from crosscale.utils.text import composed, places_of

FORMAT = "crosscale index 1"
DESCRIPTION, EMBEDDINGS, CLIPS = "index.json", "embeddings.npy", "clips.parquet"
BLOCK = 2**15  # rows of the index at once: 64 MiB of 512 numbers
QUERIES = 256  # at once


@dataclass(frozen=True, eq=False)
class Index:
    """An index opened for searching.

    Attributes:
        path: the folder.
        facts: what `index.json` says.
        names: clip names.
        labels: class names, None where unknown.
        vectors: (N, D) float32, mapped.
    """

    path: Path
    facts: dict[str, Any]
    names: list[str]
    labels: list[str | None]
    vectors: NDArray[np.float32]

    @classmethod
    def open(cls, path: Path) -> "Index":
        """Open an index that `build_index` wrote.

        Raises:
            CrosscaleError: when it is none, is damaged or incomplete.
        """
        facts = _describe(path)
        for file in (EMBEDDINGS, CLIPS):
            size = (path / file).stat().st_size if (path / file).is_file() else 0
            if size != facts["bytes"].get(file):
                raise CrosscaleError(
                    f"{path / file} has {size:,} bytes, not the {facts['bytes'].get(file):,} "
                    "written; copy or build the index again"
                )
        _check_sum(path / CLIPS, facts)
        table = pq.read_table(path / CLIPS)
        vectors = open_array(path / EMBEDDINGS)
        if vectors.shape != (len(table), facts["width"]) or vectors.dtype != np.float32:
            raise CrosscaleError(f"{path / EMBEDDINGS} does not fit {CLIPS}; build it again")
        names, labels = (table.column(name).to_pylist() for name in ("name", "label"))
        return cls(path, facts, names, labels, vectors)

    def verify(self) -> None:
        """Read every byte and compare with the checksums.

        Raises:
            CrosscaleError: naming the file that has changed.
        """
        for file in (EMBEDDINGS, CLIPS):
            _check_sum(self.path / file, self.facts)

    def check(self, model: Model) -> None:
        """Refuse an encoder that did not make this index.

        Raises:
            CrosscaleError: since its embeddings cannot be compared with those of the index.
        """
        if model.fingerprint != self.facts["encoder"]:
            raise CrosscaleError(
                f"{self.path} was made by another encoder ({self.facts['encoder'][:12]}, not "
                f"{model.fingerprint[:12]}): name its run, or build the index again"
            )

    def place(self, name: str) -> int:
        """Row of a clip.

        Raises:
            CrosscaleError: naming the five names most like it.
        """
        place = places_of(self.names).get(composed(name))
        if place is None:
            raise CrosscaleError(f"{self.path} has no clip '{name}': {most_like(name, self.names)}")
        return place

    def search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The most similar clips, by cosine similarity.

        Args:
            queries: (Q, D) embeddings of length 1.
            k: how many, at most all N.

        Returns:
            Rows (Q, k) and similarities (Q, k), the most similar first.
        """
        shape = len(queries), min(k, len(self.names))
        rows, similarities = np.empty(shape, np.int64), np.empty(shape, np.float32)
        for start in range(0, len(queries), QUERIES):
            part = slice(start, start + QUERIES)
            rows[part], similarities[part] = self._search(queries[part], k)
        return rows, similarities

    def table(
        self, queries: Sequence[str], rows: NDArray[np.int64], similarities: NDArray[np.float32]
    ) -> pa.Table:
        """What `search` found as a table: query, rank, similarity, name, label, a row a clip."""
        each = rows.shape[1]
        return pa.table(
            {
                "query": pa.array(np.repeat(np.array(queries, object), each), pa.string()),
                "rank": np.tile(np.arange(1, each + 1), len(rows)),
                "similarity": similarities.ravel().astype(np.float64),
                "name": pa.array([self.names[i] for i in rows.ravel()], pa.string()),
                "label": pa.array([self.labels[i] for i in rows.ravel()], pa.string()),
            }
        )

    def _search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        rows = np.empty((len(queries), 0), np.int64)
        best = np.empty((len(queries), 0), np.float32)
        for start in range(0, len(self.names), BLOCK):
            found = queries @ self.vectors[start : start + BLOCK].T  # (Q, block)
            here = np.broadcast_to(np.arange(start, start + found.shape[1]), found.shape)
            best, rows = np.hstack([best, found]), np.hstack([rows, here])
            if best.shape[1] > k:
                kept = np.argpartition(-best, k - 1, axis=1)[:, :k]
                best = np.take_along_axis(best, kept, axis=1)
                rows = np.take_along_axis(rows, kept, axis=1)
        order = np.lexsort((rows, -best), axis=1)
        return np.take_along_axis(rows, order, 1), np.take_along_axis(best, order, 1)


def build_index(
    path: Path,
    model: Model,
    store: ClipStore,
    chunks: Iterable[NDArray[np.float32]],
    *,
    run: Path,
    overwrite: bool = False,
) -> None:
    """Write an index of a store's clips, whole or not at all.

    Args:
        path: the folder to make.
        model: what computed the embeddings.
        store: of the clips.
        chunks: from `Model.chunks`.
        run: where the encoder is found when queries are to be embedded.
        overwrite: replace an index that is there; anything else is never replaced.

    Raises:
        CrosscaleError: when something is there that may not be replaced.
    """
    refuse_to_replace(path, overwrite)
    with atomic_folder(path, overwrite=overwrite) as folder:
        with (folder / EMBEDDINGS).open("wb") as file:
            write_rows(file, len(store), model.dim, chunks)
        table = pa.table({"name": store.names, "label": pa.array(label_names(store), pa.string())})
        pq.write_table(table, folder / CLIPS, compression="zstd")
        facts = {
            "format": FORMAT,
            "run": str(run.resolve() if run.exists() else run),
            **facts_of(model, store),
            "bytes": {file: (folder / file).stat().st_size for file in (EMBEDDINGS, CLIPS)},
            "sha256": {file: sha256(folder / file) for file in (EMBEDDINGS, CLIPS)},
        }
        (folder / DESCRIPTION).write_text(
            json.dumps(with_checksum(facts), indent=1) + "\n", encoding="utf-8"
        )


def refuse_to_replace(path: Path, overwrite: bool) -> None:
    """Let an index be written where nothing is lost by it.

    Raises:
        CrosscaleError: when something else is there, or an index that may not be replaced.
    """
    if path.exists():
        if not overwrite:
            raise CrosscaleError(f"{path} exists already; choose another folder or say --overwrite")
        _load(path)  # of any version


def _describe(path: Path) -> dict[str, Any]:
    facts = _load(path)
    refuse_other_version(path / DESCRIPTION, facts["format"], FORMAT, "build it again")
    if missing := sorted({"run", "encoder", "width", "bytes", "sha256"} - facts.keys()):
        raise CrosscaleError(f"{path / DESCRIPTION} lacks {', '.join(missing)}; build it again")
    return checked(facts, path / DESCRIPTION, "build it again")


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise CrosscaleError(f"{path} does not exist; make an index with: crosscale index")
    try:
        facts = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = None
    if not isinstance(facts, dict) or not is_version_of(facts.get("format"), FORMAT):
        raise CrosscaleError(
            f"{path} is no search index (no {DESCRIPTION} of the form '{FORMAT}'); "
            "make one with: crosscale index"
        )
    return facts


def _check_sum(file: Path, facts: dict[str, Any]) -> None:
    if sha256(file) != facts["sha256"].get(file.name):
        raise CrosscaleError(
            f"{file} has changed since it was written (its checksum differs); build it again"
        )
