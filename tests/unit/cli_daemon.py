"""A daemon as the commands see one: the contract's answers over real HTTP, and faults on demand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Script:
    """What it answers and what it was asked. `refusals`: how many POSTs are answered 409 before one is taken;
    `broken_streams`: how many event streams end before their `done`."""

    receipts: dict[str, Any]
    refusals: int = 0
    broken_streams: int = 0
    problem: dict[str, Any] | None = None
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


def receipts_of(state: str, **counts: int) -> dict[str, Any]:
    """Receipts of one channel, `push`, with these counts."""
    states = dict.fromkeys(
        (
            "queued",
            "sending",
            "retrying",
            "accepted",
            "delivered",
            "seen",
            "acknowledged",
            "failed",
            "gone",
            "expired",
            "superseded",
        ),
        0,
    )
    row = {"channel": "push", "adapter": "webpush", "provable": "accepted", "total": sum(counts.values())}
    times = {"p50_ms": 41, "p99_ms": 230, "attempts": sum(counts.values())}
    return {
        "alert_id": "abc",
        "state": state,
        "accepted_at": "2026-11-21T10:00:00+00:00",
        "first_attempt_at": "2026-11-21T10:00:00.025+00:00",
        "settled_at": None,
        "channels": [{**row, **states, **counts, **times}],
    }


@contextmanager
def daemon(script: Script) -> Iterator[Script]:
    """It listens while inside; `script.url` says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.posts.append((self.path, dict(self.headers), body))
            if script.problem is not None:
                self._json(script.problem["status"], script.problem, "application/problem+json")
            elif self.path == "/v1/previews":
                channel = {"channel": "push", "broadcast": False, "audience": 1204}
                self._json(200, {"channels": [channel], "zones": ["Montelupo Fiorentino"]})
            elif script.refusals:
                script.refusals -= 1
                self._json(409, {"title": "Conflict", "detail": "still in flight"}, "application/problem+json")
            else:
                self._json(202, {"id": "abc", "identifier": "abc", "state": "pending", "channels": ["push"]})

        def do_GET(self) -> None:
            if script.problem is not None:
                self._json(script.problem["status"], script.problem, "application/problem+json")
            elif self.path.endswith("/events"):
                self._events()
            else:
                self._json(200, script.receipts)

        def _events(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            data = json.dumps(script.receipts)
            self.wfile.write(f": hello\n\nevent: progress\ndata: {data}\n\n".encode())
            if script.broken_streams:
                script.broken_streams -= 1
            else:
                self.wfile.write(f"event: done\ndata: {data}\n\n".encode())
            self.close_connection = True

        def _json(self, status: int, value: object, kind: str = "application/json") -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 409:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
