"""Nothing of ours is deprecated or superseded to Dagster, and what Dagster says of its own commands `dcycle-pipeline ui` leaves out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dcycle_pipeline.deployment.dagster_home import WORKSPACE
from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import variables
from tests.properties.dev import dagster_dev, others

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(300)]

# Dagster 1.13 says so of `dagster dev` and `dagster definitions validate`, before it looks at any definition: nobody but who calls
# them could silence that, by PYTHONWARNINGS.
OF_DAGSTERS_COMMAND = re.compile(r"SupersessionWarning: Function `\w+_command` is superseded")
NOTICE = re.compile(r"warning:|deprecat|supersed", re.IGNORECASE)
OF_OURS = re.compile(r"/dcycle_pipeline/\S+:\d+: \w*Warning:")


def notices(lines: list[str]) -> list[str]:
    return [line for line in lines if NOTICE.search(line) and not OF_DAGSTERS_COMMAND.search(line)]


def validated(folder: Path) -> list[str]:
    """What `dagster definitions validate` says of our definitions."""
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate", "--workspace", WORKSPACE],
        cwd=folder,
        env=others() | {"DAGSTER_HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Validation successful for code location dcycle_pipeline" in done.stdout
    return done.stdout.splitlines()


def test_definitions_are_validated_without_a_notice(tmp_path: Path) -> None:
    assert notices(validated(tmp_path)) == []


def test_no_warning_that_python_hides_is_of_ours(tmp_path: Path) -> None:
    """Dagster keeps to itself what a code server says, so this one loads the definitions as that does."""
    code = "import dagster as dg; from dcycle_pipeline.definitions import defs; dg.Definitions.validate_loadable(defs)"
    loads = [sys.executable, "-W", "default", "-c", code]
    done = subprocess.run(loads, cwd=tmp_path, env=others(), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if OF_OURS.search(line)] == []


def test_dagster_dev_starts_without_a_notice(sandbox: Sandbox, tmp_path: Path) -> None:
    with dagster_dev(tmp_path, variables(sandbox, tmp_path / "data")) as dev:
        assert notices(dev.said) == []
        assert dev.said
