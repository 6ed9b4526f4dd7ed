"""All measurements, by the names that `crosscale bench --what` takes."""

from crosscale.bench import works
from crosscale.bench.feeding import feeding

MEASURES: dict[str, works.Measure] = {
    "training": works.training,
    "feeding": feeding,
    "embedding": works.embedding,
    "reading": works.reading,
    "preprocessing": works.preprocessing,
    "linear": works.linear,
    "neighbours": works.neighbours,
}
