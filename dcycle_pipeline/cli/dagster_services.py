"""Dagster's webserver and daemon on this machine, for as long as the command runs: `dagster dev` as a process of its own."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from dcycle_pipeline import signals
from dcycle_pipeline.deployment.dagster_home import WORKSPACE
from dcycle_pipeline.errors import SettingsError, UnavailableError

HOST = "127.0.0.1"
_LOOK_SECONDS = 0.2


def serve(port: int, environment: Mapping[str, str], folder: Path, ready: Callable[[str], None]) -> None:
    """Run the services in a folder until a signal ends them; `ready` is told the address of the UI once it answers.

    Raises SettingsError if the port is taken, UnavailableError if the services end by themselves.
    """
    _refuse_taken(port)
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # as in a background job of a shell: Dagster would inherit that
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    words = [sys.executable, "-m", "dagster", "dev", "-h", HOST, "-p", str(port), "-w", str(WORKSPACE)]
    process = subprocess.Popen(  # noqa: S603 - Dagster's own program
        [*words, "--log-level", "warning"],
        cwd=folder,
        env={**environment, "PYTHONWARNINGS": "ignore"},  # they are for developers
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # else the terminal would send a second signal, which it takes for impatience
    )
    told_to_end = threading.Event()

    def stop() -> None:
        if not told_to_end.is_set():
            told_to_end.set()
            process.send_signal(signal.SIGINT)

    with signals.instead_of_ending(stop):
        if _is_up(process, port):
            ready(f"http://{HOST}:{port}")
        code = process.wait()
    if not told_to_end.is_set():
        raise UnavailableError(f"Dagster's services ended by themselves ({code}): what they say above tells why.")


def _is_up(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether the UI answers, as soon as it does; not if the services end before."""
    while process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _refuse_taken(port: int) -> None:
    try:
        with socket.create_server((HOST, port)):
            pass
    except OSError as error:
        raise SettingsError(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None
