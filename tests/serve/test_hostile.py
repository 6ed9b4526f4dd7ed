"""What a stranger may send: refused with one line, never with a fault of the server."""

import json
import os
import pickle
import time

import misbehaviour
import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from uploads_made import array_of, npz, sent, zipped

from crosscale.errors import CrosscaleError
from crosscale.serve.app import make_app
from crosscale.serve.guard import HEADERS, Guard
from crosscale.serve.isolated import Isolated
from crosscale.serve.limits import Limits
from crosscale.serve.service import Service
from crosscale.serve.uploads import FILES, stored

LOCAL = "http://127.0.0.1:8000"
LONG = 300.0  # seconds; a call takes much less, on whatever machine
SMALL = Limits(
    upload=2**20, files=5, unpacked=2**21, clips=3, frames=200, people=2, wrong=3, seconds=LONG
)


@pytest.fixture(scope="module")
def client(model, head):
    app = make_app(Service(model, run="run", head=head, limits=SMALL))
    return TestClient(app, base_url=LOCAL, raise_server_exceptions=False)


def refused(reply, *codes):
    """The one line of a refusal."""
    assert reply.status_code in (codes or (422,)), reply.text
    message = reply.json()["error"]
    assert message
    assert "\n" not in message
    assert "/tmp" not in message
    return message


def frames(count, bodies=1, joints=10):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, bodies, joints, 3)).astype(np.float32)


class Sly:
    def __reduce__(self):
        return os.system, ("touch pickle-was-run",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npz", b"", "not a whole numpy file|cannot be read"),
        ("a.npz", b"PK\x03\x04" + b"\0" * 200, "not a whole numpy file"),
        ("a.npz", npz(frames(5))[:-40], "not a whole numpy file"),
        ("a.npz", npz(frames(5), classes=np.array([Sly()], object)), "Python objects"),
        ("a.npz", npz(np.full((5, 1, 10, 3), np.nan, np.float32)), "shows no body"),
        ("a.npz", npz(np.full((5, 1, 10, 3), np.inf, np.float32)), "where no body can be"),
        ("a.npz", npz(np.zeros((0, 1, 10, 3), np.float32)), "no frames"),
        ("a.npz", npz(frames(5, joints=7)), "7 joints"),
        ("a.npz", npz(frames(5), layout="../../etc/passwd"), "no layout"),
        ("a.npz", npz(frames(201)), "201 frames are too many"),
        ("a.npz", npz(frames(5, bodies=3)), "3 people in a clip are too many"),
        ("a.npz", npz(frames(4)[:, None], names=list("abcd"), lengths=[1] * 4), "4 clips are too"),
        ("a.npz", zipped(coordinates=array_of((10**12, 10, 3))), "says that it has"),
        ("a.npz", zipped(coordinates=array_of((2**20, 3), b"\0" * 2**22)), "unpacks to"),
        ("a.npz", zipped(coordinates=array_of((-5, 10, 3), b"\0" * 99)), "."),
        ("a.json", b"[" * 500_000, "no format that is known"),
        ("a.json", b'{"a":' * 90_000 + b"1" + b"}" * 90_000, "no format that is known"),
        ("a.json", b'{"file_name": "a", "label": 1, "skeletons": [[NaN]]}', "."),
        ("a01_s01_e01_v01.json", b'{"file_name": [], "label": {}, "skeletons": 1e999}', "says in"),
        ("a.pkl", pickle.dumps(Sly()), "no format that is known"),
        ("a.bvh", b"HIERARCHY\n" + b"ROOT a {" * 9999, "."),
        ("a.skeleton", b"99999999999\n1\n", "."),
        ("a", b"\0" * 1000, "no format that is known"),
        ("a.c3d", b"\x02P" + b"\xff" * 2000, "."),
    ],
)
def test_files_that_are_not_what_they_seem(client, name, content, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refused(client.post("/api/embed", files=sent(content, name)))
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../../tmp/owned.npz",
        "/etc/cron.d/owned.npz",
        "..\\..\\owned.npz",
        "a\x00b.npz",
        "x" * 9999,
        "~root/.bashrc",
        "con.npz\r\nX: y",
        ".npz",
        "a/../../b.npz",
    ],
)
def test_no_name_of_a_file_reaches_the_disk(name):
    class File:
        filename = name

        def __init__(self):
            self.file = open(os.devnull, "rb")  # noqa: PTH123, SIM115

    file = File()
    with file.file, stored([file], Limits()) as upload:
        made = [path.relative_to(upload.folder) for path in upload.folder.rglob("*")]
        assert [str(path) for path in made if path.name != FILES] in (
            [f"{FILES}/upload_0000.npz"],
            [f"{FILES}/upload_0000.bashrc"],
            [f"{FILES}/upload_0000"],
        )
        assert all(len(shown) <= 80 and shown.isprintable() for shown in upload.names.values())


