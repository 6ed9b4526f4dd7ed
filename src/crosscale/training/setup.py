"""What a recipe names, made: its source of clips, its objective with fresh weights, its views."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import torch

from crosscale.augment.compose import Views
from crosscale.data.store import ClipStore
from crosscale.encoders import described
from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import TrainedEncoders, load_encoders
from crosscale.models.hub import resolve
from crosscale.models.published import load_whole
from crosscale.objectives.base import Objective, StreamSpec
from crosscale.skeleton.layout import Layout
from crosscale.training.recipe import Recipe
from crosscale.training.sources import Source
from crosscale.transforms.modality import Stream


def make_source(recipe: Recipe, stores: Sequence[ClipStore], device: torch.device) -> Source:
    """The source of a recipe, opened on some stores."""
    kind, settings = recipe.chosen("source")
    source: Source = kind(settings, stores, recipe.protocol, recipe.preprocess, device)
    source.begin_with(partial(start_of, recipe))
    return source


def make_objective(
    recipe: Recipe, source: Source, start: TrainedEncoders | None = None
) -> Objective:
    """The objective of a recipe with fresh weights, drawn from its seed.

    Args:
        recipe: every setting.
        source: of its clips.
        start: what `start_of` gives, where it was loaded already.
    """
    streams = [Stream.parse(name) for name in recipe.streams]
    if len(set(streams)) != len(streams) or not streams:
        raise CrosscaleError(f"streams must differ and be one or more, not {recipe.streams}")
    encoder, encoder_settings = recipe.chosen("encoder")
    kind, settings = recipe.chosen("objective")
    known = start or start_of(recipe)
    torch.manual_seed(recipe.seed)
    specs = []
    for stream in streams:
        make = partial(encoder, stream.graph(source.layout), encoder_settings)
        specs.append(StreamSpec(stream, source.layout, partial(_begun, make, str(stream), known)))
    return cast(Objective, kind(specs, settings))


def start_of(recipe: Recipe) -> TrainedEncoders | None:
    """The trained encoders that a recipe begins from."""
    return load_encoders(resolve(recipe.start)) if recipe.start else None


def _begun(make: Callable[[], Encoder], stream: str, known: TrainedEncoders | None) -> Encoder:
    """An encoder with fresh weights, or with those of a trained one of its stream."""
    encoder = make()
    if known is None:
        return encoder
    begun = known.encoders.get(stream)
    if begun is None or described(begun) != described(encoder):
        raise CrosscaleError(
            f"the encoders to start from have streams {', '.join(known.encoders)} and settings "
            f"{described(next(iter(known.encoders.values())))}; the recipe has {stream} and "
            f"{described(encoder)}"
        )
    load_whole(encoder, begun.state_dict(), f"stream {stream} of the encoders to start from")
    return encoder


def make_views(recipe: Recipe, layout: Layout) -> Views:
    """What draws the views that a recipe's objective wants, of clips of a layout."""
    kind, settings = recipe.chosen("objective")
    scales = list(dict.fromkeys(Stream.parse(name).scale for name in recipe.streams))
    return Views(kind.views(settings, recipe.augment), layout, scales, recipe.seed)


def steps_per_epoch(recipe: Recipe, clips: int) -> int:
    """Steps an epoch, with the last smaller batch used or dropped as the recipe says.

    Raises:
        CrosscaleError: when a batch would hold fewer than two clips.
    """
    if recipe.training.batch_size < 2:
        raise CrosscaleError(f"batch_size must be 2 or more, not {recipe.training.batch_size}")
    whole, rest = divmod(clips, recipe.training.batch_size)
    return whole + (rest > 0 and recipe.training.last_batch == "use")
