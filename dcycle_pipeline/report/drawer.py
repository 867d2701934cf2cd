"""The process that draws: a script of its own, which `engine` starts, feeds and judges. It imports nothing of this package.

The engine below it (V8 and Rust) ends its whole process when it fails, so no other work may live there.
"""

import base64
import json
import os
import signal
import sys
from typing import IO, Any
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_TRIAL = {"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative"}}}


def main() -> None:
    """Draw each order of standard input. Standard output gets a line when the engine runs, and then a line for each order."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever the engine prints is no answer
    work = json.load(sys.stdin.buffer)
    _die_with(work["parent"])
    orders = [{"specification": _TRIAL, "colors": {}}, *work["orders"]]
    for order in orders:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, work["seconds"])  # ends the process, whatever the engine does
        _answer(answers, order)


def _die_with(parent: int) -> None:
    """End at once if the process that ordered ends, and leave no core file, which would hold what people wrote."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only Linux has this call

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit("the process that ordered the drawing is gone")


def _answer(answers: IO[str], order: dict[str, Any]) -> None:
    try:
        answer = {"drawn": _drawn(order["specification"], order["colors"])}
    except Exception as error:
        answer = {"failed": " ".join(str(error).splitlines()[:2])}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _drawn(specification: dict[str, Any], colors: dict[str, str]) -> str:
    """The chart as SVG; with `colors`, which stand for colours that only the page knows, as PNG in base64."""
    import vl_convert  # noqa: PLC0415 - if it cannot be loaded, the answer says so

    svg = vl_convert.vegalite_to_svg(specification)
    if not colors:
        return svg
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314 - Vega wrote it a line above
    for element in root.iter():
        for name in ("fill", "stroke"):
            if element.get(name) in colors:
                element.set(name, colors[element.get(name, "")])
    png = vl_convert.svg_to_png(ElementTree.tostring(root, encoding="unicode"))
    return base64.b64encode(png).decode()


if __name__ == "__main__":
    main()
