"""Embeddings in a file: Parquet or npz, a part at a time, with where they come from."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crosscale import __version__
from crosscale.data.store import ClipStore
from crosscale.inference.labels import label_names
from crosscale.inference.tables import check_ending
from crosscale.models.model import Model
from crosscale.utils.files import atomic_path

Chunks = Iterable[NDArray[np.float32]]
FORMAT = "crosscale embeddings 1"
ENDINGS = (".parquet", ".npz")


def facts_of(model: Model, store: ClipStore) -> dict[str, Any]:
    """What embeddings depend on: encoder and store."""
    return {
        "crosscale": __version__,
        "encoder": model.fingerprint,
        "streams": model.dims,
        "width": model.dim,
        "layout": model.layout.name,
        "store": str(store.path.resolve()),
        "store_sha256": store.fingerprint,
    }


def write_embeddings(path: Path, model: Model, store: ClipStore, chunks: Chunks) -> None:
    """Write the embeddings of a store's clips, in its order.

    Parquet: columns name, label (null where unknown) and embedding (a list of D float32); the
    facts as JSON under `crosscale` in the file's metadata. npz: arrays names (N,), labels (N,)
    (empty where unknown), embeddings (N, D) and crosscale, the facts as JSON.

    Raises:
        CrosscaleError: when the ending is another one, or the file cannot be written.
    """
    ending = check_ending(path, ENDINGS)
    facts = json.dumps({"format": FORMAT, **facts_of(model, store)})
    write = _write_parquet if ending == ".parquet" else _write_npz
    with atomic_path(path) as temporary:
        write(temporary, store, chunks, model.dim, facts)


def write_rows(file: BinaryIO | Any, rows: int, width: int, chunks: Chunks) -> None:
    """Write an `.npy` of (rows, width) float32 from its parts."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(file, header)
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk, "<f4").data)


def _write_parquet(path: Path, store: ClipStore, chunks: Chunks, width: int, facts: str) -> None:
    columns = [
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("embedding", pa.list_(pa.float32(), width), nullable=False),
    ]
    schema = pa.schema(columns, metadata={"crosscale": facts})
    words = pa.table({"name": store.names, "label": pa.array(label_names(store), pa.string())})
    start = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for chunk in chunks:
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(chunk.ravel()), width)
            part = words.slice(start, len(chunk)).append_column("embedding", vectors)
            writer.write_table(part.cast(schema))
            start += len(chunk)


def _write_npz(path: Path, store: ClipStore, chunks: Chunks, width: int, facts: str) -> None:
    with path.open("wb") as file:  # else the name would have to end in .npz
        np.savez(
            file,
            names=np.array(store.names, np.str_),
            labels=np.array([label or "" for label in label_names(store)], np.str_),
            crosscale=np.array(facts),
            embeddings=np.concatenate([np.empty((0, width), np.float32), *chunks]),
        )
