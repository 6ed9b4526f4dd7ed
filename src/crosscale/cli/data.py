"""`crosscale prepare`, `crosscale data check` and `crosscale data show`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from crosscale.cli.console import plain_console, plain_table
from crosscale.data import duplicates as checking
from crosscale.data import merge as merging
from crosscale.data.official import differences
from crosscale.data.splits import protocols, split
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.auto import recognise
from crosscale.readers.mocap.space import Units, Up
from crosscale.readers.naming import Naming
from crosscale.readers.prepare import COUNTED, REPORT, PrepareReport
from crosscale.readers.prepare import prepare as prepare_store
from crosscale.utils.choices import Runner
from crosscale.utils.text import counted

_SHOWN = 10  # of a list that may be long; the whole of it is in the report
_PLURAL = {"label": "classes", "subject": "subjects", "camera": "cameras", "setup": "set-ups"}


def prepare(
    source_format: str,
    source: Path,
    *,
    out: Path,
    layout: str | None = None,
    joints: str | None = None,
    bodies_by: Literal["id", "position"] | None = None,
    max_bodies: int | None = None,
    missing: Path | None = None,
    labels: Path | None = None,
    units: Units | None = None,
    up: Up | None = None,
    confidence: float | None = None,
    reader: dict[str, Any] | None = None,
    label_from_folder: bool = False,
    pattern: str | None = None,
    table: Path | None = None,
    frame_rate: float | None = None,
    strict: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    shard_clips: int | None = None,
    runner: Runner = "here",
) -> PrepareReport:
    """Read recordings into a store: one folder that all other commands take.

        crosscale prepare auto takes --out stores/takes --label-from-folder

    A recording that cannot be used is skipped, with the reason in the report.

    Args:
        source_format: the form of the recordings, such as ntu60, openpose or bvh: one of
            `crosscale list readers`, or auto, which looks at some files and says how it knew. A
            reader of your own is named as `my_file:MyReader` or `path/to/file.py:MyReader`.
        source: the folder or file with the recordings.
        out: the store to make.
        layout: the skeleton, a built-in name or a YAML file, for formats that do not fix it.
        joints: names of the joints in the order of a table's rows, with commas between; by default
            the order of the layout.
        bodies_by: id follows people by their id, position takes the published order (NTU and other
            `.skeleton` files).
        max_bodies: people to keep of those seen, the longest there and liveliest first; by default
            2 (NTU, pose estimators, videos).
        missing: the official list of samples with missing skeletons, to be left out (NTU).
        labels: the file of names and labels, for formats that keep them apart.
        units: of the coordinates, where files do not say theirs; by default what fits a body's
            height (motion capture, tables), or metres (npz, arrays and others).
        up: the axis that points up; by default that of most torsos (motion capture, tables), or y.
        confidence: joints of pose estimators below it are missing; by default 0.3 in pictures, 0.1
            in videos.
        reader: fields of a reader of your own, such as `--reader.unit 0.001`.
        label_from_folder: the folder that a recording lies in is its label.
        pattern: what a recording's name tells, as a regular expression with groups out of label,
            subject, camera, setup, repetition and part:
            `--pattern '(?P<label>[a-z]+)_s(?P<subject>[0-9]+)'`.
        table: a CSV or Parquet file with a column name and columns as the groups of the pattern;
            clips that it does not name stay without label.
        frame_rate: frames a second of recordings whose files do not say theirs.
        strict: stop at the first recording that cannot be used.
        shard_clips: write a file of frames for each so many clips, for collections that are copied
            or kept in pieces; all commands read them as one. By default one file.
        runner: where recordings are read: here on this machine, ray on all of a Ray cluster
            (RAY_ADDRESS), which must find them under the same paths.
    """
    console = plain_console()
    if source_format == "auto":
        found = recognise(source)
        source_format = found.source_format
        console.print(f"auto: {source_format}, since {found.reason}")
    options: dict[str, Any] = {
        "layout": layout,
        "joints": joints,
        "bodies_by": bodies_by,
        "max_bodies": max_bodies,
        "missing": missing,
        "labels": labels,
        "units": units,
        "up": up,
        "confidence": confidence,
    }
    chosen = make_reader(source_format, **options | (reader or {}))
    named = label_from_folder or pattern or table
    report = prepare_store(
        chosen,
        source,
        out,
        naming=Naming(label_from_folder, pattern, table) if named else None,
        frame_rate=frame_rate,
        strict=strict,
        overwrite=overwrite,
        workers=workers,
        shard_clips=shard_clips,
        runner=runner,
    )
    _tell(console, report, chosen.name)
    return report


def check(store: Path, *, protocol: str | None = None) -> checking.CheckReport:
    """Verify a store's checksums and find test clips that equal training clips.

        crosscale data check stores/nwucla

    Args:
        protocol: the split to look at; by default all that come with the store, or else the folds
            that `evaluate` takes.
    """
    console = plain_console()
    opened = ClipStore.open(store)
    report = checking.check(opened, protocol)
    console.print(f"{store}: {counted(report.clips, 'clip')}, checksums agree")
    for parts in report.parts:
        _tell_parts(console, parts)
    for name, reason in report.not_served.items():
        console.print(f"{name} cannot be checked: {reason}", style="yellow")
    count = sum(len(names) for names in report.repeated)
    have = "has" if count == 1 else "have"
    console.print(f"{counted(count, 'clip')} of the store {have} the coordinates of another")
    if not report.parts:
        _some(console, [" = ".join(names) for names in report.repeated])
    return report


def merge(
    stores: list[Path], *, out: Path, layout: str = "part10", overwrite: bool = False
) -> ClipStore:
    """Write the clips of several stores into one, in a layout that all can be brought to.

        crosscale data merge stores/nwucla stores/utdmhad --out stores/both

    Sensors that see other joints still see the same ten parts of the body, so one encoder can
    learn from all of them.

    Args:
        stores: made by `crosscale prepare`; of several of one kind each has a name before it,
            NAME=PATH, which their clips' names begin with.
        out: the store to make; the protocol `given` keeps the stores' own training and test parts.
        layout: the layout that all clips are brought to; all bodies get one size with it.
    """
    opened, names = [], []
    for store in map(str, stores):
        name, equals, path = store.partition("=") if not Path(store).exists() else ("", "", "")
        opened.append(ClipStore.open(Path(path if equals else store)))
        names.append(name if equals else opened[-1].name)
    merged = merging.merge(opened, out, names=names, layout=layout, overwrite=overwrite)
    plain_console().print(
        f"{counted(len(merged), 'clip')} of {counted(len(stores), 'store')} written to {out}"
    )
    return merged


def show(store: Path, *, clips: int = 10) -> ClipStore:
    """Tell what a store holds: classes, subjects, cameras, protocols and the first clips.

        crosscale data show stores/mine --clips 20

    Args:
        clips: how many clips to list.
    """
    console = plain_console()
    opened = ClipStore.open(store)
    frames = int(opened.column("frames").sum())
    console.print(
        f"{store}: {opened.name}, {counted(len(opened), 'clip')}, {counted(frames, 'frame')}, "
        f"layout {opened.layout.name} ({counted(len(opened.layout.joints), 'joint')})"
        + (f", in {opened.shards:,} shards" if opened.shards > 1 else "")
    )
    console.print(f"read from {opened.provenance['source']}, {opened.provenance['written'][:16]}")
    counts = _counts(opened)
    _tell_counts(console, counts)
    for name in protocols(opened):
        console.print(_parts_line(opened, name))
    _tell_published(console, differences(opened), opened.name)
    found = [name for name in opened.classes if name in counts["label"]]
    if found:
        rows = [(name, f"{counts['label'][name]:,}") for name in found]
        console.print(plain_table(["class", "clips"], rows))
    if absent := len(opened.classes) - len(found):
        console.print(f"{counted(absent, 'further class')} without a clip")
    console.print(_first_clips(opened, clips))
    if len(opened) > clips:
        console.print(f"  and {len(opened) - clips:,} more")
    return opened


def _tell(console: Console, report: PrepareReport, name: str) -> None:
    """What was read, skipped, left out and repaired, and whether the counts are as published."""
    console.print(
        f"{counted(report.read, 'clip')} read into {report.store} in {report.seconds:.1f} s, "
        f"layout {ClipStore.open(report.store).layout.name}"
    )
    _tell_counts(console, report.counts)
    labelled = report.counts["label"].total()
    if 0 < labelled < report.read:
        console.print(f"{counted(report.read - labelled, 'clip')} without a label")
    for reason, count in report.left_out.items():
        console.print(f"{count:,} left out: {reason}")
    for note, count in report.repairs().items():
        console.print(f"{counted(count, 'clip')} repaired: {note}")
    for doubt in report.doubts:
        console.print(doubt, style="yellow")
    if report.skipped:
        many = counted(len(report.skipped), "recording")
        console.print(f"{many} SKIPPED, for these reasons:", style="yellow")
        _some(console, [one.reason for one in report.skipped])
        console.print(f"all of them, with reasons: {report.store / REPORT}")
    else:
        console.print("none skipped")
    _tell_published(console, report.differences, name)


def _tell_counts(console: Console, counts: Mapping[str, Counter[Any]]) -> None:
    for column, counter in counts.items():
        if counter:
            least, most = min(counter.values()), max(counter.values())
            each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            clips = "clip" if most == 1 else "clips"
            console.print(f"{_PLURAL[column]}: {len(counter):,}, of {each} {clips} each")
        else:
            console.print(f"{_PLURAL[column]}: not known")


def _tell_published(console: Console, differing: list[str] | None, name: str) -> None:
    if differing is None:
        return
    if not differing:
        console.print(f"agrees with the published counts of {name}", style="green")
        return
    console.print(
        f"differs from the published counts of {name} (right for a part of it):", style="yellow"
    )
    for line in differing:
        console.print(f"  {line}")


def _tell_parts(console: Console, parts: checking.PartsCheck) -> None:
    several = parts.folds > 1
    train = f"{parts.folds} folds" if several else f"{parts.train:,} train"
    console.print(f"{parts.protocol}: {train}, {parts.test:,} test")
    if equal := len(parts.duplicates):
        clips = "1 TEST CLIP EQUALS" if equal == 1 else f"{equal:,} TEST CLIPS EQUAL"
        console.print(
            f"  {clips} A TRAINING CLIP in all coordinates"
            f"{', of another fold' if several else ''}; "
            f"the leak-free test has the other {parts.test - equal:,}:",
            style="yellow",
        )
        _some(console, [f"{test} = {train}" for test, train in parts.duplicates])
    else:
        console.print("  no test clip equals a training clip", style="green")
    within_test = "one fold" if several else "the test part"
    for where, groups in (
        ("the training part", parts.within_train),
        (within_test, parts.within_test),
    ):
        if groups:
            console.print(f"  equal clips within {where}:", style="yellow")
            _some(console, [" = ".join(names) for names in groups])


def _parts_line(store: ClipStore, protocol: str) -> str:
    try:
        parts = split(store, protocol)
    except CrosscaleError as error:
        return f"protocol {error}"
    tests = ", ".join(f"{len(rows):,} {name}" for name, rows in parts.tests.items())
    return f"protocol {protocol}: {len(parts.train):,} train; test {tests}"


def _counts(store: ClipStore) -> dict[str, Counter[Any]]:
    counts: dict[str, Counter[Any]] = {}
    for column in COUNTED:
        values = store.column(column)
        counts[column] = Counter(values[values >= 0].tolist())
    counts["label"] = Counter({store.classes[i]: n for i, n in counts["label"].items()})
    return counts


def _first_clips(store: ClipStore, count: int) -> Table:
    rows = store.table.slice(0, count).to_pylist()
    columns = ("frames", "bodies", "subject", "camera", "setup", "repetition", "frame_rate")
    known = [column for column in columns if any(row[column] is not None for row in rows)]
    cells = [
        [row["name"], "" if row["label"] is None else store.classes[row["label"]]]
        + ["" if row[column] is None else f"{row[column]:g}" for column in known]
        for row in rows
    ]
    return plain_table(["clip", "class", *known], cells)


def _some(console: Console, lines: Sequence[str]) -> None:
    for line in lines[:_SHOWN]:
        console.print(f"  {line}")
    if len(lines) > _SHOWN:
        console.print(f"  and {len(lines) - _SHOWN:,} more")