@pytest.mark.parametrize("rate", [1e-320, 1e-9, 1e9, 1e300])
def test_a_frame_rate_that_no_sensor_has_is_refused_and_the_clip_still_plays(client, rate):
    upload = sent(npz(frames(5), frame_rate=rate))
    assert "frame rate" in refused(client.post("/api/segment", files=upload))
    told = client.post("/api/analyse", files=upload).json()
    assert told["clips"][0]["player"]["frames"] == 5
    assert "frame rate" in told["notes"][0]


def test_names_inside_a_file_are_cut_short_and_made_visible(client):
    names = ["\x1b[31m\n" + "x" * 5000, "\u202eabc"]
    upload = npz(frames(4)[:, None].reshape(2, 2, 10, 3), names=names, lengths=[2, 2])
    clips = client.post("/api/embed", files=sent(upload)).json()["clips"]
    assert sorted(clip["name"] for clip in clips) == sorted(["[31m" + "x" * 76, "abc"])


def test_names_that_tell_something_are_made_anew_from_their_numbers():
    class File:
        def __init__(self, name):
            self.filename, self.file = name, open(os.devnull, "rb")  # noqa: PTH123, SIM115

    files = [File("d/a01_s02_e03_v01.json"), File("me_000000000007_keypoints.json")]
    with stored(files, Limits()) as upload:
        made = sorted(path.name for path in (upload.folder / FILES).iterdir())
    assert made == ["a01_s02_e03_v01.json", "upload_000000000007_keypoints.json"]
    for file in files:
        file.file.close()


def test_too_much_of_anything_is_refused(client):
    take = npz(frames(5))
    assert "too large" in refused(client.post("/api/embed", files=sent(b"x" * 2**20)), 413)
    many = [("files", (f"{i}.npz", take)) for i in range(6)]
    assert "6 files" in refused(client.post("/api/embed", files=many))
    assert "headers" in refused(client.get("/", headers={f"x-{i}": "1" for i in range(99)}), 431)

    def unannounced():  # without a content-length
        for _ in range(40):
            yield b"x" * 2**16

    kind = {"content-type": "multipart/form-data; boundary=b"}
    reply = client.post("/api/embed", content=unannounced(), headers=kind)
    assert "too large" in refused(reply, 413, 400)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "multipart/form-data"}, b"x"),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b\r\n" + b"a: b\r\n" * 50_000),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b\r\n\r\nno name\r\n--b--"),
        ({"content-type": "multipart/form-data; boundary=" + "b" * 9999}, b"--b"),
        ({"content-type": "application/json"}, b"[" * 100_000),
        ({"content-type": "application/x-www-form-urlencoded"}, b"files=" + b"a" * 9999),
        ({"content-length": "-1"}, b""),
        ({"content-length": "1" * 4000}, b""),
        ({}, b"\xff\xfe"),
    ],
)
def test_forms_that_are_none(client, headers, body):
    refused(client.post("/api/embed", content=body, headers=headers), 400, 413, 422)


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("search", {"k": 0}, "k"),
        ("search", {"k": "1e9"}, "k"),
        ("segment", {"window": "nan"}, "window"),
        ("segment", {"window": "inf"}, "window"),
        ("segment", {"step": -1}, "step"),
        ("segment", {"step": 3}, "at most window"),
        ("segment", {"frame_rate": 1e308}, "frame_rate"),
        ("embed", {"format": "arrays"}, "not taken here"),
        ("embed", {"format": "../npz"}, "not taken here"),
        ("embed", {"layout": "/etc/passwd"}, "no layout"),
        ("embed", {"layout": "../layouts/ntu25"}, "no layout"),
        ("embed", {"layout": "x" * 9999}, "no layout"),
        ("embed", {"layout": "\ufffe\u202e"}, "no layout"),
        ("embed", {"format": "npz", "layout": "kinect20"}, "10 joints"),
    ],
)
def test_settings_that_cannot_be(client, path, fields, said):
    assert said in refused(client.post(f"/api/{path}", files=sent(npz(frames(5))), data=fields))


