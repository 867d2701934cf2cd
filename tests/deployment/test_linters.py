"""What cannot be run here passes the linters that there are for it; each test shows that its linter would find a mistake."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dcycle_pipeline.settings import Settings
from tests.cli.conftest import Invoke

BESIDE_PYTHON = Path(sys.executable).parent


def said(*words: str | Path) -> tuple[int, str]:
    """How a linter ends, and all that it prints."""
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60, env=os.environ
    )
    return done.returncode, done.stdout


def lint_compose(file: Path) -> tuple[int, str]:
    return said(BESIDE_PYTHON / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


def test_compose_keeps_the_schema_of_the_compose_specification(written: Path) -> None:
    file = written / "compose.yaml"
    code, output = lint_compose(file)
    assert code == 0, output
    file.write_text(file.read_text().replace("    image: postgres", "    imago: postgres"))
    assert lint_compose(file)[0] != 0


def test_only_the_code_server_has_the_key_and_the_data(written: Path) -> None:
    services = yaml.safe_load((written / "compose.yaml").read_text())["services"]
    assert [name for name, each in services.items() if "env_file" in each] == ["code"]
    assert [name for name, each in services.items() if "data:/data" in each["volumes"]] == ["code"]
    assert services["webserver"]["ports"] == ["127.0.0.1:${DAGSTER_PORT:-3000}:3000"]


def test_the_dockerfile_passes_hadolint(written: Path) -> None:
    file = written / "Dockerfile"
    code, output = said(BESIDE_PYTHON / "hadolint", "--no-color", file)
    assert (code, output) == (0, "")
    file.write_text(file.read_text().replace("-slim", "").replace(f":3.{sys.version_info.minor}", ""))
    assert said(BESIDE_PYTHON / "hadolint", "--no-color", file)[0] != 0


def test_the_image_does_not_run_as_root_and_says_how_it_is(written: Path) -> None:
    steps = (written / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in steps if line.startswith("USER ")]
    assert users == ["10001:10001"]
    assert [line for line in steps if line.startswith("HEALTHCHECK ")]


def lint_units(folder: Path) -> tuple[int, str]:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("REQUIRE_SYSTEMD"):
            pytest.fail("REQUIRE_SYSTEMD is set, but there is no systemd-analyze")
        pytest.skip("no systemd-analyze: install Debian's `systemd` to run these")
    return said("systemd-analyze", "verify", folder / "dcycle-sync.service", folder / "dcycle-sync.timer")


@pytest.mark.parametrize("name", ["new", "with a space and 100%"])
def test_systemd_takes_the_units(invoke: Invoke, tmp_path: Path, name: str) -> None:
    assert invoke("init", name).exit_code == 0
    folder = tmp_path / name
    assert lint_units(folder) == (0, "")
    unit = folder / "dcycle-sync.service"
    unit.write_text(unit.read_text().replace("ExecStart=", "ExecStarts="))
    assert "ExecStarts" in lint_units(folder)[1]


def test_nothing_ends_a_run_before_its_own_limit(written: Path) -> None:
    longest_hours = Settings.model_fields["run_hours"].default + 1  # an hour of waiting for the lock
    monitoring = yaml.safe_load((written / "dagster.yaml").read_text())["run_monitoring"]
    assert monitoring["max_runtime_seconds"] > longest_hours * 3600
    (hours,) = re.findall(r"^TimeoutStartSec=(\d+)h$", (written / "dcycle-sync.service").read_text(), re.MULTILINE)
    assert int(hours) > longest_hours
