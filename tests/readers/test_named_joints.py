"""DeepLabCut, SLEAP and tables in long form: joints of any names."""

import csv
import json
import pickle
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.readers import make_reader
from crosscale.readers.base import fitted
from crosscale.readers.pose.deeplabcut import DeepLabCut, read_hdf5
from crosscale.readers.pose.sleap import Sleap
from crosscale.readers.prepare import prepare
from crosscale.readers.safe.pickles import unpickled
from crosscale.readers.tables.long_table import LongTable
from crosscale.skeleton.layout import Layout
from estimator_files import person, up, walking

GOLDEN = Path(__file__).parents[1] / "golden"
JOINTS = Layout.load("coco17").joints
FRAMES = np.array(walking("coco17"))  # (T, 1, 17, 3) pixels, y down, and confidence
TWO = np.stack([FRAMES[:, 0], FRAMES[:, 0] + [150, 0, 0]], axis=1)
MOUSE = ("nose", "left_ear", "right_ear", "neck", "tail_base")


def read(source_format, path, **options):
    reader = fitted(make_reader(source_format, **options), path)
    return reader.read(reader.find(path)[0])


def write_deeplabcut(path, people, names=JOINTS, single=False):
    """(T, M, V, 3) as a table; several people as individuals."""
    several = people.shape[1] > 1
    columns = [
        (f"ind{m + 1}", name, c) for m in range(people.shape[1]) for name in names for c in "xyl"
    ]
    values = people.reshape(len(people), -1)
    if single:
        columns += [("single", "corner", c) for c in "xyl"]
        values = np.concatenate([values, np.ones((len(values), 3))], axis=1)
    coords = {"x": "x", "y": "y", "l": "likelihood"}
    lines = [["scorer", *["DLC_resnet50"] * len(columns)]]
    lines += [["individuals", *(a for a, _, _ in columns)]] if several else []
    lines += [["bodyparts", *(b for _, b, _ in columns)]]
    lines += [["coords", *(coords[c] for _, _, c in columns)]]
    lines += [
        [t, *("" if np.isnan(x) else x for x in row)] for t, row in enumerate(values.tolist())
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def write_deeplabcut_h5(path, people, names=JOINTS, protocol=0, **options):
    """The same (T, M, V, 3) as pandas writes it to HDF5."""
    several = people.shape[1] > 1
    columns = [
        ("DLC_resnet50", *([f"ind{m + 1}"] if several else []), name, coord)
        for m in range(people.shape[1])
        for name in names
        for coord in ("x", "y", "likelihood")
    ]
    columns = options.get("columns", columns)
    rows = np.zeros(len(people), [("index", "<i8"), ("values_block_0", "<f8", (len(columns),))])
    rows["index"] = np.arange(len(people))
    rows["values_block_0"] = people.reshape(len(people), -1)
    levels = ["scorer", *(["individuals"] if several else []), "bodyparts", "coords"]
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        info = {1: {"names": levels, "type": "MultiIndex"}}
        group.attrs["info"] = np.bytes_(pickle.dumps(info, 0))
        table = group.create_dataset("table", data=rows)
        kind = options.get("kind", pickle.dumps(columns, protocol))
        pickled = np.void(kind) if protocol else np.bytes_(kind)
        table.attrs["values_block_0_kind"] = options.get("attribute", pickled)
    return path


def write_sleap_h5(path, people, names=JOINTS, standard=False, **options):
    """(T, M, V, 3) as an analysis file, axes as SLEAP writes them or in the new order."""
    order = (0, 1, 2, 3) if standard else (1, 3, 2, 0)
    with h5py.File(path, "w") as file:
        tracks = people[..., :2].transpose(order)
        file.create_dataset("tracks", data=tracks, compression="gzip")
        scores = people[..., 2].transpose((0, 1, 2) if standard else (1, 2, 0))
        file.create_dataset("point_scores", data=scores, compression="gzip")
        file["node_names"] = np.array([name.encode() for name in names])
        file["track_names"] = np.array([f"track_{m}".encode() for m in range(people.shape[1])])
        edges = [(b"left_hip", b"left_knee")]
        file["edge_names"] = np.array(options.get("edges", edges))
        if standard:
            file["tracks"].attrs["dims"] = json.dumps(["frame", "track", "node", "xy"])
    return path


def write_sleap_csv(path, people, names=JOINTS):
    header = ["track", "frame_idx", "instance.score"]
    header += [f"{name}.{key}" for name in names for key in ("x", "y", "score")]
    rows = [
        [f"track_{m}", t, 0.9, *("" if np.isnan(x) else x for x in one.ravel().tolist())]
        for t, frame in enumerate(people)
        for m, one in enumerate(frame)
        if not np.isnan(one).all()
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def long_rows(people, names=JOINTS, **more):
    """Columns of a table in long form."""
    frames, bodies, joints, _ = people.shape
    t, m, v = (i.ravel() for i in np.indices((frames, bodies, joints)))
    places = people.reshape(-1, people.shape[-1])
    table = {"frame": t, "person": m, "joint": np.array(names)[v]}
    table |= dict(zip(("x", "y", "confidence"), places.T, strict=True))
    return table | {key: np.full(len(t), value) for key, value in more.items()}


def write_long(path, columns):
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        rows = zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([table.column_names, *rows])
    return path


def write(kind, folder, people, names=JOINTS):
    if kind == "deeplabcut":
        return write_deeplabcut(folder / "a.csv", people, names)
    if kind == "deeplabcut.h5":
        return write_deeplabcut_h5(folder / "a.h5", people, names)
    if kind == "sleap":
        return write_sleap_h5(folder / "a.h5", people, names)
    if kind == "sleap.csv":
        return write_sleap_csv(folder / "a.csv", people, names)
    return write_long(folder / f"a{kind.removeprefix('long')}", long_rows(people, names))


KINDS = ["deeplabcut", "deeplabcut.h5", "sleap", "sleap.csv", "long.csv", "long.parquet"]
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_joints_are_matched_by_name(kind, tmp_path):
    order = np.random.default_rng(0).permutation(len(JOINTS))
    names = [JOINTS[j] for j in order]
    clip = read(kind.partition(".")[0], write(kind, tmp_path, FRAMES[:, :, order], names))
    np.testing.assert_allclose(clip.coordinates[:, 0], up(FRAMES[:, 0]), rtol=1e-5)
    assert clip.name == "a"


@each_kind
def test_people_are_who_the_file_says(kind, tmp_path):
    clip = read(kind.partition(".")[0], write(kind, tmp_path, TWO))
    assert clip.coordinates.shape[1] == 2
    np.testing.assert_allclose(clip.coordinates[:, 1], up(TWO[:, 1]), rtol=1e-5)
    expected = {"deeplabcut": ("ind1", "ind2"), "long": ("0", "1"), "sleap": ("track_0", "track_1")}
    assert clip.bodies == expected[kind.partition(".")[0]]


@each_kind
def test_missing_and_unlikely_joints_are_filled_in(kind, tmp_path):
    people = FRAMES.copy()
    people[2, 0, 5, :2] = np.nan
    people[3, 0, 7] = 9999, 9999, 0.1
    clip = read(kind.partition(".")[0], write(kind, tmp_path, people))
    np.testing.assert_allclose(clip.coordinates[:, 0], up(FRAMES[:, 0]), rtol=1e-4)
    assert "joints missing for a moment, filled by a line: 2" in clip.notes


@each_kind
def test_joints_of_no_built_in_layout_are_named_with_the_way_to_one(kind, tmp_path):
    path = write(kind, tmp_path, FRAMES[:, :, :5], MOUSE)
    told = (
        r"a\.\w+ has joints of no built-in layout: nose, .*`crosscale layout start .*a\.\w+ --out"
    )
    with pytest.raises(CrosscaleError, match=told):
        read(kind.partition(".")[0], path)


@each_kind
def test_a_layout_of_ones_own_is_used(kind, tmp_path):
    layout = tmp_path / "mouse.yaml"
    layout.write_text(
        "name: mouse\njoints: [neck, nose, left_ear, right_ear, tail_base]\ncentre: neck\n"
        "root: [neck]\nshoulders: [left_ear, right_ear]\nhips: [tail_base, tail_base]\n"
        "parents: {nose: neck, left_ear: nose, right_ear: nose, tail_base: neck}\n"
    )
    people = FRAMES[:, :, :5]
    (tmp_path / "data").mkdir()
    path = write(kind, tmp_path / "data", people, MOUSE)
    reader = make_reader(kind.partition(".")[0], layout=str(layout))
    report = prepare(reader, path.parent, tmp_path / "store")
    assert report.skipped == []
    store = ClipStore.open(tmp_path / "store")
    neck_first = people[:, 0, [3, 0, 1, 2, 4]]
    flipped = up(neck_first)
    if kind.startswith("long"):  # nothing tells but the torso, and this one lies level
        flipped = neck_first[..., :2] * [1, np.sign(store.coordinates(0)[0, 0, 0, 1])]
    np.testing.assert_allclose(store.coordinates(0)[:, 0], flipped, rtol=1e-5)


@each_kind
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_read_or_told(kind, share, tmp_path):
    path = write(kind, tmp_path, FRAMES)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    try:
        clip = read(kind.partition(".")[0], path)
    except CrosscaleError as error:
        told = str(error)
    else:
        told = "a. was read"  # rows of text may end anywhere
        assert len(clip.coordinates) < len(FRAMES) or not clip.present.all() or share > 0.8
    assert "a." in told


def test_a_tail_of_a_table_that_is_cut_off_within_a_row_is_told(tmp_path):
    path = write_deeplabcut(tmp_path / "a.csv", FRAMES)
    path.write_text(path.read_text()[:-400])
    with pytest.raises(CrosscaleError, match=r"a.csv: .*[Ee]xpected 52 columns, got"):
        read("deeplabcut", path)


def test_parts_of_the_scene_are_left_out(tmp_path):
    clip = read("deeplabcut", write_deeplabcut(tmp_path / "a.csv", TWO, single=True))
    assert clip.bodies == ("ind1", "ind2")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("scorer", "x", "first lines must begin with scorer"),
        ("bodyparts,", "bodyparts,nose,", "do not have as many cells"),
        ("likelihood", "z", "has coords z; only x, y and likelihood"),
        ("coords,x,y", "coords,x,x", "names no column, or one twice"),
        ("\n1,", "\none,", "[Cc]onversion error"),
    ],
)
def test_what_is_wrong_in_a_deeplabcut_table_is_told(old, new, told, tmp_path):
    path = write_deeplabcut(tmp_path / "a.csv", FRAMES)
    text = path.read_text().replace("\r\n", "\n")
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CrosscaleError, match=rf"a.csv: .*{told}"):
        read("deeplabcut", path)


