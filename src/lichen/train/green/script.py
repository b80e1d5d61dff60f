"""Script: a task as a shell script, for executors that take one. It runs its command at most once.

    began.N   made before the command runs; whoever finds it there runs nothing
    exit      the exit code, whole, once the command has ended

N counts how often the executor itself started the script anew, after a failure of its machine. The
shell catches SIGTERM and SIGUSR1 and goes on waiting; the command gets them itself, as a member of
the same job.

Source: POSIX, mkdir() is atomic; a signal that a shell catches is set to its default in commands,
one that it ignores stays ignored, so they are caught (Shell Command Language, 2.11 and trap).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.train.green.executor import Task

# What the script exits with when it ran nothing; no command's own.
RAN_NOTHING = 0


def script(task: Task, head: Sequence[str] = (), restarts: str = "0") -> str:
    """The script of a task; `head` are lines for the executor, `restarts` counts its own."""
    folder = shlex.quote(str(task.folder))
    variables = [
        f"export {name}={shlex.quote(value)}"
        for name, value in task.env.items()
        if name.isidentifier()
    ]
    return "\n".join(
        [
            "#!/bin/sh",
            *head,
            f"# {task.name}",
            f"mkdir {folder}/began.{restarts} || exit {RAN_NOTHING}",
            *variables,
            f'[ "{restarts}" = 0 ] || export LICHEN_RESUME=1',
            f"cd {shlex.quote(task.cwd)} || exit 126",
            "trap : TERM USR1",
            shlex.join(task.argv),
            "code=$?",
            f"echo $code > {folder}/exit.$$ && mv {folder}/exit.$$ {folder}/exit",
            "exit $code",
            "",
        ]
    )
