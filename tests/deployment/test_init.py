"""`dcycle-pipeline init DIR`: what it writes, whom it lets read it, and that it overwrites nothing."""

import json
import os
import re
import stat
import subprocess
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from dotenv import dotenv_values

from dcycle_pipeline.settings import Settings, load
from tests.cli.conftest import PROGRAM, Invoke, invoke

__all__ = ["invoke"]

WRITTEN = {
    ".dockerignore",
    ".env",
    "Dockerfile",
    "compose.yaml",
    "constraints.txt",
    "dagster.yaml",
    "dcycle-sync.service",
    "dcycle-sync.timer",
    "helm-values.yaml",
    "workspace.yaml",
}


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_names_what_it_wrote_and_three_commands(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("init", "new/folder")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "new" / "folder"
    assert there(folder).keys() == WRITTEN
    for name in WRITTEN:
        assert f"new/folder/{name}: " in done.stdout
    commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [re.findall(r"doctor|pip wheel|docker compose", command) for command in commands] == [
        ["doctor"],
        ["pip wheel"],
        ["docker compose"],
    ]
    assert commands[0].startswith(f"cd {folder} && ")
    chapter = Path(done.stdout.splitlines()[-1].partition(": ")[2])
    assert chapter.is_absolute()
    assert chapter.read_text(encoding="utf-8").startswith("# Deployment")


def test_json_says_the_same(invoke: Invoke, tmp_path: Path) -> None:
    said = json.loads(invoke("init", "--json", "new").stdout)
    assert said["folder"] == str(tmp_path / "new")
    assert {*said["files"]} == WRITTEN
    assert len(said["next_commands"]) == 3
    assert Path(said["documentation"]).is_file()
    assert said["exit_code"] == 0


def test_only_the_owner_reads_the_key_and_the_rest_follows_the_umask(invoke: Invoke, tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        invoke("init", "new")
    finally:
        os.umask(umask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes.pop(".env") == 0o600
    assert set(modes.values()) == {0o640}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_no_file_is_overwritten_and_then_none_is_written(invoke: Invoke, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / name).write_text("mine")
    refused = invoke("init", str(folder))
    assert refused.exit_code == 2
    assert name in refused.output
    assert "Nothing was written" in refused.output
    assert there(folder) == {name: b"mine"}


def test_a_link_that_leads_nowhere_is_there_too(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").symlink_to(tmp_path / "elsewhere")
    assert invoke("init", ".").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]


def test_other_files_stay(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert invoke("init", ".").exit_code == 0
    assert there(tmp_path).keys() == WRITTEN | {"notes.txt"}


@pytest.mark.parametrize("name", ["file", "file/below", 'quo"te', "back\\slash", "dol$lar", "line\nbreak"])
def test_a_folder_that_cannot_be_is_refused_in_one_line(invoke: Invoke, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    refused = invoke("init", name)
    assert refused.exit_code == 2, refused.output
    assert len(refused.output.splitlines()) == 1
    assert "Nothing was written" in refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def env_text(invoke: Invoke, folder: Path) -> str:
    assert invoke("init", str(folder)).exit_code == 0
    return (folder / ".env").read_text(encoding="utf-8")


def test_env_holds_each_setting_once_with_its_meaning(invoke: Invoke, tmp_path: Path) -> None:
    lines = env_text(invoke, tmp_path / "new").splitlines()
    found = [(at, line) for at, line in enumerate(lines) if re.match(r"(# )?DCYCLE_\w+=", line)]
    assert sorted(line.removeprefix("# ").split("=")[0] for _, line in found) == sorted(
        f"DCYCLE_{name.upper()}" for name in Settings.model_fields
    )
    for at, line in found:
        field = Settings.model_fields[line.removeprefix("# ").split("=")[0].removeprefix("DCYCLE_").lower()]
        assert lines[at - 1] == f"# {field.description}"


def test_env_is_what_holds_without_it(
    invoke: Invoke, tmp_path: Path, without_network_variables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filled in it is the defaults, and so it is with every line made to count."""
    given = {"api_key": "sk_live_of_a_test", "organization_id": "o-1"}
    usual = load(**given)
    text = env_text(invoke, tmp_path / "new")
    for name, value in given.items():
        text = text.replace(f"\nDCYCLE_{name.upper()}=\n", f"\nDCYCLE_{name.upper()}={value}\n")
    (tmp_path / ".env").write_text(text)
    assert load() == usual
    (tmp_path / ".env").write_text(re.sub(r"^# (DCYCLE_\w+=)", r"\1", text, flags=re.MULTILINE))
    assert load() == usual


def test_each_folder_has_a_password_of_its_own(invoke: Invoke, tmp_path: Path) -> None:
    found = [
        dotenv_values(stream=StringIO(env_text(invoke, tmp_path / name)))["DAGSTER_POSTGRES_PASSWORD"]
        for name in ("one", "two")
    ]
    assert all(found)
    assert found[0] != found[1]


@pytest.mark.exhaustive
def test_the_second_command_builds_what_the_image_installs(invoke: Invoke, tmp_path: Path) -> None:
    said = json.loads(invoke("init", "--json", "new").stdout)
    folder = tmp_path / "new"
    subprocess.run(said["next_commands"][1], shell=True, cwd=folder, check=True, timeout=100)
    (wheel,) = (folder / "wheels").iterdir()
    assert f'"/build/wheels/{wheel.name}[deploy,telemetry]"' in (folder / "Dockerfile").read_text()
    with ZipFile(wheel) as built:
        assert "dcycle_pipeline/docs/deployment.md" in built.namelist()
        templates = {
            Path(name).name for name in built.namelist() if name.startswith("dcycle_pipeline/deployment/templates/")
        }
    assert templates == {f"{name.lstrip('.')}.j2" for name in WRITTEN}


def test_what_could_be_written_only_in_part_is_taken_back(tmp_path: Path) -> None:
    """A shell that limits files to 1 KiB stands for a disk that is full."""
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1 && exec {PROGRAM} init new"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "new cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "new").iterdir()) == []
