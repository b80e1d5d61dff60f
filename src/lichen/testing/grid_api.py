"""GridApi: a real HTTP server on loopback that speaks a grid's API, or misbehaves on demand.

    with GridApi(answer) as api:
        source = MyGrid(Web("mygrid", api.url, ...))
        api.trouble = Answer(503, headers={"Retry-After": "120"})

`answer` is a function from a question to an answer; while `trouble` is set, it is what everyone
gets. Every question is kept in `asked`.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DRIP_S = 0.05


@dataclass(frozen=True)
class Question:
    """One request: its path, parameters, and headers by their names in small letters."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What is sent. `delay` is waited before it [s]; `drip` sends it a byte at a time."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: bool = False

    @property
    def content(self) -> bytes:
        """The body as bytes: what is neither bytes nor text goes as JSON."""
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


class GridApi:
    """The server, for as long as it is entered."""

    def __init__(self, answer: Callable[[Question], Answer]) -> None:
        self.answer = answer
        self.trouble: Answer | Callable[[Question], Answer] | None = None
        self.asked: list[Question] = []
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        """Listen on a free port of loopback."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api._handle(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A client that went away is what some tests are about.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and leave no request waiting."""
        self.close()

    def close(self) -> None:
        """Stop listening: whoever asks now finds nobody."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        question = Question(parts.path, dict(parse_qsl(parts.query)), headers)
        self.asked.append(question)
        trouble = self.trouble
        if trouble is None:
            answer = self.answer(question)
        else:
            answer = trouble if isinstance(trouble, Answer) else trouble(question)
        self._closing.wait(answer.delay)
        content = answer.content
        handler.send_response(answer.status)
        for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if not answer.drip:
            handler.wfile.write(content)
            return
        for byte in content:
            if self._closing.is_set():
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(_DRIP_S)