def test_a_file_that_pandas_wrote_is_read():
    """By pandas 3.1.1 and PyTables 3.11.1, in the way of DeepLabCut: the numbers 0 to 59."""
    columns, frames, values = read_hdf5(GOLDEN / "deeplabcut_pandas.h5")
    assert columns == [
        ("DLC", animal, part, coord)
        for animal in ("mouse", "rat")
        for part in ("nose", "left_ear")
        for coord in ("x", "y", "likelihood")
    ]
    np.testing.assert_array_equal(frames, np.arange(5))
    np.testing.assert_array_equal(values, np.arange(60.0).reshape(5, 12))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_names_of_every_protocol_are_read_and_never_run(protocol, tmp_path):
    path = write_deeplabcut_h5(tmp_path / "a.h5", TWO, protocol=protocol)
    assert read("deeplabcut", path).bodies == ("ind1", "ind2")

    class Wicked:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    kind = pickle.dumps([Wicked()], protocol)
    path = write_deeplabcut_h5(tmp_path / "b.h5", TWO, protocol=protocol, kind=kind)
    with pytest.raises(
        CrosscaleError, match=r"b.h5: its column names .*not plain data .* it was not run"
    ):
        read("deeplabcut", path)
    assert not (tmp_path / "ran").exists()


@given(st.binary(max_size=30))
def test_any_bytes_are_a_value_or_are_refused(pickled):
    with suppress(CrosscaleError):
        unpickled(pickled, "it")


