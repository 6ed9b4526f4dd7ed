"""The web app: routes of the JSON API, and the page."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Request, UploadFile, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp

from crosscale import __version__
from crosscale.errors import CrosscaleError
from crosscale.serve import replies, webcam
from crosscale.serve.guard import Guard
from crosscale.serve.live import Live
from crosscale.serve.reading import AUTO
from crosscale.serve.service import ASSUMED_RATE, STEP, WEBCAM_LAYOUT, WINDOW, Service

# path: (package, file in it, kind); read once, so that no request opens a file of the package
PAGES = {
    "/": ("crosscale.serve", "static/index.html", "text/html"),
    "/static/app.css": ("crosscale.serve", "static/app.css", "text/css"),
    "/static/app.js": ("crosscale.serve", "static/app.js", "text/javascript"),
    "/static/webcam.js": ("crosscale.serve", "static/webcam.js", "text/javascript"),
    "/static/icon.svg": ("crosscale.serve", "static/icon.svg", "image/svg+xml"),
    "/static/look.css": ("crosscale.viz", "templates/look.css", "text/css"),
    "/static/player.js": ("crosscale.viz", "templates/player.js", "text/javascript"),
}
DESCRIPTION = """Embeds, compares and names recordings of skeletons with a trained encoder.

Uploads are multipart forms. Any answer with a status from 400 on is `{"error": "one line"}`.
Frames come and answers go over the WebSocket `/api/live?layout=NAME`, a JSON message each, in the
form of `crosscale live`."""
UNUSABLE = 422
_FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"model": replies.Fault, "description": what}
    for code, what in {
        413: "the upload is too large",
        UNUSABLE: "the upload or a setting cannot be used",
        503: "too much to do",
    }.items()
}

Files = Annotated[list[UploadFile], File(description="one recording, or several of one format")]
Format = Annotated[str, Form(description="of the files; auto looks at them")]
LayoutName = Annotated[
    str | None, Form(description="a built-in layout, for formats that do not fix it")
]
Count = Annotated[int, Form(ge=1, le=100, description="how many clips to find for each")]
Seconds = Annotated[float, Form(ge=0.25, le=60, allow_inf_nan=False)]
Rate = Annotated[
    float,
    Form(ge=1, le=1000, allow_inf_nan=False, description="where a file does not say it"),
]


@dataclass(frozen=True)
class _Api:
    """The routes that take an upload."""

    service: Service

    def embed(
        self, files: Files, format: Format = AUTO, layout: LayoutName = None
    ) -> dict[str, Any]:
        """One vector a clip."""
        with self.service.reading(files, format, layout) as recording:
            vectors = self.service.embed(recording)
            clips = [
                {"name": name, "embedding": vector}
                for name, vector in zip(recording.names, vectors.tolist(), strict=True)
            ]
            return {**recording.told(), "width": vectors.shape[1], "clips": clips}

    def search(
        self, files: Files, format: Format = AUTO, layout: LayoutName = None, k: Count = 10
    ) -> dict[str, Any]:
        """The clips of the index that are most similar to each clip."""
        with self.service.reading(files, format, layout) as recording:
            found = self.service.search(self.service.embed(recording), k)
            clips = [
                {"name": name, "nearest": nearest}
                for name, nearest in zip(recording.names, found, strict=True)
            ]
            return {**recording.told(), "clips": clips}

    def classify(
        self, files: Files, format: Format = AUTO, layout: LayoutName = None
    ) -> dict[str, Any]:
        """What each clip shows, or `none of these`."""
        with self.service.reading(files, format, layout) as recording:
            vectors = self.service.embed(recording)
            return {**recording.told(), "clips": self.service.classify(recording.names, vectors)}

    def segment(
        self,
        files: Files,
        format: Format = AUTO,
        layout: LayoutName = None,
        window: Seconds = WINDOW,
        step: Seconds = STEP,
        frame_rate: Rate = ASSUMED_RATE,
    ) -> dict[str, Any]:
        """What happens when in each clip."""
        if step > window:
            raise CrosscaleError("step must be at most window")
        with self.service.reading(files, format, layout) as recording:
            clips = self.service.segment(recording, window, step, frame_rate)
            return {**recording.told(), "clips": clips}

    def analyse(
        self, files: Files, format: Format = AUTO, layout: LayoutName = None, k: Count = 6
    ) -> dict[str, Any]:
        """All that the page shows of each clip, for one reading of the upload."""
        with self.service.reading(files, format, layout) as recording:
            return {**recording.told(), **self.service.analyse(recording, k)}


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
    _add_faults(app)
    _add_api(app, service, assets or webcam.usual_folder())
    _add_files(app, assets or webcam.usual_folder())
    return Guard(app, service.limits, host)


def _add_api(app: FastAPI, service: Service, assets: Path) -> None:
    api, live = _Api(service), Live(service)
    for path, function, reply in (
        ("embed", api.embed, replies.EmbedReply),
        ("search", api.search, replies.SearchReply),
        ("classify", api.classify, replies.ClassifyReply),
        ("segment", api.segment, replies.SegmentReply),
        ("analyse", api.analyse, replies.AnalyseReply),
    ):
        app.post(f"/api/{path}", response_model=reply, responses=_FAULTS)(function)

    @app.get("/api/status", response_model=replies.Status)
    def status() -> dict[str, Any]:
        """What this server has."""
        return service.status(webcam.absent(assets))

    @app.get("/api/clip/{name:path}", responses={404: {"model": replies.Fault}})
    def clip(name: str) -> dict[str, Any]:
        """A clip of the index, as /static/player.js takes it."""
        found = service.clip(name)
        if found is None:
            raise HTTPException(404, "the index has no clip of this name that can be played")
        return found

    @app.websocket("/api/live")
    async def answer(socket: WebSocket, layout: str = WEBCAM_LAYOUT) -> None:
        await live.answer(socket, layout)


def _add_files(app: FastAPI, assets: Path) -> None:
    """The page and the pose estimator: a table of paths, each with its file."""
    for path, (package, name, kind) in PAGES.items():
        content = resources.files(package).joinpath(name).read_bytes()
        _add_content(app, path, content, kind)

    @app.get("/webcam/{name}", include_in_schema=False)
    def asset(name: str) -> FileResponse:
        if name not in webcam.FILES or not (assets / name).is_file():
            raise HTTPException(404, "there is no such file; see `crosscale webcam --help`")
        return FileResponse(assets / name, media_type=webcam.FILES[name])


def _add_content(app: FastAPI, path: str, content: bytes, kind: str) -> None:
    @app.get(path, include_in_schema=False)
    def page() -> Response:
        return Response(content, media_type=kind)


def _add_faults(app: FastAPI) -> None:
    """Every fault is JSON of one line; what nobody foresaw is told on the server only."""

    @app.exception_handler(CrosscaleError)
    def unusable(request: Request, error: Exception) -> JSONResponse:
        return _fault(UNUSABLE, str(error))

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _fault(UNUSABLE, _first(error.errors()))

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _fault(error.status_code, error.detail, error.headers)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        logging.getLogger("crosscale").error("unforeseen", exc_info=error)
        return _fault(500, "a fault of the server; see what it printed")


def _fault(status: int, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    line = " ".join(reason.split()).encode(errors="replace").decode()
    return JSONResponse({"error": line}, status, dict(headers or {}))


def _first(errors: Sequence[Any]) -> str:
    where = ".".join(str(part) for part in errors[0]["loc"][1:])
    return f"{where}: {errors[0]['msg']}"
