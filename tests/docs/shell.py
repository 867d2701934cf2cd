"""A newcomer's shell: blocks of code one after the other, in a folder and with an environment of its own."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(sys.executable).parent
DEADLINE_SECONDS = 180


def environment_of(home: Path, programs: Mapping[str, str]) -> dict[str, str]:
    """What a login gives, and the environment into which README installs; nothing of this process.

    Makes the home, with these programs, each a script of bash by its name, in front of all others.
    """
    (home / "tmp").mkdir(parents=True)
    (home / "bin").mkdir()
    for name, code in programs.items():
        (home / "bin" / name).write_text(f"#!/usr/bin/env bash\nset -eu\n{code}\n")
        (home / "bin" / name).chmod(0o755)
    path = os.pathsep.join([str(home / "bin"), str(PROGRAMS), "/usr/local/bin", "/usr/bin", "/bin"])
    return {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PATH": path, "LANG": "C.UTF-8"}


@dataclass
class Shell:
    """A shell that keeps its folder and its variables from block to block."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, code: str) -> str:
        """What a block says. It is run on a terminal, at which somebody answers each question with yes."""
        after = Path(self.variables["TMPDIR"]) / "after"
        process, terminal = self._begin(f"{code}\n{{ pwd; env -0; }} > '{after}'")
        os.write(terminal, b"y\n")
        said = "".join(_read(terminal))
        code_of_end = process.wait(DEADLINE_SECONDS)
        assert code_of_end == 0, f"{code}\n{said}\nended with {code_of_end}"
        where, _, variables = after.read_text().partition("\n")
        self.folder = Path(where)
        self.variables = dict(each.split("=", 1) for each in variables.split("\0") if each)
        return said

    def answer(self, program: str) -> str:
        """What a Python program says that runs where the shell is."""
        done = subprocess.run(
            [str(PROGRAMS / "python"), "-c", program],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, program + done.stderr
        return done.stdout

    @contextmanager
    def serving(self, code: str, ready: str) -> Iterator[str]:
        """A block that serves until Ctrl-C; gives what its whole lines say that looks like `ready`, and presses Ctrl-C at the end."""
        process, terminal = self._begin(code)
        said, parts = "", _read(terminal)
        while not (found := re.search(ready, said[: said.rfind("\n") + 1])):
            part = next(parts, None)
            assert part is not None, f"{code}\n{said}"
            said += part
        rest = threading.Thread(target=lambda: [*parts], daemon=True)  # a full terminal would stop it
        rest.start()
        try:
            yield found[0]
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(DEADLINE_SECONDS)
            rest.join(DEADLINE_SECONDS)

    def _begin(self, code: str) -> tuple["subprocess.Popen[bytes]", int]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=self.folder,
            env=self.variables,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return process, ours


def _read(terminal: int) -> Iterator[str]:
    """What is said on a terminal until its last program ends."""
    try:
        while part := os.read(terminal, 65_536):
            yield part.decode(errors="replace")
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    finally:
        os.close(terminal)
