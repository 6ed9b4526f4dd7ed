"""Clips to look at, and what the tests read out of pages."""

import base64
import json
import re
from typing import Any

import numpy as np

from crosscale.skeleton.layout import Layout

WICKED = "</script><script>alert('a')</script>"


def body(layout: Layout, seed: int, frames: int, bodies: int = 1, size: int = 3) -> np.ndarray:
    """(T, M, V, C) of joints that wander about, two metres from the camera."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, bodies, len(layout.joints), size)) + [0, 0, 3][:size]
    return (x + 0.02 * rng.normal(size=(frames, *x.shape[1:])).cumsum(axis=0)).astype(np.float32)


def decoded(clip: dict[str, Any]) -> np.ndarray:
    """(T, M, V, C) of a player's clip, by its documented form alone."""
    kind = {"float32": "<f4", "float16": "<f2"}[clip["type"]]
    values = np.frombuffer(base64.b64decode(clip["coordinates"]), kind).astype(np.float64)
    shape = (clip["frames"], clip["bodies"], -1, clip["dimensions"])
    return np.array(clip["origin"]) + clip["unit"] * values.reshape(shape)


def page_data(html: str) -> dict[str, Any]:
    """The data inside a page."""
    text = re.search(r'<script type="application/json" id="\w+">(.*?)</script>', html, re.DOTALL)
    assert text is not None
    found: dict[str, Any] = json.loads(text[1])
    return found


def assert_needs_no_network(html: str) -> None:
    code = re.sub(r'<script type="application/json".*?</script>', "", html, flags=re.DOTALL)
    assert not re.search(r"https?://|//\w+\.\w+/|@import|fetch\(|XMLHttpRequest|url\(", code)
    assert not re.search(r"<link|<img src|<script [^>]*src", code)
    assert "default-src 'none'" in code.replace("&#39;", "'")
