"""What users report of training, judging and embedding, through the commands: the right values."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

import crosscale
from crosscale.cli import main
from crosscale.data.conversion import in_layout
from crosscale.data.splits import split
from crosscale.data.store import ClipStore
from crosscale.errors import BadClip, CrosscaleError
from crosscale.evaluation.features import Features, merge_features
from crosscale.utils.files import sha256
from tiny_run import TINY

SMALL = [*TINY[1:], "--device=cpu"]


def run(*words):
    assert main(list(map(str, words))) == 0


@pytest.fixture(scope="module")
def tiny(shared, tmp_path_factory):
    """The store of 40 clips, and a run of two epochs on it."""
    folder = tmp_path_factory.mktemp("tiny")
    run("prepare", "ntu60", shared("cases/00-tiny-ntu"), "--out", folder / "store")
    words = ("pretrain", "ntu60/skeletonclr", "--data", folder / "store", *SMALL)
    run(*words, "--out", folder / "run", "--training.epochs=2")
    return folder


def prepared(case, tmp_path, source_format="auto", *options):
    run("prepare", source_format, case, "--out", tmp_path / "store", *options)
    return ClipStore.open(tmp_path / "store")


def alphapose(folder, keypoints):
    """A file of one person (T, V, 3)."""
    people = [
        {"image_id": f"{t}.jpg", "keypoints": one.ravel().tolist()}
        for t, one in enumerate(keypoints)
    ]
    (folder / "a.json").write_text(json.dumps(people))
    return folder / "a.json"


def test_the_tiny_set_has_its_parts(tiny, capsys):
    store = ClipStore.open(tiny / "store")
    for protocol in ("xsub", "xview"):
        parts = split(store, protocol)
        assert (len(parts.train), len(parts.tests["official"])) == (20, 20)
    assert (len(store), len(set(store.labels))) == (40, 5)


def test_a_resumed_run_is_the_same_run(tiny, tmp_path):
    words = ("pretrain", "ntu60/skeletonclr", "--data", tiny / "store", "--out", tmp_path / "run")
    run(*words, *SMALL, "--training.epochs=1")
    run(*words, *SMALL, "--training.epochs=2", "--resume")
    first, second = (sha256(one / "run" / "encoder.safetensors") for one in (tiny, tmp_path))
    assert first == second
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    larger = "--training.batch_size=20"
    assert main(list(map(str, (*words, *SMALL, larger, "--training.epochs=3", "--resume")))) == 2


def test_embeddings_go_by_names_whatever_the_order_of_files(tiny, shared, tmp_path):
    case = shared("cases/00-tiny-ntu")
    files = sorted(path for path in case.iterdir() if path.suffix == ".skeleton")
    for path in reversed(files):
        (tmp_path / "in").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "in" / path.name)
    prepared(tmp_path / "in", tmp_path)
    found = []
    for store in (tiny / "store", tmp_path / "store"):
        run("embed", tiny / "run", store, "--out", tmp_path / "found.npz")
        with np.load(tmp_path / "found.npz") as arrays:
            found.append(dict(zip(arrays["names"].tolist(), arrays["embeddings"], strict=True)))
    first, second = found
    assert first.keys() == second.keys() == {path.stem for path in files}
    np.testing.assert_allclose(*(list(map(one.get, sorted(one))) for one in found), atol=1e-6)
    assert min(np.linalg.norm(vector) for vector in first.values()) == pytest.approx(1, abs=1e-5)


def test_files_are_embedded_as_the_store_of_them_is(tiny, shared, tmp_path, monkeypatch):
    store, model = ClipStore.open(tiny / "store"), crosscale.load_model(tiny / "run")
    case = shared("cases/47-train-infer-parity")
    names = sorted(path.stem for path in case.glob("*.skeleton"))
    wanted = model.embed(store)[[store.names.index(name) for name in names]]
    np.testing.assert_allclose(model.embed(case), wanted, atol=1e-5)
    for number, name in enumerate(names, 1):
        shutil.copy(case / f"{name}.skeleton", tmp_path / f"my clip {number}.skeleton")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_allclose(model.embed("."), wanted, atol=1e-5)
    assert [store[name].label for name in names] == ["A001", "A004"]
    words = ("classify", tiny / "run", tiny / "store", "--unlabelled", tiny / "store")
    run(*words, "--save", "a.head",
        "--out", "all.parquet", "--features", "encoder", "--head", "knn")  # fmt: skip
    prepared(tmp_path, tmp_path, "skeleton")
    run("classify", tiny / "run", "store", "--head", "a.head", "--out", "two.parquet")
    first, second = (pq.read_table(f"{name}.parquet").to_pylist() for name in ("all", "two"))
    told = {one["name"]: one for one in first}
    for name, one in zip(names, second, strict=True):
        assert one["label"] == told[name]["label"]
        assert one["probability"] == pytest.approx(told[name]["probability"], abs=1e-5)


@pytest.mark.parametrize("case", ["25-fewer-clips-than-batch", "27-collapse-readout"])
def test_what_cannot_be_learned_is_told(case, shared, tmp_path, capsys):
    store = prepared(shared(f"cases/{case}"), tmp_path)
    words = ("--protocol=all", "--training.epochs=1", "--training.batch_size=64")
    run("pretrain", "ntu60/skeletonclr", "--data", store.path, "--out", tmp_path / "run",
        *SMALL[1:], *words)  # fmt: skip
    told = " ".join(capsys.readouterr().out.split())
    assert f"{len(store)} clips are fewer than a batch of 64" in told
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logged = json.loads(line)
    assert np.isfinite(logged["loss"])
    assert logged["chance_loss"] == pytest.approx(np.log(1 + 32))
    assert {"joint/pos_sim", "joint/neg_sim", "joint/embedding_std"} <= logged.keys()
    if case.startswith("27"):
        run("data", "check", store.path, "--protocol", "all")
        assert "equal clips within the training part" in capsys.readouterr().out


def test_clips_of_a_few_frames_have_finite_vectors(tiny, shared):
    for model in (tiny / "run", "body"):
        vectors = crosscale.load_model(model).embed(shared("cases/15-very-short"))
        assert vectors.shape[0] == 3
        assert np.isfinite(vectors).all()


def test_scores_of_two_streams_are_added_by_name(shared):
    folder = shared("cases/38-ensemble")
    expected = json.loads((folder / "expect.json").read_text())
    rows = [line.split(",") for line in (folder / "labels.csv").read_text().splitlines()[1:]]
    label = {name: int(number) for name, number in rows}

    def stream(name, file, change=lambda names, scores: (names, scores)):
        with np.load(folder / f"{file}.npz") as arrays:
            names, scores = change(arrays["names"].tolist(), arrays["scores"])
        labels = np.array([label[one] for one in names])
        return Features(names, labels, [str(k) for k in range(5)], {name: scores})

    def right(features):
        scores = sum(features.vectors.values())
        return float(np.mean(scores.argmax(axis=1) == features.labels))

    joint = stream("joint", "joint")
    assert right(joint) == pytest.approx(expected["joint_alone"])
    both = merge_features({"a": joint, "b": stream("bone", "bone_shuffled")})
    assert right(both) == pytest.approx(expected["accuracy_joined_by_name"])
    without = stream("bone", "bone_shuffled", lambda names, scores: (names[1:], scores[1:]))
    with pytest.raises(CrosscaleError, match="b lacks S001C001P003R001A004"):
        merge_features({"a": joint, "b": without})
    with pytest.raises(CrosscaleError, match="must be unique"):
        stream("bone", "bone_shuffled", lambda names, scores: ([names[1], *names[1:]], scores))


def test_labels_that_count_from_one_in_one_part_only_are_noticed(shared, tmp_path, capsys):
    folder = shared("cases/36-label-base")
    for part in ("train_labels_1_to_4", "test_labels_0_to_3"):
        with np.load(folder / f"{part}.npz") as arrays:
            labels = arrays["labels"]
        x = np.random.default_rng(0).normal(size=(len(labels), 4, 25, 3))
        names = [f"{part}{i}" for i in range(len(labels))]
        np.savez(tmp_path / f"{part}.npz", names=names, coordinates=x, labels=labels,
                 lengths=[4] * len(labels))  # fmt: skip
    assert main(["prepare", "npz", str(tmp_path), "--out", str(tmp_path / "store")]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "train_labels_1_to_4.npz has the labels 1 to 4, " in told
    assert "test_labels_0_to_3.npz has 0 to 3: number both from 0" in told


def test_frames_of_openpose_keep_their_place_in_time(shared, tmp_path):
    store = prepared(shared("cases/21-openpose-folder"), tmp_path)
    (clip,) = store
    assert len(clip.coordinates) == 12
    assert np.flatnonzero(~clip.present.any(1)).tolist() == [4, 7]
    for body in range(clip.coordinates.shape[1]):
        there = np.flatnonzero(clip.present[:, body])
        neck = clip.coordinates[there, body, store.layout.index("neck"), 0]
        np.testing.assert_allclose(np.diff(neck) / np.diff(there), neck[1] - neck[0], atol=1e-3)
    assert any("filled by a line: 1" in note for note in clip.notes)  # the wrist of frame 2


def test_confidences_are_never_taken_for_depth(shared, tmp_path):
    case = shared("cases/23-mediapipe-2d-conf")
    clip = prepared(case / "mediapipe33_xyzv.npy", tmp_path, "mediapipe")[0]
    given = np.load(case / "mediapipe33_xyzv.npy")
    assert clip.coordinates.shape == (15, 1, 33, 2)  # shares of the picture, y up
    np.testing.assert_allclose(clip.coordinates[:, 0], given[..., :2] * [1, -1], atol=1e-6)
    coco = np.load(case / "coco17_xyc.npy")
    store = prepared(alphapose(tmp_path, coco), tmp_path, "auto", "--overwrite")
    wrist, sure = 10, np.delete(np.arange(12), [3, 4, 5])
    found = store.coordinates(0)[:, 0]
    np.testing.assert_allclose(found[sure], coco[sure, :, :2] * [1, -1], rtol=1e-5)
    line = np.linspace(coco[2, wrist, :2], coco[6, wrist, :2], 5)[1:-1] * [1, -1]
    np.testing.assert_allclose(found[3:6, wrist], line, rtol=1e-4)
    np.savez(tmp_path / "own.npz", coordinates=coco, layout="coco17")
    for source in (tmp_path / "own.npz", coco):
        with pytest.raises(BadClip, match="it is a confidence and no z"):
            crosscale.load_model("body-2d").embed(source, "coco17")


def test_left_and_right_are_told_by_name_in_every_layout(shared, tmp_path):
    case = shared("cases/19-left-right-layout")
    coco = np.load(case / "right_hand_up_coco17.npy")
    openpose = np.load(case / "expected_openpose18.npy")
    alphapose(tmp_path, coco)
    (tmp_path / "b").mkdir()
    for t, one in enumerate(openpose):
        frame = {"people": [{"pose_keypoints_2d": one.ravel().tolist()}]}
        (tmp_path / "b" / f"clip_{t:03d}_keypoints.json").write_text(json.dumps(frame))
    parts = crosscale.load_model("body-2d").layout
    found = []
    for source in ("a.json", "b"):
        store = prepared(tmp_path / source, tmp_path, "auto", "--overwrite")
        place = store.layout.index
        last = store.coordinates(0)[-1, 0, :, 1]
        assert last[place("right_wrist")] > last[place("nose")] > last[place("left_wrist")]
        found.append(in_layout(store, parts).recordings([0]).rows)
    np.testing.assert_allclose(*found, atol=1)  # pixels: by ten parts both are the same body
