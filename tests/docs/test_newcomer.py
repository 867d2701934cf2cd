"""A newcomer's path: every block of code of README and the chapters, in their order, in a folder that was empty.

CI installs by README's own first two commands (`.ci/run`), so here their environment is there already.
"""

import contextlib
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import httpx
import pytest
import yaml
from typer.testing import CliRunner

from dcycle_pipeline.cli import app
from dcycle_pipeline.definitions import defs
from dcycle_pipeline.orchestration.backfill import JOB as BACKFILL
from dcycle_pipeline.orchestration.jobs import JOB as SYNC
from dcycle_pipeline.sandbox import Sandbox
from tests.conftest import small_world
from tests.docs.answers import check
from tests.docs.markdown import ALL, CHAPTERS, README, ROOT, Block, Chapter
from tests.docs.shell import PROGRAMS, Shell, environment_of
from tests.properties.dev import free_port, server_info

# Blocks that are not run here, by their beginnings: the file that tries them instead, or why nothing can run them in a test.
ELSEWHERE = {
    "README.md": {" Dcycle API": "a picture", ".venv/bin/pip install": ".ci/run"},
    "bi.md": {
        "superset import-datasources": "needs Superset; tried by hand",
        ".venv/bin/dcycle-pipeline export dbt": "tests/export/test_recipes.py",
        "python3 -m venv duckdb": "tests/export/test_recipes.py",
        "python3 -m venv harlequin": "tests/export/test_recipes.py",
        "CREATE ROLE bi_tools": "tests/publish/postgres/test_chapter.py",
        "SELECT f.country_code": "tests/publish/postgres/test_chapter.py",
    },
    "history.md": {"dcycle-pipeline resolve --organization": "tests/warehouse/test_doubt.py"},
    "deployment.md": {
        "docker compose": "needs Docker",
        "kubectl create secret": "needs Kubernetes",
        "tar --create": "tests/deployment/test_backup.py",
        "mkdir checked": "tests/deployment/test_backup.py",
    },
    "settings.md": {"include = ": "tests/docs/test_chapters.py"},
    "postgres.md": {
        "CREATE ROLE dcycle_writer": "tests/publish/postgres/test_chapter.py",
        "GRANT USAGE": "tests/publish/postgres/test_chapter.py",
        "INSERT INTO": "tests/publish/postgres/test_chapter.py",
    },
    "development.md": {
        "uv venv": "needs uv; tried by hand",
        "cli            definitions": "a picture",
        "HISTORY_MODEL_EXAMPLES": "takes hours",
        "SIGNALS_EVERYWHERE": "takes an hour",
    },
}
RUN = ("sh", "sql", "python", "yaml")
INSTALLING = r"^python3 -m venv \.venv && \.venv/bin/pip install .* -e \. && "
# What Dagster reads of the checkout in which README's reader is.
CHECKOUT = ("workspace.yaml", ".dagster/dagster.yaml")
# A root that only looks whether there is what it is to copy.
SUDO = """echo "sudo $*"
if [ "$1" = cp ]; then ls -- "${@:2:$#-2}"; fi"""


def order() -> list[Chapter]:
    """README and the chapters, as README leads to them; deployment is a part of operations."""
    listed = README.text.partition("## Where the rest is\n")[2]
    stems = re.findall(r"^- \[[^\]]+\]\(dcycle_pipeline/docs/(\w+)\.md\)", listed, re.MULTILINE)
    stems.insert(stems.index("operations") + 1, "deployment")
    return [README, *(CHAPTERS[stem] for stem in stems)]


def elsewhere(chapter: Chapter, block: Block) -> list[str]:
    return [why for start, why in ELSEWHERE.get(chapter.name, {}).items() if block.text.startswith(start)]


def test_every_block_is_run_here_or_it_is_said_where() -> None:
    assert sorted(map(str, order())) == sorted(map(str, ALL))
    for chapter in ALL:
        starts = ELSEWHERE.get(chapter.name, {})
        assert [s for s in starts if not any(block.text.startswith(s) for block in chapter.blocks)] == []
        for block in chapter.blocks:
            why = elsewhere(chapter, block)
            assert len(why) == 1 or (not why and block.language in RUN), block.text
            assert all((ROOT / each).is_file() or " " in each for each in why)


@pytest.mark.parametrize("chapter", ALL, ids=lambda chapter: chapter.name)
def test_a_shell_understands_every_block(chapter: Chapter) -> None:
    for block in chapter.code("sh"):
        subprocess.run(["bash", "-n", "-c", block.text], check=True)


