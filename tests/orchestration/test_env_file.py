"""The environment beats `.env` in Dagster's processes too, which read that file by themselves and put it over the environment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.properties.dev import others

DAGSTER = Path(sys.executable).with_name("dagster")
# What a code server sees once it has loaded the definitions.
PROBE = """
import json, os
from pathlib import Path
from dcycle_pipeline import settings
from dcycle_pipeline.definitions import defs
Path("seen.json").write_text(json.dumps({"cron": settings.load_schedule().schedule_cron, **os.environ}))
"""
ENV_FILE = """DCYCLE_SCHEDULE_CRON=2 2 * * *
DCYCLE_API_KEY=
DCYCLE_DATA_DIR=from-the-file
DCYCLE_ORGANIZATION_ID=from-the-file
HTTPS_PROXY=http://from-the-file:1
"""
IN_THE_ENVIRONMENT = {
    "DCYCLE_SCHEDULE_CRON": "1 1 * * *",
    "DCYCLE_API_KEY": "sk_of_the_environment",
    "DCYCLE_DATA_DIR": "",
    "HTTPS_PROXY": "http://proxy.example:3128",
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("exported", [False, True], ids=["given", "exported by a script"])
def test_the_environment_beats_the_file_in_a_code_server(tmp_path: Path, exported: bool) -> None:
    (tmp_path / ".env").write_text(ENV_FILE)
    (tmp_path / "probe.py").write_text(PROBE)
    command = [str(DAGSTER), "schedule", "list", "-f", "probe.py"]
    given = {name: text for name, text in IN_THE_ENVIRONMENT.items() if not exported}
    if exported:
        said = "; ".join(f"export {name}='{text}'" for name, text in IN_THE_ENVIRONMENT.items())
        command = ["sh", "-c", f"{said}; {' '.join(command)}; exit $?"]  # the shell stays above it
    environment = others() | given | {"DAGSTER_HOME": str(tmp_path)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Loaded environment variables from .env file" in ended.stderr + ended.stdout, "else nothing is tried here"
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert {name: seen[name] for name in IN_THE_ENVIRONMENT} == IN_THE_ENVIRONMENT | {
        "DCYCLE_DATA_DIR": "from-the-file"
    }
    assert seen["DCYCLE_ORGANIZATION_ID"] == "from-the-file"
    assert seen["cron"] == "1 1 * * *"


def test_without_dagster_above_nothing_is_touched(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ENV_FILE)
    environment = others() | IN_THE_ENVIRONMENT | {"DCYCLE_ORGANIZATION_ID": "from-the-file"}
    code = "import os; from dcycle_pipeline import settings; before = dict(os.environ); settings.let_environment_win(); assert before == dict(os.environ)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
