"""Pictures of the last report, so that a chart that shows the same is not drawn again: starting the engine takes a second.

How charts are drawn belongs to `engine`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from dcycle_pipeline.data_folder import write_whole
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.report.engine import Order, Picture, draw


def drawn_once(orders: Sequence[Order], kept: Path | None) -> list[Picture]:
    """The pictures of all orders, in their order; only those that are not in the file `kept` are drawn. It then holds these alone."""
    names = [_name(order) for order in orders]
    known = _read(kept) if kept else {}
    missing = {name: order for name, order in zip(names, orders, strict=True) if name not in known}
    fresh = dict(zip(missing, draw(list(missing.values())) if missing else [], strict=True))
    pictures = [fresh.get(name) or Picture(known[name]) for name in names]
    if kept and fresh:
        _write(kept, {name: picture.drawn for name, picture in zip(names, pictures, strict=True) if picture.drawn})
    return pictures


def _name(order: Order) -> str:
    said = json.dumps([version("vl-convert-python"), version("dcycle_pipeline"), asdict(order)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _read(file: Path) -> dict[str, str]:
    """Pictures by name; empty if the file is not there or is damaged."""
    try:
        digest, _, content = file.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if digest != _digest(content):
        return {}
    found: dict[str, str] = json.loads(content)
    return found


def _write(file: Path, drawn: dict[str, str]) -> None:
    content = json.dumps(drawn).encode()
    try:
        write_whole(file, _digest(content) + b"\n" + content)
    except (OSError, UnavailableError):  # then they are drawn again: no reason to write no report
        return


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
