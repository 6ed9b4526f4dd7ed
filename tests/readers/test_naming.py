import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.readers.naming import Naming
from crosscale.readers.prepare import prepare
from crosscale.readers.tables.plain import Plain


@pytest.fixture
def source(tmp_path):
    """Recordings walk/s1_a, walk/s2_b and wave/s1_c, without labels."""
    for i, name in enumerate(("walk/s1_a", "walk/s2_b", "wave/s1_c")):
        path = tmp_path / "recordings" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        coordinates = np.random.default_rng(i).normal(size=(8, 25, 3)).astype(np.float32)
        np.savez(path, coordinates=coordinates)
    return tmp_path / "recordings"


def prepared(source, **naming):
    """Clip name to (label, subject), and what was skipped."""
    out = source.parent / "store"
    report = prepare(Plain(), source, out, naming=Naming(**naming), overwrite=True)
    store = ClipStore.open(out)
    labels = [store.classes[i] if i >= 0 else None for i in store.labels]
    found = zip(labels, store.column("subject").tolist(), strict=True)
    return dict(zip(store.names, found, strict=True)), report.skipped


def test_folders_name_labels(source):
    found, _ = prepared(source, folder=True)
    assert found == {
        "walk/s1_a": ("walk", -1),
        "walk/s2_b": ("walk", -1),
        "wave/s1_c": ("wave", -1),
    }


def test_a_recording_in_no_folder_is_named(source):
    with pytest.raises(CrosscaleError, match=r"s1_a\.npz lies in no folder below"):
        prepared(source / "walk", folder=True)


def test_a_pattern_names_what_its_groups_say(source):
    found, _ = prepared(source, pattern=r"s(?P<subject>\d)_(?P<label>.)")
    assert found == {"walk/s1_a": ("a", 1), "walk/s2_b": ("b", 2), "wave/s1_c": ("c", 1)}


def test_a_name_that_does_not_fit_is_skipped(source):
    found, aside = prepared(source, pattern=r"s1_(?P<label>.)")
    assert set(found) == {"walk/s1_a", "wave/s1_c"}
    assert [one.reason for one in aside] == [
        "walk/s2_b: the name does not fit the pattern s1_(?P<label>.)"
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_names_some_clips_and_wins(source, ending):
    path = source.parent / f"table.{ending}"
    columns = {"name": ["wave/s1_c", "walk/s1_a"], "label": ["x, y", None], "subject": ["7", "8"]}
    if ending == "csv":
        path.write_text('name,label,subject\nwave/s1_c,"x, y",7\nwalk/s1_a,,8\n')
    else:
        pq.write_table(pa.table(columns), path)
    found, _ = prepared(source, folder=True, table=path)
    assert found == {"walk/s1_a": ("walk", 8), "walk/s2_b": ("walk", -1), "wave/s1_c": ("x, y", 7)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "name,label\nwalk/s1_d,x\n",
            "names 1 clip not to be found; mend such rows, or take them out. "
            "First 'walk/s1_d': did you",
        ),
        ("label\nx\n", "needs a column name; it has label"),
        ("name,lable\ns1_a,x\n", "no field 'lable': did you mean 'label'"),
        ("name,label\ns1_a,x\ns1_a,y\n", "row 3 names s1_a a second time"),
        ("name,label\n,x\n", "row 2 has no name"),
        ("name,label\ns1_a\n", "row 2 does not have 2 cells"),
        ("name,label\ns1_a,x,y\n", "row 2 does not have 2 cells"),
        ("name,subject\ns1_a,one\n", "row 2: subject must be a whole number, not 'one'"),
        ("", "needs a column name"),
    ],
)
def test_a_wrong_table_stops_everything(source, text, reason):
    path = source.parent / "table.csv"
    path.write_text(text)
    with pytest.raises(CrosscaleError, match=reason):
        prepared(source, table=path)


def test_a_table_that_is_not_there_or_no_table_is_named(source):
    told = r"none.csv cannot be read as a table: there is no such file"
    with pytest.raises(CrosscaleError, match=told):
        prepared(source, table=source / "none.csv")
    (source.parent / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(CrosscaleError, match=r"bad.parquet cannot be read as a table"):
        prepared(source, table=source.parent / "bad.parquet")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("s(", "pattern s\\(: "),
        ("s1", "has no named group"),
        ("(?P<labl>.)", "did you mean 'label'"),
    ],
)
def test_a_wrong_pattern_is_refused_at_once(pattern, reason):
    with pytest.raises(CrosscaleError, match=reason):
        Naming(pattern=pattern)