names_of_columns = st.lists(st.tuples(st.text(), st.text(), st.text()) | st.tuples(st.text()))


@given(names_of_columns, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_lists_of_names_are_what_pickle_says(names, protocol):
    assert unpickled(pickle.dumps(names, protocol), "it") == names


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": b""}, "its column names cannot be read"),
        ({"attribute": np.int64(10**15)}, "its column names cannot be read"),
        ({"kind": pickle.dumps([("x", "y")], 0)}, "not named by scorer, bodypart and coordinate"),
        ({"kind": pickle.dumps([("s", "nose", "x")], 0)}, "does not name its 51 columns alike"),
        ({"kind": pickle.dumps([("s", "b", "x")] * 51, 0)}, "names no column, or one twice"),
    ],
)
def test_what_is_wrong_in_hdf5_of_deeplabcut_is_told(options, told, tmp_path):
    path = write_deeplabcut_h5(tmp_path / "a.h5", FRAMES, **options)
    with pytest.raises(CrosscaleError, match=rf"a.h5: .*{told}"):
        read("deeplabcut", path)


def test_of_a_recording_in_both_forms_the_table_is_taken(tmp_path):
    write_deeplabcut(tmp_path / "a.csv", FRAMES)
    write_deeplabcut_h5(tmp_path / "a.h5", FRAMES)
    write_deeplabcut_h5(tmp_path / "b.h5", FRAMES)
    found = make_reader("deeplabcut").find(tmp_path)
    assert [item.path.name for item in found] == ["a.csv", "b.h5"]


