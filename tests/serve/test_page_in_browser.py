"""The page in a real browser, from a real server."""

import io
import shutil
import socket
import threading
import time
from contextlib import contextmanager

import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image
from uploads_made import npz

from accessibility import findings
from crosscale.serve import webcam
from crosscale.serve.app import make_app
from crosscale.serve.limits import Limits
from crosscale.serve.server import listen
from crosscale.serve.service import Service

pytestmark = pytest.mark.slow

# Stands for the pose estimator where it is not installed: landmarks of one who hops.
STAND_IN = """
class Pose {
  setOptions() {}
  onResults(take) { this.take = take; }
  async initialize() {}
  async send({ image }) {
    if (!image.videoWidth) throw new Error("no picture");
    await new Promise((done) => setTimeout(done, 30));
    const rise = 0.4 * Math.abs(Math.sin(2 * Math.PI * performance.now() / 1000));
    const landmarks = STILL.map(([x, y, z]) => ({ x, y: -(y + rise), z: -z, visibility: 1 }));
    this.take({ poseLandmarks: landmarks, poseWorldLandmarks: landmarks });
  }
}
"""


@pytest.fixture(scope="module")
def serve(model, index, head, store):
    """Starts servers, each with its folder of the pose estimator; gives the address."""

    def started(assets):
        limits = Limits(seconds=300)  # on whatever machine
        service = Service(model, run="run", head=head, index=index, store=store, limits=limits)
        told, ready = [], threading.Event()

        def tell(url):
            told.append(url)
            ready.set()

        app = make_app(service, assets=assets)
        threading.Thread(
            target=listen, args=(app, "127.0.0.1", 0, service.limits, tell), daemon=True
        ).start()
        assert ready.wait(300)
        return told[0]

    return started


@pytest.fixture(scope="module")
def plain(serve, tmp_path_factory):
    """A server without the pose estimator."""
    return serve(tmp_path_factory.mktemp("nothing"))


@contextmanager
def page_of(url, *flags, **settings):
    """The page, opened; it must have had no error and must have asked only this server."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    faults: list[str] = []
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", *flags])
        page = browser.new_page(viewport={"width": 1300, "height": 850}, **settings)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on(
            "request", lambda asked: None if asked.url.startswith(url) else faults.append(asked.url)
        )
        page.goto(url)
        until(page, "app.status !== null")
        yield page
        browser.close()
    assert faults == []


def until(page, what, seconds=300):
    """Wait; Playwright's own way needs `eval`, which the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(what):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def drop(page, name, content):
    """Drop a file onto the page."""
    page.evaluate(
        """([name, bytes]) => {
          const files = new DataTransfer();
          files.items.add(new File([Uint8Array.from(bytes)], name));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
        }""",
        [name, list(content)],
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_dropped_recording_plays_beside_its_like_with_what_happens_when(plain, act, scheme):
    x = np.concatenate([act("hop", frames=100, seed=5), act("wave", frames=100, seed=6)])
    with page_of(plain, color_scheme=scheme) as page:
        drop(page, "two things.npz", npz(x, layout="blazepose33", frame_rate=25.0))
        until(page, "app.player !== null && app.player.frame > 3")
        assert "two things" in page.inner_text("#player")
        until(page, "app.nearStages.length === 6")
        until(page, "app.nearStages.every((stage) => stage.players[0].frame > 1)")
        labels = page.locator("#lane button").all_inner_texts()
        assert (labels[0], labels[-1]) == ("hop", "wave")
        page.evaluate("app.stage.pause()")
        box = page.locator("#lane").bounding_box()
        page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 5)
        assert page.evaluate("app.stage.time") == pytest.approx(6, abs=0.1)
        assert page.inner_text("#lane button.on") == "wave"
        assert page.evaluate("app.player.frame") == pytest.approx(150, abs=3)


