"""The pages in a real browser; the rest of the tests need none."""

import numpy as np
import pytest
from player_pages import body

from crosscale.models.model import load
from crosscale.training.recipe import read_recipe
from crosscale.viz.drawn_views import drawn_views
from crosscale.viz.embedding_map import map_html
from crosscale.viz.page import clips_html
from crosscale.viz.player_clip import PlayedClip

pytestmark = pytest.mark.slow


def wait_for(page, condition: str) -> None:
    """Ask again and again; Playwright's own waiting is kept out by the page's policy."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page; at the end it must have had no error and asked for nothing."""
    faults: list[str] = []
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: faults.append(asked.url) if "file" not in asked.url else None)

    def open_page(html: str):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())
        return page

    yield open_page
    page.close()
    assert faults == []


def test_a_page_plays_views_and_shows_their_cut_edges(opened, store):
    clips = drawn_views(store, [0, 2, 5], read_recipe("nwucla/crosscale", {}), seed=2)
    page = opened(clips_html(clips, "Clips", "", 3))
    frames = "stage.players.map((player) => player.frame)"
    page.evaluate("(stage.pause(), stage.seek(0))")
    assert page.evaluate(frames) == [0] * 9
    page.keyboard.press("Space")
    wait_for(page, f"{frames}.every((frame) => frame > 2)")
    page.keyboard.press("ArrowLeft")
    assert not page.evaluate("stage.playing")
    for scale in ("joints", "part10"):
        page.select_option(".skeleton-scale select", scale)
        page.wait_for_timeout(200)
        told = page.locator(".skeleton-caption").all_inner_texts()
        for clip, text in zip(clips, told, strict=True):
            count = len(clip.cut.get(scale, ()))
            assert (f"{count} edge" in text) == (count > 0)
            assert clip.name in text
    before = page.evaluate("[stage.yaw, stage.zoom]")
    page.mouse.move(200, 300)
    page.mouse.down()
    page.mouse.move(260, 300)
    page.mouse.up()
    page.mouse.wheel(0, -200)
    wait_for(page, f"stage.yaw !== {before[0]} && stage.zoom > {before[1]}")


def test_coordinates_arrive_in_the_browser_and_absent_bodies_are_not_drawn(opened, store):
    clip = PlayedClip("two", store.coordinates(2), store.layout, rate=25.0)
    page = opened(clips_html([clip], "Clips", ""))
    values = np.array(page.evaluate("Array.from(stage.players[0]._values)"), np.float32)
    np.testing.assert_array_equal(values.reshape(clip.coordinates.shape), clip.coordinates)
    there = "[5, 15].map((t) => stage.players[0]._nodes(stage.players[0]._graph(), t, 1) !== null)"
    assert page.evaluate(there) == [True, False]


def test_a_clip_in_the_plane_plays_flat(opened, kinect20):
    clip = PlayedClip("flat", body(kinect20, 0, frames=60, size=2), kinect20, rate=30.0)
    page = opened(clips_html([clip], "Clips", ""))
    wait_for(page, "stage.players[0].frame > 3")
    places = "stage.players[0]._view(100, 100)([%d, 0, 0]).x"
    assert page.evaluate(places % 1) > page.evaluate(places % -1)  # x to the right


def test_pointing_at_a_dot_plays_its_clip_and_clicking_pins_it(opened, store):
    page = opened(map_html(store, load("parts"), np.arange(6), 48, None, seed=0, title="Map"))
    box = page.locator("#map").bounding_box()
    for row in (3, 4):
        x, y = page.evaluate(f"map.place({row})")
        page.mouse.move(box["x"] + x, box["y"] + y)
        wait_for(page, f"player.clip.name === data.clips[{row}].name")
    shown = np.array(page.evaluate("Array.from(player._values)")).reshape(-1, 1, 20, 3)
    np.testing.assert_allclose(shown, store.coordinates(4), atol=5e-3)
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("map.pinned") == 4
    page.fill("#search", "sit")
    assert page.inner_text("#found") == "2 found"
    page.locator(".legend button", has_text="wave").click()
    assert page.evaluate("data.clips.map((_, i) => map.visible(i)).filter(Boolean).length") == 4


def test_arrow_keys_go_from_dot_to_dot_and_enter_pins(opened, store):
    page = opened(map_html(store, load("parts"), np.arange(6), 48, None, seed=0, title="Map"))
    grid = [[x, y] for y in (-0.4, 0.4) for x in (-0.4, 0.1, 0.5)]  # wherever t-SNE puts them
    page.evaluate("(points) => { data.points = points; map.draw(); }", grid)
    page.focus("#map")
    page.keyboard.press("ArrowRight")
    first = page.evaluate("map.hovered")
    places = page.evaluate("data.points.map((_, i) => map.place(i))")
    middle = page.evaluate("[map.canvas.clientWidth / 2, map.canvas.clientHeight / 2]")
    assert first == np.argmin(np.linalg.norm(np.array(places) - middle, axis=1))
    reached = {first}
    for key in ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"] * 6:
        page.keyboard.press(key)
        reached.add(page.evaluate("map.hovered"))
    assert len(reached) > 3
    page.keyboard.press("Enter")
    assert page.evaluate("map.pinned") == page.evaluate("map.hovered")
    name = page.evaluate("data.clips[map.pinned].name")
    assert name in page.inner_text("#told")
    page.keyboard.press("Escape")
    assert page.evaluate("map.pinned") is None
    page.click("#closer")
    assert page.evaluate("map.zoom") > 1


def test_the_camera_follows_who_goes_far_and_a_long_name_keeps_its_end(opened, kinect20):
    x = body(kinect20, 0, frames=90)
    there = PlayedClip("one", x, kinect20, rate=30.0)
    away = np.linspace(0, 60, 90, dtype=np.float32)[:, None, None]
    walked = x.copy()
    walked[..., 0] += away
    name = "a-recording-with-a-name-that-takes-more-room-than-there-is" * 3 + "-take-07"
    page = opened(clips_html([there, PlayedClip(name, walked, kinect20, rate=30.0)], "Clips", ""))
    counts = page.evaluate("stage.players.map((player) => player._bounds.centres.length)")
    assert counts == [1, 90]
    page.evaluate("(stage.pause(), stage.seek(1.5))")
    centre = page.evaluate("stage.players[1]._view(100, 100)(stage.players[1]._centre())")
    assert centre["x"] == 50
    ends = page.locator(".skeleton-name").nth(1)
    assert ends.get_attribute("title") == name
    assert ends.locator("span").nth(1).inner_text() == name[-16:]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
