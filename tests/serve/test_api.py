import base64
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from odd_name import ODD
from starlette.testclient import TestClient
from uploads_made import npz, sent

import estimator_files
from crosscale.serve.app import make_app
from crosscale.serve.limits import Limits
from crosscale.serve.reading import read_upload
from crosscale.serve.service import Service
from crosscale.serve.uploads import FILES
from crosscale.skeleton.layout import Layout
from crosscale.synthesis import ClipName, record_clips, skeleton_text
from crosscale.synthesis.formats import write_deeplabcut, write_openpose
from crosscale.synthesis.mice import LAYOUT, PARTS, perform_mouse

LOCAL = "http://127.0.0.1:8000"
PATIENT = Limits(seconds=300)  # on whatever machine


@pytest.fixture(scope="module")
def service(model, index, head, store):
    return Service(model, run="run", head=head, index=index, store=store, limits=PATIENT)


@pytest.fixture(scope="module")
def client(service, tmp_path_factory):
    app = make_app(service, assets=tmp_path_factory.mktemp("no assets"))
    return TestClient(app, base_url=LOCAL, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def bare(model):
    return TestClient(make_app(Service(model, run="run", limits=PATIENT)), base_url=LOCAL)


@pytest.fixture(scope="module")
def take(act):
    return npz(act("wave", seed=77), layout="blazepose33", frame_rate=25.0)


def test_an_upload_is_embedded_as_the_library_embeds_it(client, model, act, take):
    reply = client.post("/api/embed", files=sent(take, "my wave.npz"))
    assert reply.status_code == 200
    told = reply.json()
    assert (told["format"], told["layout"], told["width"]) == ("npz", "blazepose33", model.dim)
    assert [clip["name"] for clip in told["clips"]] == ["my wave"]
    expected = model.embed([act("wave", seed=77)], "blazepose33")
    np.testing.assert_allclose([told["clips"][0]["embedding"]], expected, atol=1e-6)


def test_the_nearest_clips_are_those_of_the_index_and_a_clip_finds_itself(client, store, act):
    itself = npz(store.coordinates(4), layout="blazepose33")
    told = client.post("/api/search", files=sent(itself), data={"k": 3}).json()
    nearest = told["clips"][0]["nearest"]
    assert nearest[0]["name"] == store.names[4]
    assert nearest[0]["similarity"] == pytest.approx(1, abs=1e-4)
    similarities = [near["similarity"] for near in nearest]
    assert len(nearest) == 3
    assert similarities == sorted(similarities, reverse=True)


def test_the_page_does_not_list_a_clip_as_its_own_neighbour(client, store):
    itself = npz(store.coordinates(4), layout="blazepose33")
    told = client.post("/api/analyse", files=sent(itself), data={"k": 3}).json()["clips"][0]
    assert told["itself"] == store.names[4]
    assert len(told["nearest"]) == 3
    assert store.names[4] not in [near["name"] for near in told["nearest"]]


def test_a_clip_of_many_files_is_called_as_the_sender_calls_it(client, tmp_path):
    frames = estimator_files.walking("openpose25", 12)
    paths = sorted(write_openpose(tmp_path / "my walk", frames).iterdir())
    files = [("files", (path.name, path.read_bytes())) for path in paths]
    told = client.post("/api/analyse", files=files).json()
    assert [clip["name"] for clip in told["clips"]] == ["my walk"]
    assert "upload_" not in told["how"]


def test_names_in_messages_are_the_senders_to_the_letter(client):
    names = ["upload--a_000000000000_keypoints.json", "walk_000000000001_keypoints.json"]
    files = [("files", (name, b'{"people": 3}')) for name in names]
    told = client.post("/api/analyse", files=files, data={"format": "openpose"}).json()["error"]
    assert names[0] in told


def test_what_is_wrong_is_told_for_the_page_and_not_for_a_shell(client):
    for content, name in ((b'{"a": 1}', "odd.json"), (npz(np.zeros((9, 1, 7, 3))), "seven.npz")):
        reply = client.post("/api/analyse", files=sent(content, name))
        assert reply.status_code == 422
        assert "choose one at" in reply.json()["error"]
        assert "--" not in reply.json()["error"]
    status = client.get("/api/status").json()
    assert "--" not in status["live"]["problem"]


def test_animals_are_read_by_the_layout_of_their_encoder(client, tmp_path):
    found = perform_mouse("rear", 1, 1, 0)
    (tmp_path / FILES).mkdir()
    write_deeplabcut(tmp_path / FILES, "mouse", list(PARTS), found)
    (tmp_path / "strange").mkdir()
    names = [part.replace("back", "belly") for part in PARTS]  # those of no built-in layout
    strange = write_deeplabcut(tmp_path / "strange", "mouse", names, found)
    reply = client.post("/api/analyse", files=sent(strange.read_bytes(), strange.name))
    assert "of the encoder's own" in reply.json()["error"]
    assert "yaml" not in reply.json()["error"]
    (tmp_path / "mouse.yaml").write_text(LAYOUT)
    own = Layout.load(str(tmp_path / "mouse.yaml"))
    assert read_upload(tmp_path, "auto", None, own, PATIENT).layout == own.name


def test_a_format_and_joints_can_be_chosen(client):
    status = client.get("/api/status").json()
    assert status["formats"]["bvh"]
    assert "coco17" in status["layouts"]
    seven = sent(npz(np.zeros((9, 1, 7, 3))))
    reply = client.post("/api/embed", files=seven, data={"format": "npz", "layout": "coco17"})
    assert "7 joints" in reply.json()["error"]


def test_how_rough_probabilities_are_is_told(client):
    status = client.get("/api/status").json()
    assert "30 labelled clips held out" in status["trust"]
    assert "about 4 points" in status["trust"]
    assert status["rough"] == 4


def test_the_example_can_be_analysed(client):
    reply = client.get("/api/example")
    name = reply.headers["content-disposition"].split('"')[1]
    told = client.post("/api/analyse", files=sent(reply.content, name)).json()
    assert told["format"] == "mediapipe"
    assert [clip["name"] for clip in told["clips"]] == [name.removesuffix(".json")]
    assert told["clips"][0]["answer"]


def test_several_files_are_named_each(client, act):
    files = [
        ("files", (f"{action}.npz", npz(act(action, seed=8), layout="blazepose33")))
        for action in ("hop", "bow", "wave")
    ]
    clips = client.post("/api/classify", files=files).json()["clips"]
    assert {clip["name"]: clip["label"] for clip in clips} == {a: a for a in ("bow", "hop", "wave")}
    assert all(clip["probability"] > clip["runner_up_probability"] for clip in clips)


def test_how_a_format_was_recognised_is_told_in_the_senders_names(client):
    (recording,) = record_clips([ClipName(1, 1, 2, 1)], seed=0)
    upload = sent(skeleton_text(recording).encode(), "my wave.skeleton")
    told = client.post("/api/embed", files=upload).json()
    assert told["format"] == "skeleton"
    assert "my wave.skeleton" in told["how"]
    assert "upload_" not in told["how"]


def test_what_happens_when_is_told_in_seconds(client, act):
    x = np.concatenate([act("hop", frames=125, seed=5), act("wave", frames=125, seed=6)])
    upload = sent(npz(x, layout="blazepose33", frame_rate=25.0))
    clip = client.post("/api/segment", files=upload).json()["clips"][0]
    assert clip["seconds"] == pytest.approx(10)
    assert not clip["assumed"]
    first, last = clip["segments"][0], clip["segments"][-1]
    assert (first["label"], last["label"]) == ("hop", "wave")
    assert first["start"] == 0
    assert last["end"] == pytest.approx(10)
    assert first["end"] == pytest.approx(5, abs=1.5)


def test_a_frame_rate_that_the_file_does_not_say_is_assumed_and_told(client, act):
    upload = sent(npz(act("hop", frames=60), layout="blazepose33"))
    for given, seconds in (({}, 2.0), ({"frame_rate": 20}, 3.0)):
        clip = client.post("/api/segment", files=upload, data=given).json()["clips"][0]
        assert clip["assumed"]
        assert clip["seconds"] == pytest.approx(seconds)


def test_all_of_it_comes_from_one_reading(client, take, act):
    told = client.post("/api/analyse", files=sent(take), data={"k": 2}).json()
    clip = told["clips"][0]
    assert told["notes"] == []
    assert clip["answer"]["label"] == "wave"
    assert len(clip["nearest"]) == 2
    assert clip["timeline"]["segments"]
    player = clip["player"]
    values = np.frombuffer(base64.b64decode(player["coordinates"]), "<f2").astype(float)
    x = np.array(player["origin"]) + player["unit"] * values.reshape(50, 1, 33, 3)
    np.testing.assert_allclose(x, act("wave", seed=77), atol=2e-3)


def test_what_the_encoder_cannot_take_can_still_be_looked_at(joint_model):
    client = TestClient(make_app(Service(joint_model, run="run", limits=PATIENT)), base_url=LOCAL)
    x = np.random.default_rng(0).normal(size=(20, 1, 20, 3)).astype(np.float32)
    told = client.post("/api/analyse", files=sent(npz(x))).json()
    assert told["layout"] == "kinect20"
    assert told["clips"][0]["player"]["frames"] == 20
    assert "kinect20" in told["notes"][0]
    assert "blazepose33" in told["notes"][0]


def test_clips_of_the_index_play_by_name_whatever_the_name(client, store):
    for name in (ODD, "hop_1"):
        reply = client.get("/api/clip/" + name.replace("?", "%3F").replace("<", "%3C"))
        assert reply.json()["name"] == name
        assert reply.json()["label"] == name.split("/")[0].split("_")[0]


@pytest.mark.parametrize(
    "name", ["absent", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "%00"]
)
def test_a_name_that_is_no_clip_is_not_found(client, name):
    reply = client.get(f"/api/clip/{name}")
    assert reply.status_code == 404
    assert "error" in reply.json()


@pytest.mark.parametrize("path", ["/static/../app.py", "/webcam/../../etc/passwd", "/nothing"])
def test_only_what_is_in_the_tables_is_served(client, path):
    assert client.get(path).status_code == 404


def test_without_head_or_index_one_is_told_to_give_it(bare, take):
    for path, option in (("search", "--index"), ("classify", "--head"), ("segment", "--head")):
        reply = bare.post(f"/api/{path}", files=sent(take))
        assert reply.status_code == 422
        assert option in reply.json()["error"]
    told = bare.post("/api/analyse", files=sent(take)).json()["clips"][0]
    assert (told["nearest"], told["answer"], told["timeline"]) == (None, None, None)
    status = bare.get("/api/status").json()
    assert "labels" in status["live"]["problem"]
    assert status["trust"] is None


def test_the_status_says_what_to_run_for_the_webcam(client):
    told = client.get("/api/status").json()
    assert told["classes"] == ["bow", "hop", "wave"]
    assert told["index"] == 30
    assert told["live"]["ready"]
    assert not told["live"]["assets"]
    assert "crosscale webcam" in told["live"]["problem"]


def test_the_api_describes_itself(client):
    told = client.get("/api/openapi.json").json()
    posts = {path for path, verbs in told["paths"].items() if "post" in verbs}
    assert posts == {f"/api/{n}" for n in ("embed", "search", "classify", "segment", "analyse")}
    fields = told["components"]["schemas"]["Segment"]["properties"]
    assert fields["start"]["description"] == "seconds"


def test_nothing_of_an_upload_is_left(client, take):
    def left():
        return set(Path(tempfile.gettempdir()).glob("crosscale-*"))

    before = left()
    client.post("/api/embed", files=sent(take))
    client.post("/api/embed", files=sent(b"nonsense"))
    assert left() <= before


def test_live_frames_are_answered_with_labels_and_the_delay(client, act):
    x = act("hop", frames=60, seed=3)[:, 0]
    answers = []
    with client.websocket_connect("ws://127.0.0.1:8000/api/live?layout=blazepose33") as socket:
        for i in range(60):
            people = [{"id": "you", "joints": x[i].tolist()}]
            socket.send_text(json.dumps({"time": i / 25, "people": people}))
        socket.send_text("the end")
        while "error" not in (reply := socket.receive_json()):
            answers.append(reply)
    assert reply["line"] == 61
    assert [round(one["time"], 2) for one in answers] == [1.0, 1.52, 2.04]
    assert {one["label"] for one in answers} == {"hop"}
    assert all(one["delay"] >= 0 for one in answers)