def test_hdf5_of_other_kinds_is_answered_with_the_way_to_what_is_read(tmp_path):
    path = write_deeplabcut_h5(tmp_path / "a.h5", FRAMES)
    with pytest.raises(CrosscaleError, match=r"a.h5: lacks tracks and node_names.* of DeepLabCut"):
        read("sleap", path)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("df_with_missing")
    with pytest.raises(CrosscaleError, match=r"b.h5: has 0 tables.*analyze_videos_converth5_to_c"):
        read("deeplabcut", tmp_path / "b.h5")


@pytest.mark.parametrize("kind", ["deeplabcut.h5", "sleap"])
@pytest.mark.parametrize("way", ["link", "soft link", "bytes", "view"])
def test_hdf5_that_leads_to_another_file_is_not_followed(kind, way, tmp_path):
    path = write(kind, tmp_path, FRAMES)
    place = "tracks" if kind == "sleap" else "df_with_missing/table"
    secret = tmp_path / "secret"
    with h5py.File(path, "a") as file, h5py.File(secret, "w") as other:
        kept, attributes = file[place][()], dict(file[place].attrs)
        del file[place]
        other["all"] = kept
        if way == "link":
            file[place] = h5py.ExternalLink(str(secret), "all")
        elif way == "soft link":
            file["own"] = kept
            file[place] = h5py.SoftLink("/own")
        elif way == "bytes":
            whole = [(str(secret), 0, kept.nbytes)]
            file.create_dataset(place, kept.shape, kept.dtype, external=whole)
        else:
            view = h5py.VirtualLayout(kept.shape, kept.dtype)
            view[:] = h5py.VirtualSource(str(secret), "all", kept.shape)
            file.create_virtual_dataset(place, view)
        if not way.endswith("link"):
            file[place].attrs.update(attributes)
    with pytest.raises(CrosscaleError, match=r"a.h5: .*(leads elsewhere|another file)"):
        read(kind.partition(".")[0], path)


