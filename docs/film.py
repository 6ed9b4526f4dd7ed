"""Makes `film.gif`, the film above the README: clips of `crosscale examples`, named and searched.

    python docs/film.py

All that it shows is what the commands `prepare`, `classify` and `search` answer with `body`.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from crosscale.cli import main
from crosscale.cli.inference import classify, search
from crosscale.data.store import ClipStore
from crosscale.viz.film import SIDE_COLOURS, projected
from crosscale.viz.player_clip import PlayedClip, rows_of, stored_clip

OUT = Path(__file__).with_name("film.gif")
QUERIES = ("squat_actor8", "sit_actor7", "wave_actor5")
SECONDS, RATE = 3.4, 10  # of each query, frames a second
ANSWERED, FOUND = 0.5, 1.1  # seconds until the answer and the nearest clips appear
WIDTH, HEIGHT, FINE = 800, 400, 2  # pixels, and how much finer it is drawn
COLOURS = 48
INK, SOFT, LINE, PAPER, FILL = "#1d2430", "#667085", "#dde1e8", "#ffffff", "#2f6fd0"
NEAREST = 3
BONES = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "index"), ("shoulder", "hip"),
        ("hip", "knee"), ("knee", "ankle"), ("ankle", "foot_index"),
    )
] + [("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")]  # fmt: skip
Draw = ImageDraw.ImageDraw
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Scene:
    """One query and what was answered.

    Attributes:
        clip: the query.
        answer: a row of what `classify` gives.
        nearest: similarity and clip, the most similar first.
    """

    clip: PlayedClip
    answer: dict[str, Any]
    nearest: list[tuple[float, PlayedClip]]


def scenes() -> Iterator[Scene]:
    """Run the commands in a folder of their own; what they answer to each query."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        table = "recordings/mediapipe.csv"
        for command in (
            "examples recordings",
            f"prepare auto recordings/mediapipe --table {table} --out store",
            "index body store --out clips.index",
        ):
            if main(command.split()):
                raise SystemExit(1)
        answers = classify(Path("body"), Path("store"), out=Path("named.csv"))
        rows = {row["name"]: row for row in answers.to_pylist()}
        store = ClipStore.open(Path("store"))
        for query in QUERIES:
            found = search(Path("clips.index"), query, k=NEAREST).to_pylist()
            places = rows_of(store, [query, *(one["name"] for one in found)])
            clip, *clips = (stored_clip(store, place) for place in places)
            near = [(one["similarity"], own) for one, own in zip(found, clips, strict=True)]
            yield Scene(clip, rows[query], near)


def drawn(scene: Scene, time: float) -> Image.Image:
    """The picture at a time in seconds."""
    image = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), PAPER)
    draw = ImageDraw.Draw(image)
    _text(draw, (24, 18), f"{scene.clip.name}.json", 17, INK)
    _text(draw, (24, 42), "an example, synthetic, without a label", 13, SOFT)
    _person(draw, scene.clip, time, (24, 70, 304, 382))
    draw.line(_fine((328, 20, 328, 380)), LINE, FINE)
    _text(draw, (352, 18), "What is it?", 17, INK)
    _text(draw, (776, 21), "from 3 labelled clips a class", 13, SOFT, "ra")
    if time >= ANSWERED:
        answer = scene.answer
        _bar(draw, 52, answer["label"], answer["probability"], True)
        _bar(draw, 90, answer["runner_up"], answer["runner_up_probability"], False)
    _text(draw, (352, 150), "What is most like it?", 17, INK)
    _text(draw, (776, 153), "cosine similarity", 13, SOFT, "ra")
    if time >= FOUND:
        for place, (similarity, clip) in enumerate(scene.nearest):
            left = 352 + 145 * place
            draw.rectangle(_fine((left, 180, left + 134, 382)), outline=LINE, width=FINE)
            _person(draw, clip, time, (left + 8, 188, left + 126, 334))
            _text(draw, (left + 67, 340), clip.name, 13, INK, "ma")
            _text(draw, (left + 67, 359), f"{similarity:.2f}", 13, SOFT, "ma")
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _bar(draw: Draw, top: float, label: str, share: float, chosen: bool) -> None:
    _text(draw, (352, top + 4), label, 19 if chosen else 15, INK if chosen else SOFT)
    draw.rectangle(_fine((450, top + 6, 690, top + 22)), "#eef1f5")
    draw.rectangle(
        _fine((450, top + 6, 450 + 240 * share, top + 22)), FILL if chosen else "#b9c2cf"
    )
    told = "> 99 %" if share > 0.99 else "< 1 %" if share < 0.01 else f"{100 * share:.0f} %"
    _text(draw, (776, top + 3), told, 19 if chosen else 15, INK if chosen else SOFT, "ra")


def _person(draw: Draw, clip: PlayedClip, time: float, box: Box) -> None:
    """A stick figure, playing again and again, as large as its box allows."""
    flat = projected(clip.coordinates)[:, 0]  # (T, V, 2)
    low, high = flat.min((0, 1)), flat.max((0, 1))
    left, top, right, bottom = box
    scale = min((right - left) / (high - low)[0], (bottom - top) / ((high - low)[1] + 0.12))
    middle = (left + right) / 2, bottom
    frame = flat[min(int(time * (clip.rate or 30)) % (len(flat) + 10), len(flat) - 1)]
    at = {
        joint: (
            (middle[0] + scale * (x - (low + high)[0] / 2)) * FINE,
            (middle[1] - scale * (y - low[1])) * FINE,
        )
        for joint, (x, y) in zip(clip.layout.joints, frame.tolist(), strict=True)
    }
    thick = max(2.0, scale * 0.045) * FINE
    neck = tuple(
        (a + b) / 2 for a, b in zip(at["left_shoulder"], at["right_shoulder"], strict=True)
    )
    head = tuple((a + b) / 2 for a, b in zip(at["left_ear"], at["right_ear"], strict=True))
    lines = [(at[a], at[b], _side(a, b)) for a, b in BONES] + [(neck, head, "c")]
    for first, second, side in lines:
        colour = SIDE_COLOURS[side]
        draw.line([*first, *second], colour, round(thick))
        for x, y in (first, second):
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), colour)
    radius = 0.11 * scale * FINE
    (x, y) = head
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), SIDE_COLOURS["c"])


def _side(first: str, second: str) -> str:
    return first[0] if first[0] == second[0] else "c"


def _fine(box: Box) -> tuple[float, ...]:
    return tuple(FINE * number for number in box)


def _text(
    draw: Draw, at: tuple[float, float], text: str, size: int, colour: str, anchor: str = "la"
) -> None:
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size * FINE)
    draw.text((at[0] * FINE, at[1] * FINE), text, colour, font, anchor)


def save(pictures: list[Image.Image], path: Path) -> None:
    """All pictures as a GIF of one palette, for ever."""
    together = Image.fromarray(np.concatenate([np.asarray(one) for one in pictures[::12]]))
    palette = together.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    flat = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
    flat[0].save(
        path, save_all=True, append_images=flat[1:], duration=1000 // RATE, loop=0, optimize=True
    )


if __name__ == "__main__":
    times = [count / RATE for count in range(round(SECONDS * RATE))]
    save([drawn(scene, time) for scene in scenes() for time in times], OUT)
