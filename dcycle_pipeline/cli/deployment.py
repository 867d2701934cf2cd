"""The verb that writes what an installation starts from. What is in the files belongs to the room `deployment`."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.sync.outcome import OK


@app.command(name="init")
def write_installation(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    json: AsJson = False,
) -> None:
    """Write what a real installation starts from: files for containers, systemd and Kubernetes, and .env with every setting.

    DIR is the folder to write to. No file in it is overwritten.
    """

    def run() -> int:
        from dcycle_pipeline.deployment.files import FILES, SECRET, chapter, texts
        from dcycle_pipeline.deployment.writing import write_new

        write_new(folder, texts(folder))
        if json:
            console.as_json(
                {
                    "folder": os.path.abspath(folder),
                    "files": list(FILES),
                    "next_commands": _commands(folder),
                    "documentation": chapter(),
                    "exit_code": OK,
                }
            )
            return OK
        for name, meaning in FILES.items():
            console.show(f"{folder / name}: {meaning}")
        console.show(f"Fill in DCYCLE_API_KEY and DCYCLE_ORGANIZATION_ID in {folder / SECRET}. Then:")
        for command in _commands(folder):
            console.show(f"  {command}")
        console.show_whole(f"Without containers, and all else: {chapter()}")
        return OK

    end(run, json)


def _commands(folder: Path) -> list[str]:
    from dcycle_pipeline.deployment.files import program, source

    pip = shlex.quote(str(program("pip")))
    return [
        f"cd {shlex.quote(os.path.abspath(folder))} && {shlex.quote(str(program('dcycle-pipeline')))} doctor",
        f"{pip} wheel --quiet --no-deps --wheel-dir wheels {shlex.quote(source())}",
        "docker compose up --build --detach",
    ]