def test_the_order_of_axes_that_sleap_names_is_followed(tmp_path):
    old = read("sleap", write_sleap_h5(tmp_path / "a.h5", TWO))
    new = read("sleap", write_sleap_h5(tmp_path / "b.h5", TWO, standard=True))
    np.testing.assert_array_equal(old.coordinates, new.coordinates)


def test_the_skeleton_of_sleap_is_told(tmp_path):
    edges = [(b"neck", b"nose"), (b"neck", b"tail_base"), (b"neck", b"unheard-of")]
    path = write_sleap_h5(tmp_path / "a.h5", FRAMES[:, :, :5], MOUSE, edges=edges)
    told = make_reader("sleap").joints_in(path)
    assert told.names == MOUSE
    assert told.edges == (("neck", "nose"), ("neck", "tail_base"))


def test_hdf5_that_claims_more_than_it_holds_is_told(tmp_path):
    path = write_sleap_h5(tmp_path / "a.h5", FRAMES)
    with h5py.File(path, "a") as file:
        del file["tracks"]
        file.create_dataset("tracks", (1, 2, 17, 10**9), np.float64, chunks=(1, 2, 17, 64))
    with pytest.raises(
        CrosscaleError, match=r"a.h5: /tracks says \(1, 2, 17, 1000000000\) numbers"
    ):
        read("sleap", path)


def test_tracks_of_another_shape_are_told(tmp_path):
    path = write_sleap_h5(tmp_path / "a.h5", FRAMES, JOINTS[:-1])
    with pytest.raises(CrosscaleError, match=r"a.h5: tracks have shape \(1, 2, 17, 6\), which 16"):
        read("sleap", path)


def test_without_the_library_it_is_named(tmp_path, monkeypatch):
    path = write_sleap_h5(tmp_path / "a.h5", FRAMES)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(CrosscaleError, match=r"pip install 'crosscale\[hdf5\]'"):
        read("sleap", path)


def in_space(frames: int = 8) -> np.ndarray:
    """(T, 17, 3) metres, y up."""
    places = np.array([person("coco17", step, size=1.7) for step in 0.01 * np.arange(frames)])
    places = np.concatenate(
        [places[..., :1], 102 - places[..., 1:2], places[..., :1] * 0.1], axis=-1
    )
    return places - [0, places[..., 1].min(), 0]


def long_in_space(places, **more):
    columns = long_rows(
        np.concatenate([places[:, None, :, :2], np.ones((*places.shape[:1], 1, 17, 1))], -1)
    )
    return columns | {"z": places[..., 2].ravel(), **more}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_units_and_axes_of_joints_in_space_are_seen_from_the_bodies(ending, tmp_path):
    metres = in_space()
    z_up = 1000 * np.stack([metres[..., 0], -metres[..., 2], metres[..., 1]], axis=-1)
    path = write_long(tmp_path / f"a{ending}", long_in_space(z_up))
    clip = read("long", path)
    np.testing.assert_allclose(clip.coordinates[:, 0], metres, atol=1e-4)
    assert clip.notes == (
        "units are not said and taken to be millimetres",
        "axes turned so that y is up instead of z",
    )
    told = read("long", path, units="millimetres", up="z")
    np.testing.assert_array_equal(told.coordinates, clip.coordinates)
    assert told.notes == ()


def test_a_picture_whose_y_points_up_stays_as_it_is(tmp_path):
    people = FRAMES * [1, -1, 1]
    clip = read("long", write_long(tmp_path / "a.csv", long_rows(people)))
    np.testing.assert_allclose(clip.coordinates[:, 0], people[:, 0, :, :2], rtol=1e-5)
    assert clip.notes == ()


