"""What the API answers; the OpenAPI document is made from this."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

Told = TypeVar("Told")


class Fault(BaseModel):
    """Any answer with a status from 400 on."""

    error: str = Field(description="what is wrong, in one line")


class Skipped(BaseModel):
    """A recording that could not be used."""

    name: str
    reason: str


class Read(BaseModel):
    """How an upload was read; a part of every answer to one."""

    format: str = Field(description="of the files")
    how: str = Field(description="how one saw that")
    layout: str = Field(description="name of the skeleton")
    skipped: list[Skipped] = Field(description="recordings that could not be used")
    repaired: dict[str, int] = Field(description="kinds of faults repaired, in how many clips")


class Reply(Read, Generic[Told]):
    """What is told of each clip of an upload."""

    clips: list[Told]


class Embedded(BaseModel):
    """A clip's embedding."""

    name: str
    embedding: list[float] = Field(description="of length 1")


class EmbedReply(Reply[Embedded]):
    """Embeddings of all clips."""

    width: int = Field(description="numbers in an embedding")


class Near(BaseModel):
    """A clip of the index."""

    name: str
    label: str | None
    similarity: float = Field(description="cosine, mean of the streams")
    playable: bool = Field(description="whether /api/clip/NAME has it")


class Searched(BaseModel):
    """The clips nearest to one."""

    name: str
    nearest: list[Near] = Field(description="the most similar first")


class Classified(BaseModel):
    """What one clip shows."""

    name: str
    label: str = Field(description="a class, or `none of these`")
    probability: float | None = Field(description="null for `none of these`")
    runner_up: str
    runner_up_probability: float


class Segment(BaseModel):
    """A stretch of one action."""

    start: float = Field(description="seconds")
    end: float = Field(description="seconds")
    label: str
    probability: float = Field(description="mean over the stretch")


class Segmented(BaseModel):
    """What happens when in one clip; between the segments nothing known does."""

    name: str
    seconds: float = Field(description="that the clip lasts")
    frame_rate: float
    assumed: bool = Field(description="true where the file does not say the frame rate")
    segments: list[Segment]


class Analysed(BaseModel):
    """All that can be said of one clip; null where the server lacks what it takes."""

    name: str
    player: dict[str, Any] = Field(description="the clip as /static/player.js takes it")
    nearest: list[Near] | None = Field(None, description="other clips than this one")
    itself: str | None = Field(None, description="the clip of the index that is this one")
    answer: Classified | None = None
    timeline: Segmented | None = None


class AnalyseReply(Reply[Analysed]):
    """All that can be said of each clip."""

    notes: list[str] = Field(description="why something cannot be said")


class LiveStatus(BaseModel):
    """What the webcam needs."""

    ready: bool = Field(description="whether webcam frames can be named")
    problem: str | None = Field(description="what is missing, and what to do")
    layout: str
    window: float = Field(description="seconds that an answer looks back")
    step: float = Field(description="seconds from one answer to the next")
    assets: bool = Field(description="whether the pose estimator for the browser is here")


class Status(BaseModel):
    """What this server has."""

    version: str
    run: str
    layout: str
    streams: list[str]
    width: int = Field(description="numbers in an embedding")
    classes: list[str] | None = Field(description="of the head; null without one")
    index: int | None = Field(description="clips in the index; null without one")
    playable: bool = Field(description="whether the clips of the index can be played")
    trust: str | None = Field(description="how rough probabilities are; null without a head")
    rough: int | None = Field(description="points by which probabilities are off, where known")
    formats: dict[str, str] = Field(description="that may be sent, and what they are")
    layouts: list[str] = Field(description="for formats that do not fix it")
    limits: dict[str, float]
    live: LiveStatus
