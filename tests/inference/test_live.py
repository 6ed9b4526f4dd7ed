import io
import json
import socket
import threading

import numpy as np
import pytest

from crosscale.errors import CrosscaleError
from crosscale.inference import live as live_module
from crosscale.inference import stream as stream_module
from crosscale.inference.frames import Frame, parse_frame
from crosscale.inference.head import make_head
from crosscale.inference.labels import label_names
from crosscale.inference.live import LiveClassifier
from crosscale.inference.stream import answer_lines, listen
from crosscale.skeleton.layout import Layout

RATE = 20.0
LAYOUT = Layout.load("kinect20")


@pytest.fixture(scope="module")
def head(model, store):
    return make_head("linear", 0.02).fit(model.embed(store), label_names(store).astype(str))


@pytest.fixture
def classifier(model, head):
    return LiveClassifier(model, head, LAYOUT)


def line(time, **people):
    listed = [{"id": name, "joints": np.asarray(x).tolist()} for name, x in people.items()]
    return json.dumps({"time": time, "people": listed})


def answers(classifier, text):
    """What comes out of the text, a dict a line."""
    out = []
    answer_lines(classifier, io.BytesIO(text.encode()).readline, out.append)
    return [json.loads(text) for text in out]


def test_each_person_is_named_at_every_step_with_the_delay(classifier, act):
    bow, wave = (act(action, frames=80, seed=77)[:, 0] for action in ("bow", "wave"))
    text = "\n".join(line(i / RATE, ann=bow[i], bob=wave[i]) for i in range(80))
    out = answers(classifier, text)
    assert {one["time"] for one in out} == {1, 1.5, 2, 2.5, 3, 3.5}
    late = [one for one in out if one["time"] >= 2]
    assert {(one["id"], one["label"]) for one in late} == {("ann", "bow"), ("bob", "wave")}
    assert all(one["delay"] >= 0 for one in out)
    assert {one["frames"] for one in late} == {41}
    keys = [
        "time",
        "id",
        "label",
        "probability",
        "runner_up",
        "runner_up_probability",
        "frames",
        "delay",
    ]
    assert list(out[0]) == keys


def test_an_answer_is_that_to_the_same_frames_as_a_clip(classifier, model, head, act):
    x = act("hop", frames=41, seed=3)
    for i in range(41):
        out = classifier.push(Frame(i / RATE, {"a": x[i, 0]})) or []
    probabilities = head.predict_proba(model.embed([x]))[0]
    assert out[0]["runner_up_probability"] == pytest.approx(np.sort(probabilities)[-2], abs=1e-3)


def test_uneven_frames_and_gaps_are_read_on_an_even_grid(model, head, act):
    x = act("wave", frames=41, seed=4)[:, 0]
    uneven = LiveClassifier(model, head, LAYOUT)
    kept = [i for i in range(41) if i % 7 != 3]
    for i in kept:
        out = uneven.push(Frame(i / RATE, {"a": x[i]}))
    assert out[0]["label"] == "wave"
    seen = [(time, np.full((20, 3), time, np.float32)) for time in (0.0, 1.0, 3.0)]
    grid = live_module._evenly(seen)
    np.testing.assert_allclose(grid[:, 0, 0], [0, 1.5, 3])


def test_whoever_vanishes_is_forgotten_and_memory_is_bounded(classifier, act, monkeypatch):
    monkeypatch.setattr(live_module, "REMEMBERED", 3)
    x = act("bow")[0, 0]
    classifier.push(Frame(0.0, {"gone": x, "here": x}))
    classifier.push(Frame(1.9, {"here": x}))
    assert list(classifier.people) == ["gone", "here"]
    classifier.push(Frame(2.1, {"here": x}))
    assert list(classifier.people) == ["here"]
    classifier.push(Frame(2.2, {str(i): x for i in range(5)}))
    assert list(classifier.people) == ["2", "3", "4"]