@pytest.mark.parametrize("column", ["clip", "name"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_one_table_may_hold_many_clips_with_labels(column, ending, tmp_path):
    parts = [
        long_rows(FRAMES, **{column: f"{label}/{i}", "label": label})
        for i, label in enumerate(["walk", "run", "walk"])
    ]
    shuffled = np.random.default_rng(0).permutation(3 * len(parts[0]["frame"]))
    columns = {key: np.concatenate([part[key] for part in parts])[shuffled] for key in parts[0]}
    path = write_long(tmp_path / f"all{ending}", columns)
    report = prepare(make_reader("long"), path, tmp_path / "store")
    store = ClipStore.open(tmp_path / "store")
    assert store.names == ["run/1", "walk/0", "walk/2"]
    assert store.classes == ("run", "walk")
    assert store.labels.tolist() == [0, 1, 1]
    assert report.skipped == []
    np.testing.assert_allclose(store.coordinates(2)[:, 0], up(FRAMES[:, 0]), rtol=1e-5)
    below = [item.name for item in make_reader("long").find(tmp_path) if "store" not in item.name]
    assert below == ["all/run/1", "all/walk/0", "all/walk/2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"frame": 0.5}, "line 2: the frame is not a whole number"),
        ({"frame": 0}, r"line \d+: nose is there twice in one frame"),
        ({"x": "abc"}, "[Cc]onversion error"),
        ({"joint": ""}, "row 0 below the first line names no joint"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_line(change, told, tmp_path):
    columns = {key: values.astype(object) for key, values in long_rows(FRAMES).items()}
    for key, value in change.items():
        columns[key][:] = value
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    with pytest.raises(CrosscaleError, match=rf"a.csv(: | has ).*({told})"):
        read("long", path)


def test_columns_that_are_lacking_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("frame,joint,x\n0,nose,1\n")
    with pytest.raises(CrosscaleError, match=r"a.csv: lacks the columns y; it has frame, joint, x"):
        read("long", tmp_path / "a.csv")


def test_frames_far_apart_do_not_take_memory(tmp_path):
    columns = long_rows(FRAMES)
    columns["frame"] = columns["frame"] ** 18
    with pytest.raises(BadClip, match=r"a.csv: has 6 frames numbered 0 to 3814697265625"):
        read("long", write_long(tmp_path / "a.csv", columns))


def test_names_that_differ_in_every_row_do_not_take_memory(tmp_path):
    rows = 20_000
    number = np.arange(rows)
    columns = {"frame": number, "joint": number.astype(str), "x": number * 1.0, "y": number * 1.0}
    with pytest.raises(CrosscaleError, match=r"a.parquet: 20000 joints for 20000 rows"):
        read("long", write_long(tmp_path / "a.parquet", columns))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), frames=st.integers(1, 6), bodies=st.integers(1, 2))
def test_what_is_written_is_read(tmp_path_factory, seed, frames, bodies):
    rng = np.random.default_rng(seed)
    people = TWO[:1, :bodies].repeat(frames, axis=0) + rng.uniform(-2, 2, (frames, bodies, 17, 3))
    people[..., 2] = 1
    folder = tmp_path_factory.mktemp("tables")
    for kind in KINDS:
        clip = read(kind.partition(".")[0], write(kind, folder, people))
        expected = up(people)
        found = clip.coordinates[:, np.argsort(clip.bodies)]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_they_are_recognised(tmp_path):
    for reader in (DeepLabCut, Sleap, LongTable):
        assert reader.recognises(tmp_path) is None
    told = {}
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        write(kind, folder, FRAMES)
        readers = {"deeplabcut": DeepLabCut, "sleap": Sleap, "long": LongTable}
        told[kind] = readers[kind.partition(".")[0]].recognises(folder)
    assert told == {
        "deeplabcut": "a.csv begins with lines of scorer and bodyparts",
        "deeplabcut.h5": "a.h5 is HDF5 with a table of bodyparts",
        "sleap": "a.h5 is HDF5 with node_names",
        "sleap.csv": "a.csv has columns track and frame_idx",
        "long.csv": "a.csv has columns frame, joint, x, y",
        "long.parquet": "a.parquet has columns frame, joint, x, y",
    }
