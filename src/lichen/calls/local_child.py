"""The child process of the embedded model: llama.cpp's HTTP server on loopback, and nothing else.

Run as a script with one JSON argument (see `Orders`), never imported by lichen: so its memory and
its CPU time are the model's alone. It writes one JSON line with its address to the descriptor
`ready_fd` once the model answers, and ends when its parent does, even by kill -9: it waits on the
parent's process descriptor and on its own standard input, of which the parent holds the other end.
It ignores SIGINT and SIGTERM, which reach a whole terminal or service group: while the parent
drains its last streams, the model must still answer. Only the parent ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
from typing import Any, TypedDict


class Orders(TypedDict):
    """What the parent asks for; the child's only argument."""

    gguf: str
    name: str
    context: int
    slots: int
    threads: int
    parent: int
    ready_fd: int


# llama.cpp's `-lv`: 0 nothing, 1 errors, 2 warnings, 3 notices.
# Source: llama.cpp tools/server/README.md, option --verbosity.
_ERRORS_ONLY = 1

# Prompts kept in memory beside the slots [MiB]; llama.cpp's default, 8192, is more than many
# machines have. Source: llama.cpp tools/server/README.md, option --cache-ram.
_PROMPT_CACHE_MIB = 64


def _end_with_parent(parent: int) -> None:
    """Block until the parent has gone or closed our standard input, then leave at once."""
    watch = select.poll()
    watch.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    # No pidfd before Linux 5.3 or outside Linux; and a parent that is gone already has none.
    with contextlib.suppress(AttributeError, OSError):
        watch.register(os.pidfd_open(parent), select.POLLIN)
    if os.getppid() == parent:
        watch.poll()
    # Nothing here needs saving, and a native server with calls in flight would not let us return.
    os._exit(0)


def _serve(orders: Orders) -> Any:
    """Load the model and start its server; it answers when this returns."""
    import xllamacpp  # noqa: PLC0415 (the watch must run before this loads 100 MB)

    wants = xllamacpp.CommonParams()
    wants.model.path = orders["gguf"]
    wants.model_alias = {orders["name"]}
    wants.n_ctx = orders["context"] * orders["slots"]
    wants.n_parallel = orders["slots"]
    wants.cpuparams.n_threads = wants.cpuparams_batch.n_threads = orders["threads"]
    wants.port = 0
    wants.verbosity = _ERRORS_ONLY
    wants.cache_ram_mib = _PROMPT_CACHE_MIB
    wants.embedding = True
    wants.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # Only the gateway talks to it: no page for people, no inside view, no other site's script.
    wants.ui = wants.endpoint_slots = False
    wants.cors_origins = "http://127.0.0.1"
    return xllamacpp.Server(wants)


def main() -> None:
    """Serve until the parent is gone."""
    orders: Orders = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watch = threading.Thread(target=_end_with_parent, args=(orders["parent"],), daemon=True)
    watch.start()
    server = _serve(orders)
    with os.fdopen(orders["ready_fd"], "w") as ready:
        ready.write(json.dumps({"url": server.listening_address}) + "\n")
    watch.join()


if __name__ == "__main__":
    main()