def test_of_a_person_the_newest_frames_are_kept_and_no_more(model, head, act):
    classifier = LiveClassifier(model, head, LAYOUT, window=1e6, step=1e6)
    x = act("bow")[0, 0]
    for i in range(live_module.CAPACITY + 10):
        classifier.push(Frame(float(i), {"ann": x}))
    times = [time for time, _ in classifier.people["ann"]]
    assert times == list(range(10, live_module.CAPACITY + 10))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "needs"),
        ('{"time": 1}', "needs"),
        ('{"time": "now", "people": []}', "time must be"),
        ('{"time": true, "people": []}', "time must be"),
        ('{"time": NaN, "people": []}', "time must be"),
        ('{"time": 9, "people": {}}', "people must be a list"),
        ('{"time": 9, "people": [3]}', "a person needs"),
        ('{"time": 9, "people": [{"id": "a", "joints": [[1, 2, 3]]}]}', r"shape \(1, 3\)"),
        ('{"time": 9, "people": [{"id": "a", "joints": [[1, "x"], 2]}]}', "lists of numbers"),
        (line(9, a=np.full((20, 3), np.nan)), "not a finite number"),
        (line(9, a=np.full((20, 3), 1e39)), "not a finite number"),
        (line(9, a=np.zeros((20, 4))), "shape"),
        ('{"time": 9, "people": [{"id": [], "joints": []}]}', "id must be"),
        (json.dumps({"time": 9, "people": [{}] * 33}), "at most 32"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_the_next_one_is_read(
    classifier, act, wrong, message
):
    good = [line(i / RATE, a=act("bow", seed=1)[i % 40, 0]) for i in range(25)]
    out = answers(classifier, "\n".join([*good[:3], "", wrong, *good[3:]]))
    assert out[0]["line"] == 5
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(out[0]["error"])
    assert [one["time"] for one in out[1:]] == [1.0]


def test_two_of_one_id_time_that_goes_back_and_mixed_coordinates_are_wrong(classifier, act):
    x = act("bow")[0, 0]
    twice = {"time": 1, "people": [{"id": "a", "joints": x.tolist()}] * 2}
    with pytest.raises(CrosscaleError, match="same id"):
        parse_frame(json.dumps(twice), 20)
    classifier.push(Frame(1.0, {"a": x}))
    with pytest.raises(CrosscaleError, match="time 1 is not after 1"):
        classifier.push(Frame(1.0, {"a": x}))
    with pytest.raises(CrosscaleError, match="two coordinates, others three"):
        classifier.push(Frame(2.0, {"a": x[:, :2]}))


def test_a_line_that_is_too_long_is_not_kept(classifier, act, monkeypatch):
    monkeypatch.setattr(stream_module, "LONGEST_LINE", 3000)
    good = [line(i / RATE, a=act("bow", seed=1)[i % 40, 0].round(2)) for i in range(25)]
    text = "\n".join([good[0], "x" * 200_000, *good[1:], "y" * 9000])
    out = answers(classifier, text)
    assert [one.get("line") for one in out] == [2, None, 27]
    assert "longer than 3,000 bytes" in out[0]["error"]


def test_layouts_and_windows_that_cannot_be_are_refused_at_once(model, head):
    with pytest.raises(CrosscaleError, match=r"ntu25.*kinect20"):
        LiveClassifier(model, head, Layout.load("ntu25"))
    for window, step in ((0, 0.5), (2, 0), (1, 2), (float("inf"), 1)):
        with pytest.raises(CrosscaleError, match="do not fit"):
            LiveClassifier(model, head, LAYOUT, window, step)


def test_a_socket_answers_one_after_the_other(model, head, act):
    told = []
    ready = threading.Event()

    def tell(message):
        told.append(message)
        ready.set()

    def make():
        return LiveClassifier(model, head, LAYOUT)

    threading.Thread(target=listen, args=("localhost:0", make, tell), daemon=True).start()
    assert ready.wait(300)
    port = int(told[0].split(":")[1].split(";")[0])
    x = act("wave", frames=30, seed=8)[:, 0]
    text = "".join(line(i / RATE, a=x[i]) + "\n" for i in range(30))
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.sendall(text[:3000].encode())  # and is gone in the middle of a line
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(("nonsense\n" + text).encode())
            connection.shutdown(socket.SHUT_WR)
            out = [json.loads(got) for got in connection.makefile("r")]
        assert out[0]["line"] == 1
        assert [one["time"] for one in out[1:]] == [1.0]


@pytest.mark.parametrize("address", ["0.0.0.0:7000", "8.8.8.8:1", "7000", "127.0.0.1:x", "::1:9"])
def test_only_addresses_of_this_machine_are_listened_at(address):
    with pytest.raises(CrosscaleError, match="no local address"):
        listen(address, lambda: None, print)


def test_an_address_that_is_taken_says_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CrosscaleError, match=f"cannot listen at 127.0.0.1:{port}"):
            listen(f"127.0.0.1:{port}", lambda: None, print)
