"""A small valid source of every reader, made by the makers of the readers' own tests."""

import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import test_arrays
import test_azure
import test_kinect_csv
import test_markers
import test_mediapipe
import test_moments
import test_msr
import test_named_joints as named
import test_nwucla
import test_rows
import test_sbu
import test_utdmhad
import test_utkinect
from scipy.io import savemat

import bvh_files
import estimator_files as estimated
import skeleton_files
from crosscale.readers.datasets.ntu import read_missing
from crosscale.readers.naming import read_naming_table, rows_by_clip
from crosscale.readers.safe.pickles import load_pickle
from crosscale.synthesis.formats import write_openpose
from crosscale.utils.arrayfiles import open_array, open_arrays

Files = dict[str, bytes]


@dataclass(frozen=True)
class Sample:
    """A source, one of whose files is to be damaged.

    Attributes:
        name: of the sample.
        source_format: the reader, by its name on the command line; empty for a single file.
        files: content by path below the source.
        damaged: path of the file to be damaged.
        source: path below the folder that the reader is given.
        options: of the reader; {folder} in a text stands for the folder.
        read: what reads a single file, for which there is no reader.
    """

    name: str
    source_format: str
    files: Files
    damaged: str
    source: str = "."
    options: dict[str, str] = field(default_factory=dict)
    read: Callable[[Path], object] | None = None

    @property
    def ending(self) -> str:
        """Of the file to be damaged."""
        return Path(self.damaged).suffix


