"""Questions: chat calls that nobody has made before, so that no test is answered by another's.

client.chat.completions.create(**question(stream=True))
"""

from __future__ import annotations

import itertools
from typing import Any

_number = itertools.count(1)


def question(**changes: Any) -> dict[str, Any]:
    """A chat call of its own, deterministic; `changes` replace its fields or add some."""
    messages = [{"role": "user", "content": f"question {next(_number)}"}]
    return {"model": "gpt-4o-mini", "messages": messages, "temperature": 0, **changes}
