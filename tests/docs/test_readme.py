"""README is short, leads to every chapter, and its two commands are those that CI runs."""

import re
import subprocess

from tests.docs.markdown import CHAPTERS, README, ROOT

MOST_WORDS = 900
TEST_COMMAND = (
    ".venv/bin/pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[test]' "
    "&& .venv/bin/python -m pytest -n 2"
)


def command_of(marker: str) -> str:
    """What CI takes for a command of README, by its own words."""
    (function,) = re.findall(r"^command_of\(\) .*$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    program = f"{function}\ncommand_of {marker}"
    shown = subprocess.run(["bash", "-euc", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return shown.stdout


def test_it_is_short() -> None:
    assert len(README.text.split()) <= MOST_WORDS


def chapter_lines() -> dict[str, str]:
    """What the list at the end says of each chapter, by its file."""
    items = README.text.partition("## Where the rest is\n\n- ")[2].split("\n- ")
    lines = [" ".join(item.split()) for item in items]
    return {
        found[1]: line for line in lines if (found := re.match(r"\[[^\]]+\]\(dcycle_pipeline/docs/([^)]+)\)", line))
    }


def test_it_leads_to_every_chapter() -> None:
    """Deployment is a part of operations with a file of its own, and operations leads there in its first lines."""
    assert chapter_lines().keys() | {"deployment.md"} == {chapter.name for chapter in CHAPTERS.values()}
    assert "(deployment.md)" in CHAPTERS["operations"].text.partition("\n## ")[0]


def test_ci_finds_its_two_commands() -> None:
    assert command_of("test") == f"{TEST_COMMAND}\n"
    (install_and_demo,) = command_of("install-and-demo").splitlines()
    assert install_and_demo.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert install_and_demo.endswith(" -e . && .venv/bin/dcycle-pipeline demo")


def test_it_says_where_the_reasons_for_dependencies_are() -> None:
    assert "reason for each dependency" in chapter_lines()["development.md"]
