"""The web app: routes of the JSON API, and the page."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Form, UploadFile, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from crosscale import __version__
from crosscale.errors import CrosscaleError
from crosscale.serve import replies, webcam
from crosscale.serve.guard import Guard
from crosscale.serve.live import Live
from crosscale.serve.reading import AUTO
from crosscale.serve.service import (
    ASSUMED_RATE,
    STEP,
    WEBCAM_LAYOUT,
    WINDOW,
    Recording,
    Service,
)
from crosscale.synthesis.examples import example_recording

PAGE = Path(__file__).parent / "static" / "index.html"
STATIC: list[str | tuple[str, str]] = [
    ("crosscale.serve", "static"),
    ("crosscale.viz", "templates"),  # the player and its style
]
DESCRIPTION = """Embeds, compares and names recordings of skeletons with a trained encoder.

Uploads are multipart forms. Any answer with a status from 400 on is `{"error": "one line"}`.
Frames come and answers go over the WebSocket `/api/live?layout=NAME`, a JSON message each, in the
form of `crosscale live`."""
UNUSABLE = 422
FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"model": replies.Fault, "description": what}
    for code, what in {
        413: "the upload is too large",
        UNUSABLE: "the upload or a setting cannot be used",
        503: "too much to do",
    }.items()
}
Count = Annotated[int, Form(ge=1, le=100, description="how many clips to find for each")]
Seconds = Annotated[float, Form(ge=0.25, le=60, allow_inf_nan=False)]
Rate = Annotated[
    float,
    Form(ge=1, le=1000, allow_inf_nan=False, description="where a file does not say it"),
]


def _service(connection: HTTPConnection) -> Service:
    service: Service = connection.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]


def _recording(
    service: Served,
    files: Annotated[list[UploadFile], File(description="one recording, or several of one format")],
    format: Annotated[str, Form(description="of the files; auto looks at them")] = AUTO,
    layout: Annotated[
        str | None, Form(description="a built-in layout, for formats that do not fix it")
    ] = None,
) -> Iterator[Recording]:
    with service.reading(files, format, layout) as recording:
        yield recording


Uploaded = Annotated[Recording, Depends(_recording)]
api = APIRouter(prefix="/api")


@api.post("/embed", responses=FAULTS)
def embed(service: Served, recording: Uploaded) -> replies.EmbedReply:
    """One vector a clip."""
    vectors = service.embed(recording)
    clips = [
        replies.Embedded(name=name, embedding=vector)
        for name, vector in zip(recording.names, vectors.tolist(), strict=True)
    ]
    return replies.EmbedReply(**recording.told, width=vectors.shape[1], clips=clips)


@api.post("/search", responses=FAULTS)
def search(service: Served, recording: Uploaded, k: Count = 10) -> replies.Reply[replies.Searched]:
    """The clips of the index that are most similar to each clip."""
    found = service.search(service.embed(recording), k)
    clips = [
        replies.Searched(name=name, nearest=nearest)
        for name, nearest in zip(recording.names, found, strict=True)
    ]
    return replies.Reply[replies.Searched](**recording.told, clips=clips)


@api.post("/classify", responses=FAULTS)
def classify(service: Served, recording: Uploaded) -> replies.Reply[replies.Classified]:
    """What each clip shows, or `none of these`."""
    clips = service.classify(recording)
    return replies.Reply[replies.Classified](**recording.told, clips=clips)


@api.post("/segment", responses=FAULTS)
def segment(
    service: Served,
    recording: Uploaded,
    window: Seconds = WINDOW,
    step: Seconds = STEP,
    frame_rate: Rate = ASSUMED_RATE,
) -> replies.Reply[replies.Segmented]:
    """What happens when in each clip."""
    if step > window:
        raise CrosscaleError("step must be at most window")
    clips = service.segment(recording, window, step, frame_rate)
    return replies.Reply[replies.Segmented](**recording.told, clips=clips)


@api.post("/analyse", responses=FAULTS)
def analyse(service: Served, recording: Uploaded, k: Count = 6) -> replies.AnalyseReply:
    """All that the page shows of each clip, for one reading of the upload."""
    clips, notes = service.analyse(recording, k)
    return replies.AnalyseReply(**recording.told, clips=clips, notes=notes)


@api.get("/example", response_class=Response)
def example() -> Response:
    """An example recording to upload."""
    name, text = example_recording()
    told = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="application/json", headers=told)


@api.get("/clip/{name:path}", responses={404: {"model": replies.Fault}})
def clip(service: Served, name: str) -> dict[str, Any]:
    """A clip of the index, as /static/player.js takes it."""
    found = service.clip(name)
    if found is None:
        raise HTTPException(404, "the index has no clip of this name that can be played")
    return found


def make_app(service: Service, *, host: str | None = None, assets: Path | None = None) -> ASGIApp:
    """The app, guarded.

    Args:
        service: answers.
        host: listened at; None for loopback only.
        assets: folder of the pose estimator for the browser; None for the usual one.
    """
    app = FastAPI(
        title="crosscale",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(api)
    _add_faults(app)
    _add_webcam(app, service, assets or webcam.usual_folder())
    app.add_api_route("/", lambda: FileResponse(PAGE), include_in_schema=False)
    app.mount("/static", StaticFiles(packages=STATIC))
    return Guard(app, service.limits, host)


def _add_webcam(app: FastAPI, service: Service, assets: Path) -> None:
    """What depends on the pose estimator for the browser: its files, and what lacks of them."""
    live = Live(service)

    @app.get("/api/status")
    def status() -> replies.Status:
        """What this server has."""
        return service.status(webcam.absent(assets))

    @app.websocket("/api/live")
    async def answer(socket: WebSocket, layout: str = WEBCAM_LAYOUT) -> None:
        await live.answer(socket, layout)

    @app.get("/webcam/{name}", include_in_schema=False)
    def asset(name: str) -> FileResponse:
        if name not in webcam.FILES or not (assets / name).is_file():
            raise HTTPException(404, "there is no such file; see `crosscale webcam --help`")
        return FileResponse(assets / name, media_type=webcam.FILES[name])


def _add_faults(app: FastAPI) -> None:
    """Every fault is JSON of one line; what nobody foresaw is told on the server only."""

    @app.exception_handler(CrosscaleError)
    def unusable(_: HTTPConnection, error: CrosscaleError) -> JSONResponse:
        return _fault(UNUSABLE, str(error))

    @app.exception_handler(RequestValidationError)
    def wrong(_: HTTPConnection, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return _fault(UNUSABLE, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    def refused(_: HTTPConnection, error: HTTPException) -> JSONResponse:
        return _fault(error.status_code, error.detail, error.headers)

    @app.exception_handler(Exception)
    def unforeseen(_: HTTPConnection, error: Exception) -> JSONResponse:
        logging.getLogger("crosscale").error("unforeseen", exc_info=error)
        return _fault(500, "a fault of the server; see what it printed")


def _fault(status: int, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    line = " ".join(reason.split()).encode(errors="replace").decode()
    return JSONResponse({"error": line}, status, dict(headers or {}))
