"""Empty: what the overview says before the first call: how to make one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.operate.watch.markup import el
from lichen.operate.watch.page import Frame, Page, html_page

if TYPE_CHECKING:
    from lichen.operate.watch.markup import Markup

# A host and perhaps a port, as they may stand in a shell command without quotes.
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:]{2,45}\](:\d{1,5})?")
_LOOPBACK = "127.0.0.1:8420"
_CURL = """curl "$OPENAI_BASE_URL/chat/completions" \\
  -H "content-type: application/json" \\
  -H "authorization: Bearer $OPENAI_API_KEY" \\
  -d '{"model": "gpt-4o-mini", "temperature": 0,
       "messages": [{"role": "user", "content": "What is a lichen?"}]}'"""


def empty(host: str, top: tuple[Markup, ...]) -> Page:
    """The overview of a book without a call; `host` is where this page was asked for."""
    base = f"http://{host if _HOST.fullmatch(host) else _LOOPBACK}/v1"
    main = (
        el("h1", "No call has come through yet."),
        el(
            "p",
            "lichen stands between your application and its language model. It answers a call that "
            "was answered before from its store, and books what every call used and what that "
            "avoided. Two steps, and this page fills by itself.",
        ),
        el(
            "ol",
            el(
                "li",
                el("h2", "Point your application here"),
                el("p", "One environment variable; your code stays as it is."),
                el("pre", el("code", f"export OPENAI_BASE_URL={base}"), tabindex="0"),
                el(
                    "p",
                    "A client insists on some key. The embedded model asks for none, so say ",
                    el("code", "export OPENAI_API_KEY=none"),
                    " in the client’s shell, not in the one that starts lichen serve: there it "
                    "would choose OpenAI.",
                    class_="s",
                ),
            ),
            el(
                "li",
                el("h2", "Make a call, then make it again"),
                el("p", "The second answer comes from the store and asks no model."),
                el("pre", el("code", _CURL), tabindex="0"),
            ),
            class_="steps",
        ),
    )
    return html_page(Frame("lichen", top, ()), *main)
