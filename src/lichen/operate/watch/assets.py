"""Assets: the style sheet and the script, served under the hash of their contents.

A name with a hash never changes its meaning, so a browser keeps the file for a year and asks again
only when the name does. Comments and indentation are left out on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files

STYLE, SCRIPT = "watch.css", "watch.js"
_KINDS = {STYLE: "text/css; charset=utf-8", SCRIPT: "text/javascript; charset=utf-8"}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_AROUND = re.compile(r"\s*([{};,>])\s*|(?<=:)\s+")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    address: str
    kind: str
    etag: str
    body: bytes


@cache
def asset(name: str) -> Asset:
    """One of our two files."""
    source = files("lichen.operate.watch").joinpath(name).read_text(encoding="utf-8")
    body = (_tight_style(source) if name == STYLE else _tight_script(source)).encode()
    mark = blake2b(body, digest_size=5).hexdigest()
    stem, _, ending = name.partition(".")
    return Asset(f"/assets/{stem}.{mark}.{ending}", _KINDS[name], f'"{mark}"', body)


def at(path: str) -> Asset | None:
    """The file with this address; None where there is none, or only of another version."""
    return next((made for made in map(asset, _KINDS) if made.address == path), None)


def _tight_style(source: str) -> str:
    return (
        _AROUND.sub(lambda found: found[1] or "", _COMMENT.sub("", source))
        .replace(";}", "}")
        .strip()
    )


def _tight_script(source: str) -> str:
    lines = _LINE_COMMENT.sub("", source).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