def test_blocks_for_docker_and_kubernetes_name_what_there_is(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["init", str(tmp_path / "new")]).exit_code == 0
    services = yaml.safe_load((tmp_path / "new" / "compose.yaml").read_text())["services"]
    code = "\n".join(block.text for block in CHAPTERS["deployment"].code("sh"))
    named = re.findall(
        r"docker compose (?:exec|run|stop)(?: -T| --rm)? ([a-z ]+?)(?= dcycle| pg_dump| dagster|\n)", code
    )
    assert len(named) == code.count("docker compose") - code.count("docker compose build") == 4
    assert {name for each in named for name in each.split()} <= services.keys()
    (claim,) = re.findall(r"<<'CLAIM'\n(.*?)^CLAIM$", code, re.MULTILINE | re.DOTALL)
    helm = (tmp_path / "new" / "helm-values.yaml").read_text()
    for name in [yaml.safe_load(claim)["metadata"]["name"], *re.findall(r"create secret generic (\S+)", code)]:
        assert name in helm


@dataclass
class Newcomer:
    """Somebody who reads on, block by block. Each chapter is a new shell in the same folder."""

    folder: Path
    account: Sandbox
    read: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in CHECKOUT:
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes((ROOT / name).read_bytes())
        (self.folder / ".venv").symlink_to(PROGRAMS.parent)
        key, root = self.account.api_key, self.account.world.root_id
        nano = f'sed -i "s|^DCYCLE_API_KEY=.*|&{key}|; s|^DCYCLE_ORGANIZATION_ID=.*|&{root}|" "$1"'
        self.login = environment_of(self.folder / "home", {"nano": nano, "sudo": SUDO})

    def follow(self, chapter: Chapter) -> None:
        """Run the blocks of a chapter that are not tried elsewhere."""
        shell = Shell(self.folder, self.login | self.variables(chapter))
        program = ""
        for block in chapter.blocks:
            if block.text in self.read or elsewhere(chapter, block):
                continue
            self.read.add(block.text)
            code = self.filled_in(block.text)
            if block.language == "sql":
                with contextlib.chdir(self.folder / "data"):
                    check(block)
            elif block.language == "python":
                program += code
                shell.answer(program)
            elif block.language == "yaml":
                given = yaml.safe_load(code)
                dg.validate_run_config(defs.resolve_job_def(BACKFILL if "ops" in given else SYNC), given)
            else:
                self.enter(shell, code)

    def enter(self, shell: Shell, code: str) -> None:
        """Type a block in. What serves until Ctrl-C is looked at, on a free port."""
        if code.rstrip().endswith("dagster dev"):
            with shell.serving(
                f"{code.rstrip()} --port {free_port()}\n", r"Serving dagster-webserver on http\S+"
            ) as url:
                assert server_info(url.split()[-1])["dagster_version"] == dg.__version__
        elif code.rstrip().endswith("dcycle-pipeline ui"):
            with shell.serving(f"{code.rstrip()} --port {free_port()}\n", r"(?<=Dagster's UI: )http\S+") as url:
                assert server_info(url)["dagster_version"] == dg.__version__
        elif "dcycle-pipeline sandbox" in code:
            with shell.serving(f"{code.rstrip()} --port 0\n", r"(?<=DCYCLE_BASE_URL=)http\S+(?=\s)") as url:
                assert httpx.get(f"{url}/v1/facilities", timeout=60).status_code == 401
        else:
            shell.run(code)

    def variables(self, chapter: Chapter) -> dict[str, str]:
        """What the shell has already: who reads of operations has exported what README says, others read the demo's folder."""
        address = {"DCYCLE_BASE_URL": self.account.base_url}
        if chapter.name != "operations.md":
            return address
        ours = {"DCYCLE_API_KEY": self.account.api_key, "DCYCLE_ORGANIZATION_ID": self.account.world.root_id}
        return address | ours | {"DCYCLE_DATA_DIR": "./real"}

    def filled_in(self, code: str) -> str:
        """A block with what a reader puts in; the install is CI's, which runs the block as it stands."""
        code = re.sub(INSTALLING, "", code)
        root = self.account.world.root_id
        for there, ours in {
            "DCYCLE_API_KEY=…": f"DCYCLE_API_KEY={self.account.api_key}",
            "DCYCLE_ORGANIZATION_ID=…": f"DCYCLE_ORGANIZATION_ID={root}",
            "--accept-drop ORGANIZATION": f"--accept-drop {root}",
            "init DIR": "init deployed",
            "/srv/": f"{self.folder}/",
        }.items():
            code = code.replace(there, ours)
        return code


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_a_newcomer_follows_every_block_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with Sandbox(small_world()) as account:
        newcomer = Newcomer(folder, account)
        for chapter in order():
            newcomer.follow(chapter)
    for made in (
        "data/report.html",
        "real/dcycle_warehouse.duckdb",
        "deployed/compose.yaml",
        "report.xlsx",
        "dcycle_superset",
    ):
        assert (folder / made).exists(), made