def test_of_several_files_each_can_be_chosen_and_a_wrong_one_is_told(plain, act, tmp_path):
    paths = []
    for action in ("bow", "wave"):
        paths.append(tmp_path / f"{action}.npz")
        paths[-1].write_bytes(npz(act(action, seed=9), layout="blazepose33"))
    (tmp_path / "<b>bad.npz").write_bytes(b"nonsense")
    with page_of(plain) as page:
        page.set_input_files("#files", [*paths, tmp_path / "<b>bad.npz"])
        until(page, "document.querySelectorAll('#clips button').length === 2")
        assert page.inner_text("#answer .verdict") == "bow"
        page.locator("#clips button", has_text="wave").click()
        assert page.inner_text("#answer .verdict") == "wave"
        assert "<b>bad skipped" in page.inner_text("#message")


def test_an_example_can_be_tried_and_another_format_chosen(plain):
    with page_of(plain) as page:
        page.click("#example")
        until(page, "app.player !== null && app.player.frame > 3")
        assert "squat_actor" in page.inner_text("#player")
        assert "squat_actor8.json" in page.inner_text("#facts")
        assert "labelled clips held out" in page.inner_text("#answer")
        assert page.evaluate("[0.9999, 0.5, 0.001].map(percent)") == ["> 96 %", "50 %", "< 4 %"]
        assert "pose_world_landmarks" in page.inner_text("#facts")  # how the format was found out
        page.select_option("#format", "mediapipe")
        until(page, "!find('facts').textContent.includes('pose_world_landmarks')")
        assert "squat_actor8.json" in page.inner_text("#facts")


def test_the_page_has_no_grave_finding_and_no_part_beside_the_screen(plain):
    with page_of(plain, bypass_csp=True, reduced_motion="reduce") as page:  # for axe-core

        def assert_well(shown):
            for width, height in ((1440, 900), (390, 844)):
                page.set_viewport_size({"width": width, "height": height})
                for scheme in ("light", "dark"):
                    page.emulate_media(color_scheme=scheme)
                    assert findings(page) == [], (shown, width, scheme)
                    room = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    assert room <= 0, (shown, width, scheme)

        assert_well("start")
        page.click("#example")
        until(page, "app.nearStages.length === 6")
        assert_well("example")
        page.evaluate("tell('bad.npz: this has no format that is known', true)")
        assert_well("error")


def test_without_the_pose_estimator_the_page_says_what_to_run(plain):
    with page_of(plain) as page:
        assert page.locator("#camera").is_disabled()
        assert "crosscale webcam" in page.inner_text("#welcome")


def watch(page, label=None):
    """Turn the webcam on, see an answer (the first may know too few pictures), turn it off."""
    page.click("#camera")
    shown = "document.querySelector('#now .verdict')?.textContent"
    until(page, f"{shown} === '{label}'" if label else f"{shown} !== undefined")
    assert "ms after the picture" in page.inner_text("#delay")
    page.click("#camera")
    assert page.evaluate("[webcam.running, webcam.stream]") == [False, None]
    assert page.inner_text("#camera") == "Turn the webcam on"


def test_the_webcam_shows_what_happens_now(serve, act, tmp_path):
    still = act("hop", frames=1, seed=1)[0, 0].round(3).tolist()
    for name in webcam.FILES:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "pose.js").write_text(f"const STILL = {still};{STAND_IN}")
    flags = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with page_of(serve(tmp_path), *flags) as page:
        watch(page, "hop")


def test_the_pose_estimator_itself_finds_a_person_in_the_picture(serve, tmp_path):
    folder = webcam.usual_folder()
    if webcam.absent(folder):
        pytest.skip("run `crosscale webcam` to test with the pose estimator itself")
    portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg")
    with Image.open(portrait) as picture, (tmp_path / "film.mjpeg").open("wb") as film:
        for shift in range(20):
            frame = io.BytesIO()
            whole = Image.new("RGB", (640, 480))
            whole.paste(picture.convert("RGB").resize((401, 470)), (110 + shift, 5))
            whole.save(frame, "JPEG")
            film.write(frame.getvalue())
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'film.mjpeg'}",
        "--enable-unsafe-swiftshader",
    )
    with page_of(serve(folder), *flags) as page:
        watch(page)


def test_a_request_that_never_gets_to_its_body_is_cut_off(plain):
    port = int(plain.rsplit(":", 1)[1].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x-a: b\r\n" * 9000 + b"\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 4")
