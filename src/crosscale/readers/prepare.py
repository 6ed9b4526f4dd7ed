"""From a folder of recordings to a clip store, with an account of what became of each."""

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from crosscale.data.clip import Clip
from crosscale.data.official import differences
from crosscale.data.store import ClipStore, StoreWriter
from crosscale.data.store_files import Row
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers.base import Item, Reader, fitted
from crosscale.readers.mocap.space import doubts, measured
from crosscale.readers.naming import Naming
from crosscale.readers.reading import Outcome, read_all, read_over_cluster
from crosscale.skeleton.layout import Layout
from crosscale.utils.choices import Runner
from crosscale.utils.progress import tracked
from crosscale.utils.text import alike, composed, none_can

REPORT = "report.json"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
COUNTED = ("label", "subject", "camera", "setup")


@dataclass(frozen=True)
class Skipped:
    """A recording that could not be used."""

    name: str
    path: str
    reason: str


@dataclass
class PrepareReport:
    """What became of every recording of a source.

    Attributes:
        store: the folder made.
        read: clips in the store.
        skipped: recordings that could not be used, and why.
        left_out: how many were left out on purpose, by reason.
        repaired: how many clips had which kind of fault that the reader repaired.
        counts: clips by value of `label`, `subject`, `camera` and `setup`, where known.
        doubts: what speaks against the unit and axes that were taken, and classes that are alike.
        differences: from the published counts of the data set; None where there are none.
        seconds: how long it took.
    """

    store: Path
    read: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[Any]] = field(
        default_factory=lambda: {name: Counter() for name in COUNTED}
    )
    doubts: list[str] = field(default_factory=list)
    differences: list[str] | None = None
    seconds: float = 0.0
    _words: dict[str, list[str]] = field(default_factory=dict)  # between a kind's numbers
    _numbers: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _amounts: Counter[str] = field(default_factory=Counter)

    def count(self, row: Row) -> None:
        """Take a clip of the store into account."""
        self.read += 1
        kinds = set()
        for note in row["notes"]:
            words, numbers, count = _parts(note)
            kinds.add(kind := "N".join(words))
            self._words[kind] = words
            known = self._numbers.setdefault(kind, [(n, n) for n in numbers])
            self._numbers[kind] = [
                (min(least, n), max(most, n))
                for (least, most), n in zip(known, numbers, strict=True)
            ]
            self._amounts[kind] += count
        self.repaired.update(kinds)
        for name, counter in self.counts.items():
            if row[name] is not None:
                counter[row[name]] += 1

    def repairs(self) -> dict[str, int]:
        """How many clips had which fault repaired, told with its numbers; the most first."""
        told = {}
        for kind, clips in self.repaired.most_common():
            spans = [_span(least, most) for least, most in self._numbers[kind]]
            words = zip_longest(self._words[kind], spans, fillvalue="")
            text, amount = "".join(chain.from_iterable(words)), self._amounts[kind]
            told[f"{text}: {amount:,} in all" if amount else text] = clips
        return told

    def save(self, folder: Path) -> None:
        """Write `report.json`, what is needed to see later which recordings are absent and why."""
        told = {
            "read": self.read,
            "skipped": [asdict(one) for one in self.skipped],
            "left_out": dict(self.left_out),
            "repaired": self.repairs(),
            "doubts": self.doubts,
            "counts": {name: dict(sorted(c.items())) for name, c in self.counts.items()},
            "seconds": round(self.seconds, 1),
        }
        text = json.dumps(told, indent=1, ensure_ascii=False)
        (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def prepare(
    reader: Reader,
    source: Path,
    out: Path,
    *,
    naming: Naming | None = None,
    frame_rate: float | None = None,
    strict: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    shard_clips: int | None = None,
    runner: Runner = "here",
) -> PrepareReport:
    """Read all recordings below `source` into a clip store.

    Args:
        reader: knows the form of the recordings.
        source: where they are.
        out: the store to make; it appears when all is done.
        naming: tells labels and more of recordings whose files say nothing, or otherwise; classes
            are then those that the clips have.
        frame_rate: frames a second of recordings whose files do not say theirs.
        strict: stop at the first recording that cannot be used, instead of skipping it.
        overwrite: replace a store that is there.
        workers: processes at most; None takes one for each core.
        shard_clips: clips in a file of frames at most; None writes one file.
        runner: whether recordings are read on this machine, or by all of a Ray cluster.

    Returns:
        What was read, skipped, left out and repaired; also saved in the store.

    Raises:
        CrosscaleError: when nothing can be read or written, or the frame rate is not above 0;
            `BadClip` when `strict`.
    """
    begin = time.monotonic()
    if frame_rate is not None and not (math.isfinite(frame_rate) and frame_rate > 0):
        raise CrosscaleError(f"the frame rate must be a number above 0, not {frame_rate:g}")
    given, reader = reader, fitted(reader, source)
    report = PrepareReport(out)
    kept: dict[str, Path] = {}
    writer = StoreWriter(
        out,
        name=reader.name,
        layout=Layout.of(reader.layout),
        classes=None if naming else reader.classes,
        shard_clips=shard_clips,
        overwrite=overwrite,
    )
    with writer:
        found = reader.find(source)
        rows = naming.rows(found, source) if naming else {}
        report.left_out.update(item.left_out for item in found if item.left_out)
        items = [item for item in found if not item.left_out]
        read = (
            read_over_cluster(reader, items)
            if runner == "ray"
            else read_all(reader, items, workers)
        )
        measures = []
        rates = {None: frame_rate, getattr(reader, "frame_rate", None): frame_rate}
        with closing(read) as outcomes:
            for outcome in tracked(outcomes, "reading recordings", len(items)):
                reason = _repeated(outcome, kept) or _store(
                    writer, outcome, partial(_told, naming, source, rows, rates), report
                )
                if not reason and outcome.clip:
                    kept[outcome.clip.name] = outcome.item.path
                if not reason and outcome.clip and outcome.clip.coordinates.shape[-1] == 3:
                    measures.append(measured(outcome.clip.coordinates, writer.layout))
                if reason and strict:
                    raise BadClip(f"{reason} (stopped by --strict, nothing was written)")
                if reason:
                    item = outcome.item
                    report.skipped.append(Skipped(item.name, str(item.path), reason))
        if not report.read:
            raise CrosscaleError(_nothing(source, report))
        writer.provenance |= {"source": str(source), "reader": type(given).__name__}
        writer.provenance["options"] = _options(given)
        if naming is not None:
            writer.provenance["naming"] = _options(naming)
        if frame_rate is not None:
            writer.provenance["frame_rate"] = frame_rate
        report.doubts = alike(label for label in report.counts["label"])
        if measures:
            report.doubts += doubts(measures, optional=hasattr(reader, "units"))
        report.seconds = time.monotonic() - begin
        report.save(writer.folder)
    report.differences = differences(ClipStore.open(out))
    return report


def _repeated(outcome: Outcome, kept: Mapping[str, Path]) -> str:
    """What is to be said of a clip whose name another has already."""
    name = outcome.clip.name if outcome.clip else ""
    if name not in kept:
        return ""
    return f"{name}: another clip has this name already: {kept[name]} and {outcome.item.path}"


def _store(
    writer: StoreWriter,
    outcome: Outcome,
    told: Callable[[Item, Clip], dict[str, Any]],
    report: PrepareReport,
) -> str:
    """Store and count a clip, or give the reason why not."""
    if outcome.clip is None:
        return outcome.reason
    try:
        fields = told(outcome.item, outcome.clip)
        report.count(writer.add(replace(outcome.clip, **fields) if fields else outcome.clip))
    except BadClip as error:
        return str(error)
    return ""


def _told(
    naming: Naming | None,
    source: Path,
    rows: Mapping[str, Mapping[str, Any]],
    rates: Mapping[float | None, float | None],
    item: Item,
    clip: Clip,
) -> dict[str, Any]:
    """Fields of a clip that its file does not tell, or that are written in another form.

    Args:
        naming: tells labels and more.
        source: where the recordings are.
        rows: of the naming's table.
        rates: the frame rate in place of one that no file says.
        item: the recording.
        clip: what was read of it.
    """
    names = {"name": clip.name, "label": clip.label}
    told: dict[str, Any] = {key: composed(name) for key, name in names.items() if name}
    told = {key: name for key, name in told.items() if name != names[key]}
    if (rate := rates.get(clip.frame_rate)) is not None:
        told["frame_rate"] = rate
    return told | (naming.told(item, source, rows) if naming else {})


def _nothing(source: Path, report: PrepareReport) -> str:
    if report.skipped:
        first = report.skipped[0].reason
        return f"{source}: {none_can(len(report.skipped), 'recording')} be used; {first}"
    reasons = ", ".join(report.left_out)
    return f"all {report.left_out.total()} recordings in {source} are left out: {reasons}"


def _options(made: object) -> dict[str, Any]:
    """Fields of a reader or of a naming, as JSON has them."""
    names = [one.name for one in fields(made)] if is_dataclass(made) else []
    values = {name: getattr(made, name) for name in names}
    plain = str | int | float | bool | None
    return {name: v if isinstance(v, plain) else str(v) for name, v in values.items()}


def _parts(note: str) -> tuple[list[str], list[float], int]:
    """What stands between a note's numbers, these, and the count at its end; 0 for none.

    Notes that differ only in their numbers are of one kind: "gap of N frames".
    """
    counted = re.fullmatch(r"(.*): (\d+)", note)
    text, count = (counted[1], int(counted[2])) if counted else (note, 0)
    return _NUMBER.split(text), [float(number) for number in _NUMBER.findall(text)], count


def _span(least: float, most: float) -> str:
    return f"{least:,g}" if least == most else f"{least:,g} to {most:,g}"
