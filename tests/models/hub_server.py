"""A hub on this machine: the part of the Hugging Face hub's HTTP interface that models need."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Hub:
    """What is stored, and what was asked for."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.requests: list[str] = []
        self.status = 200
        self.url = ""

    def commit(self, model: str) -> str:
        """The name of the model's state: 40 digits, as git has them."""
        text = repr(sorted(self.models[model].items())).encode()
        return hashlib.sha1(text).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self, value: object, status: int = 200, **headers: str) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _missing(self, code: str) -> None:
        self._answer({"error": code}, 404, X_Error_Code=code)

    def _path(self) -> list[str]:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        return path.strip("/").split("/")

    def do_POST(self) -> None:
        parts = self._path()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.hub.status != 200:
            return self._answer({"error": "no"}, self.hub.status)
        if parts[:3] == ["api", "repos", "create"]:
            return self._create(json.loads(body))
        if parts[:2] == ["api", "validate-yaml"]:
            return self._answer({"errors": [], "warnings": []})
        model = "/".join(parts[2:4])
        if parts[4] == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            how = {"uploadMode": "regular", "shouldIgnore": False}
            return self._answer({"files": [{"path": name, **how} for name in names]})
        if parts[4] == "commit":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.hub.models[model][line["value"]["path"]] = content
            commit = self.hub.commit(model)
            address = f"{self.hub.url}/{model}/commit/{commit}"
            return self._answer({"commitUrl": address, "commitOid": commit, "success": True})
        return self._missing("EntryNotFound")

    def _create(self, asked: dict[str, object]) -> None:
        model = f"{asked.get('organization') or 'somebody'}/{asked['name']}"
        self.hub.models.setdefault(model, {"pickle.bin": b"never to be fetched"})
        self.hub.private[model] = asked.get("private", asked.get("visibility") == "private") is True
        self._answer({"url": f"{self.hub.url}/{model}"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = self._path()
        if parts[:2] == ["api", "models"]:
            return self._about("/".join(parts[2:4]), parts[4:])
        model, name = "/".join(parts[:2]), "/".join(parts[4:])
        content = self.hub.models.get(model, {}).get(name)
        if content is None:
            return self._missing("EntryNotFound")
        tag = f'"{hashlib.sha1(content).hexdigest()}"'
        return self._answer(content, ETag=tag, X_Repo_Commit=self.hub.commit(model))

    def _about(self, model: str, rest: list[str]) -> None:
        if model not in self.hub.models:
            return self._missing("RepoNotFound")
        files = self.hub.models[model]
        if rest[:1] == ["tree"]:
            rows = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in files.items()
            ]
            return self._answer(rows)
        return self._answer(
            {
                "id": model,
                "sha": self.hub.commit(model),
                "private": self.hub.private.get(model, False),
                "siblings": [{"rfilename": name} for name in files],
            }
        )


@contextmanager
def local_hub() -> Iterator[Hub]:
    """A hub that lives as long as the block."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