@pytest.mark.parametrize(
    ("host", "ok"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:8000", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:8000", False),
        ("localhost.evil.example", False),
        ("192.168.1.7:8000", False),
        ("", False),
    ],
)
def test_only_this_machine_is_the_host(client, host, ok):
    reply = client.get("/api/status", headers={"host": host})
    assert (reply.status_code == 200) == ok
    if not ok:
        assert "this server is not" in refused(reply, 421)


def test_a_server_for_others_answers_to_its_addresses_and_to_no_foreign_name(model):
    app = make_app(Service(model, run="run"), host="lab.local")
    client = TestClient(app, base_url=LOCAL)
    for host, code in (("192.168.1.7:8000", 200), ("lab.local:1", 200), ("evil.example", 421)):
        assert client.get("/api/status", headers={"host": host}).status_code == code


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9", "file://"])
def test_pages_of_other_sites_may_neither_send_nor_listen(client, origin):
    headers = {"origin": origin}
    reply = client.post("/api/embed", files=sent(npz(frames(5))), headers=headers)
    assert "other sites" in refused(reply, 403)
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://127.0.0.1:8000/api/live", headers=headers),
    ):
        pass


def test_every_answer_forbids_what_is_not_from_here(client):
    for reply in (client.get("/"), client.get("/nothing"), client.get("/", headers={"host": "x"})):
        for name, value in HEADERS.items():
            assert reply.headers[name] == value
        assert not [name for name in reply.headers if name.startswith("access-control")]
    assert "unsafe-inline" not in HEADERS["content-security-policy"]
    assert "'unsafe-eval'" not in HEADERS["content-security-policy"]


def test_of_too_many_uploads_the_newest_are_told_to_come_later(client):
    guard = client.app
    assert isinstance(guard, Guard)
    guard.busy = SMALL.requests
    try:
        refused(client.post("/api/embed", files=sent(b"x")), 503)
        assert client.get("/api/status").status_code == 200
    finally:
        guard.busy = 0
    client.post("/api/embed", files=sent(b"x"))
    assert guard.busy == 0


def test_a_fault_that_nobody_foresaw_tells_nothing_of_the_server(client, monkeypatch):
    def broken(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr(Service, "status", broken)
    reply = client.get("/api/status")
    assert reply.status_code == 500
    assert "secret" not in reply.text


@pytest.mark.parametrize(
    "message",
    [
        "[" * 100000,
        "",
        "{}",
        '{"time": NaN, "people": []}',
        json.dumps({"time": 1, "people": [1]}),
        "x" * (SMALL.message + 1),
    ],
)
def test_wrong_frames_are_told_and_too_many_end_the_connection(client, message):
    with client.websocket_connect("ws://127.0.0.1:8000/api/live") as socket:
        for number in range(1, SMALL.wrong + 2):
            socket.send_text(message)
            assert socket.receive_json()["line"] == number
        assert "more than 3 wrong messages" in socket.receive_json()["error"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


@pytest.mark.parametrize("layout", ["/etc/passwd", "../../x", "absent"])
def test_a_live_layout_is_no_path(client, layout):
    with client.websocket_connect(f"ws://127.0.0.1:8000/api/live?layout={layout}") as socket:
        assert "no layout" in socket.receive_json()["error"]


def test_only_so_many_are_live_at_once(client):
    url = "ws://127.0.0.1:8000/api/live"
    open_ones = [client.websocket_connect(url) for _ in range(SMALL.connections)]
    for one in open_ones:
        one.__enter__()
        one.send_text("?")
        one.receive_json()
    with client.websocket_connect(url) as late:
        assert "too many" in late.receive_json()["error"]
    for one in open_ones:
        one.__exit__(None, None, None)
    with client.websocket_connect(url) as socket:
        socket.send_text("?")
        assert socket.receive_json()["line"] == 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (misbehaviour.eat, "more than 512 MB"),
        (misbehaviour.die, "broke off"),
        (misbehaviour.fail, r"cannot be read \(ValueError: odd\)"),
    ],
)
def test_whatever_happens_while_reading_stays_in_its_process(function, said):
    isolated = Isolated(LONG, 2**29, [])
    with pytest.raises(CrosscaleError, match=said):
        isolated.call(function)
    assert isolated.call(len, "abc") == 3


def test_what_takes_too_long_is_ended():
    begun = time.monotonic()
    with pytest.raises(CrosscaleError, match="longer than 1 seconds"):
        Isolated(1, 2**29, []).call(misbehaviour.sleep)
    assert time.monotonic() - begun < misbehaviour.SLEEP
    assert Isolated(LONG, 2**29, []).call(len, "abc") == 3
