"""Many clients and hostile ones at a real server: clear refusals, bounded memory, still there.

`pytest tests/serve/test_load.py -m slow -s` prints requests a second and the slowest 1 %.
"""

import os
import select
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from uploads_made import npz, sent

pytestmark = pytest.mark.slow

REQUESTS, CLIENTS = int(os.environ.get("CROSSCALE_LOAD", "6")), 6
MOST_GROWTH = 300  # MB
ARRIVAL = 6.0  # seconds; short, so that the test is, and long enough for a busy machine
PATIENCE = 120  # seconds; all is over much sooner
SERVER = """
if __name__ == "__main__":  # each upload's process imports this file, so that it must be light
    import sys
    from pathlib import Path
    from crosscale.inference.head import make_head
    from crosscale.inference.index import Index
    from crosscale.models.model import load
    from crosscale.serve.app import make_app
    from crosscale.serve.limits import Limits
    from crosscale.serve.server import listen
    from crosscale.serve.service import Service

    index = Index.open(Path(sys.argv[2]))
    head = make_head("linear", 0.0).fit(index.vectors, index.labels)
    limits = Limits(arrival=float(sys.argv[3]), seconds=120)
    service = Service(load(sys.argv[1]), run="run", head=head, index=index, limits=limits)
    listen(make_app(service), "127.0.0.1", 0, limits, lambda url: print(url, flush=True))
"""


def start(folder, run, index, arrival):
    script = folder / "server.py"
    script.write_text(SERVER)
    words = [sys.executable, script, run, index.path, str(arrival)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, stdout=-1, stderr=-3, text=True, env=environment)
    return process, process.stdout.readline().strip()


@pytest.fixture(scope="module")
def server(run, index, tmp_path_factory):
    """The process of a server, and its address."""
    process, url = start(tmp_path_factory.mktemp("load"), run, index, ARRIVAL)
    assert url
    yield process, url
    process.terminate()
    process.wait(PATIENCE)


def resident(process) -> float:
    """Megabytes of memory of a process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def serves(url, act):
    reply = httpx.post(f"{url}api/search", files=sent(take(act)), timeout=PATIENCE)
    assert reply.status_code == 200, reply.text
    assert reply.json()["clips"][0]["nearest"]


def until(true):
    """Ask until it is so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "never"
        time.sleep(0.05)


def take(act):
    return npz(act("wave", seed=77), layout="blazepose33", frame_rate=25.0)


def idle(url, count, begun):
    """Connections on which something has begun, and no more comes."""
    port = int(url.rsplit(":", 1)[1].strip("/"))
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for one in connections:
        one.sendall(begun)
    return connections


@pytest.mark.parametrize("question", ["status", "search", "classify", "embed", "analyse"])
def test_many_clients_are_all_answered(server, act, question):
    process, url = server
    body = take(act)

    def ask(client):
        begun = time.perf_counter()
        if question == "status":
            reply = client.get("/api/status")
        else:
            reply = client.post(f"/api/{question}", files=sent(body))
        assert reply.status_code == 200, reply.text
        return time.perf_counter() - begun

    with (
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        ask(client)
        before, begun = resident(process), time.perf_counter()
        seconds = list(pool.map(lambda _: ask(client), range(REQUESTS)))
        took = time.perf_counter() - begun
    p50, p99 = statistics.median(seconds), float(np.quantile(seconds, 0.99))
    print(
        f"\n{question}: {REQUESTS} requests of {CLIENTS} clients, {REQUESTS / took:.1f} a second, "
        f"median {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, {resident(process):.0f} MB"
    )
    assert resident(process) - before < MOST_GROWTH


def turned_away(hang, ask):
    """What is answered while connections hang and nobody else gets in; and these connections.

    On a busy machine they may end before anybody asked: then others hang.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        hanging = hang()
        while not select.select(hanging, [], [], 0.05)[0]:
            reply = ask()
            if reply.status_code == 503:
                return reply, hanging
        for one in hanging:
            one.close()
    raise AssertionError("nobody was turned away")


def test_uploads_that_never_end_give_their_place_back(server, act):
    _, url = server
    head = (
        b"POST /api/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    # Who asks has no file, which would take a busy machine longer than the others are waited for.
    reply, slow = turned_away(
        lambda: idle(url, 8, head), lambda: httpx.post(f"{url}api/embed", timeout=PATIENCE)
    )
    assert "try again" in reply.json()["error"]
    for one in slow:
        one.settimeout(PATIENCE)
        assert one.recv(100).startswith(b"HTTP/1.1 408")
        one.close()
    serves(url, act)


@pytest.mark.parametrize("trickle", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_silent_connections_are_closed(server, act, trickle):
    _, url = server

    def status():
        return httpx.get(f"{url}api/status", timeout=PATIENCE)

    _, silent = turned_away(lambda: idle(url, 80, trickle), status)
    for one in silent:
        one.settimeout(PATIENCE)
        assert one.recv(100) == b""
        one.close()
    until(lambda: status().status_code == 200)
    serves(url, act)


def test_a_storm_of_hostile_uploads_is_refused_and_leaves_no_memory_behind(server, act):
    process, url = server
    nothing = npz(np.full((5, 1, 33, 3), np.nan, np.float32), layout="blazepose33")
    form = {"content-type": "multipart/form-data; boundary=b"}
    hostile = [
        {"content": b"x" * (33 * 2**20), "headers": form},
        {"content": b"--b\r\nbroken", "headers": form},
        {"content": b"[" * 10**6, "headers": {"content-type": "application/json"}},
        {"files": sent(nothing)},
        {"files": sent(b"PK\x03\x04" + os.urandom(10**6), "../../etc/passwd.npz")},
        {"files": sent(take(act)), "data": {"layout": "../../etc/passwd"}},
    ]

    def post(request):
        try:
            return httpx.post(f"{url}api/search", timeout=PATIENCE, **request)
        except httpx.TransportError:
            # The server answers too large a request and closes before all was sent.
            assert request is hostile[0]
            return None

    serves(url, act)
    before = resident(process)
    with ThreadPoolExecutor(CLIENTS) as pool:
        replies = list(pool.map(post, hostile * 4))
    for reply in replies:
        if reply is not None:
            assert 400 <= reply.status_code < 500, reply.text
            assert reply.json()["error"]
    assert resident(process) - before < MOST_GROWTH
    serves(url, act)