def written(write: Callable[[Path], object]) -> Files:
    """What a function writes into a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


FRAMES = 6
TWO = np.array([[estimated.person("coco17", x + 3 * t) for x in (100, 300)] for t in range(FRAMES)])
CLIPS = [
    np.random.default_rng(t).normal(size=(t, m, 25, 3)).astype(np.float32)
    for t, m in zip(test_arrays.LENGTHS, test_arrays.BODIES, strict=True)
]


def text(name: str, content: str | bytes) -> Files:
    return {name: content.encode() if isinstance(content, str) else content}


def skeletons() -> bytes:
    return skeleton_files.skeleton_text(
        [
            [
                (f"7205759{b}", skeleton_files.standing(x, sway=0.05 * t))
                for b, x in ((1, 0), (2, 2))
            ]
            for t in range(3)
        ]
    )


EXAMPLES = Path(__file__).parents[2] / "examples"
# As spreadsheets write them: endings of files in the names, a blank behind a label.
LABELLED = "name;label;subject\r\na.npz;gr\u00fc\u00dfen;1\r\n\u00fcbung;gehen ;2\r\n"


def plain_npz() -> Files:
    return written(
        lambda folder: np.savez(
            folder / "set.npz",
            names=["a", "b"],
            coordinates=np.concatenate([clip[:, :1] for clip in CLIPS[:2]]),
            frames=[4, 6],
            labels=[0, 1],
            subjects=[1, 2],
            frame_rates=[30.0, 25.0],
            parts=["train", "test"],
        )
    )


def one_npz() -> Files:
    return written(
        lambda folder: np.savez(
            folder / "one.npz", coordinates=CLIPS[1], label="wave", subject=1, layout="ntu25"
        )
    )


def npz_of_gaps() -> Files:
    x = test_rows.PERSON.astype(np.float32)
    x[2, 5] = np.nan
    return written(lambda folder: np.savez(folder / "one.npz", coordinates=x, layout="kinect20"))


def mediapipe_alone(form: str) -> Files:
    frames = [test_mediapipe.ALONE[form](one) for one in test_mediapipe.world(3)]
    return text("a.json", json.dumps(frames))


def ui_prmd() -> Files:
    rows = np.random.default_rng(0).uniform(1, 50, (3, 66)).round(2)
    packed = gzip.compress(test_rows.lines(rows, ",").encode(), mtime=0)
    name = "{0}/m01_s02_e03_{0}.txt.gz"
    return {name.format(kind): packed for kind in ("positions", "angles")}


def mediapipe(shape: str) -> Files:
    pairs = zip(test_mediapipe.world(3), test_mediapipe.image(3), strict=True)
    frames = [test_mediapipe.SHAPES[shape](*pair) for pair in pairs]
    told = {"width": 640, "height": 480, "fps": 25, "frames": frames}
    return text("a.json", json.dumps(told))


def mediapipe_csv() -> Files:
    header = [f"{joint}_{axis}" for joint in test_mediapipe.JOINTS for axis in test_mediapipe.KEYS]
    rows = [map(str, frame.ravel().tolist()) for frame in test_mediapipe.world(3)]
    return text("a.csv", "\n".join(",".join(row) for row in [header, *rows]))


def kinect_rows() -> Files:
    person = test_kinect_csv.bodies("kinect20", 3)
    rows = [
        f"{t},1,{joint},{','.join(map(str, person[t, j]))}"
        for t in range(3)
        for j, joint in enumerate(test_kinect_csv.SENSORS["kinect20"])
    ]
    return text("a.csv", "\n".join(["time,body,joint,x,y,z", *rows]))


def bvh() -> Files:
    body = bvh_files.person(100.0)
    return text("a.bvh", bvh_files.text(body, bvh_files.still(body, 4, (0, 90, 0))))


def utkinect() -> Files:
    rows = test_utkinect.rows(test_utkinect.NUMBERS[:10], test_utkinect.PERSON[:10])
    files = text("joints/joints_s04_e02.txt", rows)
    table = "s04_e02\nwalk: 100 106\nsitDown: 108 118\nstandUp: NaN NaN\n"
    return text("actionLabel.txt", table) | files


def sources() -> Iterator[tuple[str, str, Files]]:
    """Name, reader and files of samples whose first file is to be damaged."""
    walking = estimated.walking("coco17", FRAMES)
    yield "ntu60", "ntu60", text("S001C001P001R001A001.skeleton", skeletons())
    yield "ntu120", "ntu120", text("S018C001P001R001A101.skeleton", skeletons())
    yield "nwucla", "nwucla", text("all_sqe/a08_s03_e01_v02.json", json.dumps(NWUCLA))
    skeleton = {"d_skel": test_utdmhad.SKELETON}
    mat = written(lambda folder: savemat(folder / "a27_s8_t4_skeleton.mat", skeleton))
    yield "utdmhad", "utdmhad", mat
    arrays = written(lambda folder: test_arrays.write_npy(folder, CLIPS))
    yield "ntu60-arrays-pkl", "ntu60-arrays", arrays
    yield "ntu60-arrays-npy", "ntu60-arrays", dict(reversed(arrays.items()))
    x = written(lambda folder: test_arrays.write_npz(folder, CLIPS))
    yield "ntu120-arrays-npz", "ntu120-arrays", x
    annotations = [test_arrays.annotation(i, clip) for i, clip in enumerate(CLIPS)]
    split = {"train": test_arrays.NAMES[:2], "val": test_arrays.NAMES[2:]}
    kept = written(lambda folder: test_arrays.write_annotations(folder, annotations, split))
    yield "arrays-annotations", "ntu60-arrays", kept
    yield "npz-of-many", "npz", plain_npz()
    yield "npz-of-one", "npz", one_npz()
    yield "npz-of-gaps", "npz", npz_of_gaps()
    yield "bvh", "bvh", bvh()
    points = test_markers.millimetres_z_up(test_markers.standing(4))
    for units, scale in (("mm  ", -1.0), ("m   ", 1.0)):
        name = "c3d" if scale < 0 else "c3d-of-integers"
        yield (
            name,
            "c3d",
            written(
                lambda f, u=units, s=scale: test_markers.write_c3d(
                    f / "a.c3d", points, units=u, scale=s
                )
            ),
        )
    missing = {(1, 3)}
    trc = written(lambda f: test_markers.write_trc(f / "a.trc", points, missing=missing))
    yield "trc", "trc", trc
    body25 = estimated.walking("openpose25", 3)
    yield "openpose", "openpose", written(lambda f: write_openpose(f / "clip", body25))
    yield "alphapose", "alphapose", text("a.json", estimated.alphapose(walking, ids=True))
    yield "mmpose", "mmpose", text("a.json", estimated.mmpose(walking, {"dataset_name": "coco"}))
    people = [[*frame, frame[0] + [200, 0, 0]] for frame in walking]
    lists = estimated.ultralytics(people, ids=True)
    yield "ultralytics", "ultralytics", text("a.json", json.dumps(estimated.ultralytics(people)))
    lines = "\n".join(map(json.dumps, lists))
    yield "ultralytics-lines", "ultralytics", text("a.jsonl", lines)
    for shape in ("tasks", "javascript", "protobuf"):
        yield f"mediapipe-{shape}", "mediapipe", mediapipe(shape)
    for form in ("list", "numbers", "by name"):
        yield f"mediapipe-{form.replace(' ', '-')}", "mediapipe", mediapipe_alone(form)
    yield "mediapipe-csv", "mediapipe", mediapipe_csv()
    moments, numbers = test_moments.bodies(NUMBERS), list(NUMBERS)
    numbered = written(lambda f: test_moments.write_mediapipe(f / "a.csv", numbers, moments))
    yield "mediapipe-csv-of-frames", "mediapipe", numbered
    world = test_mediapipe.world(3)
    yield "mediapipe-npy", "mediapipe", written(lambda f: np.save(f / "a.npy", world))
    yield "deeplabcut", "deeplabcut", written(lambda f: named.write_deeplabcut(f / "a.csv", TWO))
    yield (
        "deeplabcut-h5",
        "deeplabcut",
        written(lambda f: named.write_deeplabcut_h5(f / "a.h5", TWO)),
    )
    yield "sleap-h5", "sleap", written(lambda f: named.write_sleap_h5(f / "a.h5", TWO))
    yield (
        "sleap-h5-dims",
        "sleap",
        written(lambda f: named.write_sleap_h5(f / "a.h5", TWO, standard=True)),
    )
    yield "sleap-csv", "sleap", written(lambda f: named.write_sleap_csv(f / "a.csv", TWO))
    for ending in (".csv", ".parquet"):
        columns = named.long_rows(TWO, clip="a", label="wave")
        yield (
            f"long-{ending[1:]}",
            "long",
            written(lambda f, c=columns, e=ending: named.write_long(f / f"a{e}", c)),
        )
    cells = test_rows.named_cells()
    yield "table", "table", text("a.csv", cells)
    yield "table-packed", "table", {"a.csv.gz": gzip.compress(cells.encode(), mtime=0)}
    space = named.long_in_space(named.in_space(4))
    yield "long-in-space", "long", written(lambda f: named.write_long(f / "a.csv", space))
    kinect = test_kinect_csv.wide("ntu25", test_kinect_csv.bodies("ntu25", 3), body="BodyID")
    yield "kinect", "kinect", text("a.csv", kinect)
    yield "kinect-rows-of-joints", "kinect", kinect_rows()
    clock = written(
        lambda f: test_moments.write_kinect(
            f / "a.csv", [33.3 * t for t in NUMBERS], moments, "Timestamp", body=True
        )
    )
    yield "kinect-of-timestamps", "kinect", clock
    azure = test_azure.recording(test_azure.person(3), test_azure.person(3, 2.0))
    yield "azure", "azure", text("a.json", json.dumps(azure))
    yield "msr", "msr", text("a03_s07_e02_skeleton3D.txt", test_msr.rows(test_msr.PERSON[:3]))
    yield "utkinect-labels", "utkinect", utkinect()
    yield "utkinect", "utkinect", dict(reversed(utkinect().items()))
    sbu = test_sbu.rows(test_sbu.normalised(test_sbu.PAIR))
    yield "sbu", "sbu", text("s02s03/05/001/skeleton_pos.txt", sbu)
    for files in (ui_prmd(), dict(reversed(ui_prmd().items()))):
        kind = next(iter(files)).partition("/")[0]
        yield f"ui-prmd-{kind}", f"{EXAMPLES / 'ui_prmd.py'}:UiPrmd", files


NUMBERS = (7, 8, 9, 12, 13, 14)  # of frames, of which some are skipped
NWUCLA = {"file_name": "a08_s03_e01_v02", "label": 7, "skeletons": test_nwucla.SKELETONS}


def told() -> Iterator[tuple[str, str, Files, dict[str, str]]]:
    """Samples as `sources` gives them, and options without which they cannot be read."""
    person = test_rows.PERSON
    joints, frames = person.reshape(-1, 3), person.reshape(len(person), -1)
    kinect = {"layout": "kinect20"}
    yield "table-of-joints", "table", text("a.txt", test_rows.lines(joints)), kinect
    axes = text("a.tsv", "x\ty\tz\n" + test_rows.lines(joints, "\t"))
    yield "table-under-axes", "table", axes, kinect
    commas = text("a.csv", test_rows.lines(frames, ";").replace(".", ","))
    yield "table-of-frames", "table", commas, {"joints": ", ".join(test_rows.NAMES)}
    yield "npz-in-millimetres", "npz", npz_of_gaps(), {"units": "millimetres", "up": "-z"}
    trc = written(lambda f: test_moments.write_trc(f / "a.trc", [1, 2, 3, 5], CLIPS[0][:4, 0]))
    blanks = {
        name: content.replace(b"\t\t\t", b" ").replace(b"\t", b" ") for name, content in trc.items()
    }
    yield "trc-of-blanks", "trc", blanks, {"layout": "ntu25", "up": "y"}


def tables() -> Iterator[Sample]:
    """What a reader is told beside the recordings, and files that several readers open."""
    clips = {f"{name}.skeleton": skeletons() for name in ("a", "b")}
    labels = {"labels.csv": b"a,wave\nb,walk\n"}
    yield Sample(
        *("skeleton-labels", "skeleton", {f"clips/{k}": v for k, v in clips.items()} | labels),
        *("labels.csv", "clips", {"labels": "{folder}/labels.csv"}),
    )
    listed = {"missing.txt": b"S001C001P001R001A002\r\n S001C001P001R001A003.skeleton \n"}
    ntu = {"clips/S001C001P001R001A001.skeleton": skeletons()}
    yield Sample(
        *("ntu60-missing", "ntu60", ntu | listed, "missing.txt", "clips"),
        {"missing": "{folder}/missing.txt"},
    )
    alone: list[tuple[str, Files, Callable[[Path], object]]] = [
        ("pickle", written(lambda f: test_arrays.write_npy(f, CLIPS)), load_pickle),
        ("array", written(lambda f: np.save(f / "a.npy", CLIPS[0])), open_array),
        ("arrays", plain_npz(), open_arrays),
        ("label-file", labels, read_naming_table),
        ("missing-list", listed, read_missing),
        ("label-file-cp1252", text("labels.csv", LABELLED.encode("cp1252")), matched),
        ("label-file-utf16", text("labels.csv", LABELLED.encode("utf-16")), matched),
    ]
    for name, files, read in alone:
        path = next(iter(files))
        yield Sample(name, "", {path: files[path]}, path, read=read)


def matched(table: Path) -> object:
    """What a table tells of two clips."""
    return rows_by_clip(table, ["a", "u\u0308bung"])


@cache
def samples() -> dict[str, Sample]:
    """All samples by their names."""
    found = [Sample(name, kind, files, next(iter(files))) for name, kind, files in sources()]
    found += [Sample(*told_, next(iter(told_[2])), options=o) for *told_, o in told()]
    return {sample.name: sample for sample in [*found, *tables()]}
