"""All measurements, by the names that `--what` takes."""

from benchmarks import works
from benchmarks.feeding import feeding

MEASURES: dict[str, works.Measure] = {
    "training": works.training,
    "feeding": feeding,
    "embedding": works.embedding,
    "reading": works.reading,
    "preprocessing": works.preprocessing,
    "performing": works.performing,
    "linear": works.linear,
    "neighbours": works.neighbours,
}
