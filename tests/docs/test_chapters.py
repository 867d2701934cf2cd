"""The chapters stay true: what they name exists, and what they list is complete."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from dcycle_pipeline.cli import app
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.deployment.files import FILES as DEPLOYED
from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.orchestration.jobs import JOB
from dcycle_pipeline.orchestration.publication_assets import EMISSIONS_REPORT
from dcycle_pipeline.orchestration.step import ACCEPTED_DROPS, PUBLISHED_FILE
from dcycle_pipeline.publish.catalog import all_relations, all_tables
from dcycle_pipeline.publish.checks import MEANINGS
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.settings.declared import declared as declared_settings
from dcycle_pipeline.settings.organizations_file import OrganizationsFile
from dcycle_pipeline.sync.outcome import GAPS, NOTHING_PUBLISHED, OK, WRONG_SETTINGS
from dcycle_pipeline.warehouse.history import CHANGES
from tests.docs.markdown import ALL, CHAPTERS, ROOT, Chapter, names

EVERY = pytest.mark.parametrize("chapter", ALL, ids=lambda chapter: chapter.name)
PACKAGE = ROOT / "dcycle_pipeline"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [PROJECT["optional-dependencies"][name] for name in ("deploy", "telemetry", "test")]
# What the tests need of our own extras is named among those already.
WANTED = [
    each for found in (PROJECT["dependencies"], *EXTRAS) for each in found if not each.startswith(PROJECT["name"])
]
MOST_FILES = 20

RELATIONS = {relation.qualified for relation in all_relations()}
COLUMNS = {f"{table.qualified}.{column.name}" for table in all_tables() for column in table.columns}
IN_THE_FILE = re.compile(
    r"(?:dcycle_warehouse\.)?((?:bi|dcycle|history|summaries|sync)\.[a-z0-9_]+(?:\.[a-z0-9_]+)?)(?:\(.*\))?"
)
FILES = {"dcycle_warehouse.duckdb", "dcycle.duckdb"}  # the changelog names the one of before

# Ways of saying that a newcomer stumbles over, and words that the glossary has replaced.
FORBIDDEN = (
    r"where it\b",
    r"what is no\b",
    r"written anew",
    r"stands? apart",
    r"(?:is|are|was|were) told of",
    r"made again",
    r"walk(?:s|ed|ing)?\b",
    r"stages?\b",
    r"ledgers?\b",
    r"journals?\b",
    r"rejected\b",
    r"whence\b",
    r"close[sd]? the books",
    r"open (?:list|scope)s?\b",
)


def renamed() -> list[list[str]]:
    """Rows of old and new names of the published file."""
    return CHAPTERS["changelog"].table("| old | new |\n| --- | --- |\n| `sync.")


def options() -> dict[str, set[str]]:
    """The options of each command."""
    group = typer.main.get_command(app)
    return {
        verb: {"--help", *(option for parameter in command.params for option in parameter.opts)}
        for verb, command in group.commands.items()  # type: ignore[attr-defined]
    }


# What every chapter must keep.


@EVERY
def test_links_lead_somewhere(chapter: Chapter) -> None:
    known = {found.path: found for found in ALL}
    for link in chapter.links:
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (chapter.path.parent / target).resolve() if target else chapter.path
        assert path.is_file(), link
        assert not anchor or anchor in known[path].anchors, link


@EVERY
def test_commands_and_options_exist(chapter: Chapter) -> None:
    there = options()
    code = [*chapter.spans, *(block.text for block in chapter.code("sh", ""))]
    for text in code:
        for verb, rest in re.findall(r"dcycle-pipeline ([a-z][\w-]*)([^\n&|;]*)", text):
            assert verb in there, text
            assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= there[verb], text
    for span in chapter.spans:
        if span.startswith("--"):
            assert span.split()[0] in set().union(*there.values()), span


@EVERY
def test_variables_exist(chapter: Chapter) -> None:
    ours = {f"DCYCLE_{name.upper()}" for name in Settings.model_fields}
    examples = {
        entry["api_key_variable"]
        for found in ALL
        for block in found.code("toml")
        for entry in tomllib.loads(block.text)["organization"]
    }
    assert set(re.findall(r"\bDCYCLE_[A-Z0-9_]+", chapter.text)) <= ours | examples


@EVERY
def test_tables_and_columns_exist(chapter: Chapter) -> None:
    old = {name for row in renamed() for name in names(row[0])} if chapter is CHAPTERS["changelog"] else set()
    named = {found[1] for span in chapter.spans if span not in FILES and (found := IN_THE_FILE.fullmatch(span))}
    assert named - old <= RELATIONS | COLUMNS


@EVERY
def test_python_compiles(chapter: Chapter) -> None:
    for block in chapter.code("python"):
        compile(block.text, chapter.name, "exec")


@EVERY
def test_a_newcomer_reads_it_once(chapter: Chapter) -> None:
    words = " ".join(re.sub(r"`[^`]+`", "", chapter.prose).split())
    assert not re.findall(rf"\b(?:{'|'.join(FORBIDDEN)})", words, re.IGNORECASE)


@EVERY
def test_scope_is_the_word_of_the_ghg_protocol(chapter: Chapter) -> None:
    for line in re.sub(r"`[^`]+`|\]\([^)]+\)", "", chapter.prose).splitlines():
        if re.search(r"\bscopes?\b", line, re.IGNORECASE):
            assert re.search(r"GHG|\bscopes? [123]\b", line), line


@EVERY
def test_code_is_closed(chapter: Chapter) -> None:
    assert chapter.prose.count("`") % 2 == 0
    assert "```" not in chapter.prose


def test_chapters_are_shipped_with_the_package() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build == {"targets": {"wheel": {"packages": ["dcycle_pipeline"]}}}
    assert all(chapter.path.is_relative_to(PACKAGE) for chapter in CHAPTERS.values())


# Data, history, operations, settings.


def test_table_list_is_that_of_the_file() -> None:
    shown = [names(row[0])[0] for row in CHAPTERS["data"].table("| table | one row per |")]
    assert sorted(shown) == sorted(table.qualified for table in all_tables())


def test_kinds_of_change_are_those_of_the_versions() -> None:
    assert tuple(names(row[0])[0] for row in CHAPTERS["history"].table("| change | what happened |")) == CHANGES


def test_commands_are_those_of_the_command_line() -> None:
    shown = {names(row[0])[0]: row[1] for row in CHAPTERS["operations"].table("| command | what it does |")}
    there = options()
    assert shown.keys() == there.keys()
    for verb, meaning in shown.items():
        assert set(re.findall(r"--[a-z][a-z-]*", meaning)) <= there[verb]


def test_exit_codes_are_those_of_the_command_line() -> None:
    shown = {int(row[0]) for row in CHAPTERS["operations"].table("| code | meaning |")}
    assert shown == {OK, GAPS, WRONG_SETTINGS, NOTHING_PUBLISHED}


def test_the_data_folder_is_as_shown() -> None:
    shown = {names(row[0])[0] for row in CHAPTERS["operations"].table("| name | what it is |")}
    folder = DataFolder(Path("data"))
    files = {folder.published.name, folder.report.name, folder.scope_mapping.name}
    assert shown == files | {f"{path.name}/" for path in (folder.snapshots, folder.landing, folder.working)}


def test_outcomes_of_lists_are_those_of_the_file() -> None:
    (lists,) = [table for table in all_tables() if table.qualified == "sync.lists"]
    (outcome,) = [column for column in lists.columns if column.name == "outcome"]
    shown = {names(row[0])[0] for row in CHAPTERS["operations"].table("| outcome | meaning | gap |")}
    assert shown <= set(re.findall(r"[a-z_]+", outcome.meaning))


def test_dagster_section_names_the_job_and_workspace() -> None:
    assert f"the job `{JOB}`" in " ".join(CHAPTERS["operations"].text.split())
    assert f"{ACCEPTED_DROPS}: [" in CHAPTERS["operations"].text
    assert "dcycle_pipeline.definitions" in (ROOT / "workspace.yaml").read_text(encoding="utf-8")
    assert "enabled: false" in (ROOT / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")


def test_dagster_section_names_every_asset_and_check() -> None:
    assets = {name for row in CHAPTERS["operations"].table("| asset | what it makes |") for name in names(row[0])}
    endpoints = {endpoint.name for endpoint in (*declared(), *YEAR_TOTALS)}
    assert assets == {ORGANIZATIONS.name, *endpoints, PUBLISHED_FILE, EMISSIONS_REPORT}
    checks = {names(row[0])[0] for row in CHAPTERS["operations"].table("| check | asks |")}
    assert checks == set(MEANINGS)


def test_settings_table_lists_every_variable_with_its_default() -> None:
    table = CHAPTERS["settings"].table("| variable | default |")
    shown = {names(row[0])[0]: row[1].strip("`") for row in table}
    assert shown == {setting.variable: setting.default for setting in declared_settings()}


def test_the_organisations_file_is_one() -> None:
    (block,) = CHAPTERS["settings"].code("toml")
    assert OrganizationsFile.model_validate(tomllib.loads(block.text)).organization


def test_deployment_names_every_file_that_init_writes_and_every_setting_of_retention() -> None:
    chapter = CHAPTERS["deployment"]
    assert [names(row[0])[0] for row in chapter.table("| file | what it is for |")] == list(DEPLOYED)
    fields = Settings.model_fields
    kept = {names(row[2])[0]: row[1] for row in chapter.table("| what | how long |") if "DCYCLE_" in row[2]}
    assert f"last {fields['keep_runs'].default} " in kept["DCYCLE_KEEP_RUNS"]
    assert (
        f"the last {fields['keep_snapshots'].default} "
        in f"{chapter.text.partition('| published snapshots | ')[2][:20]} "
    )


# Development and changelog.


def test_layout_table_names_what_is_there() -> None:
    shown = {name for row in CHAPTERS["development"].table("| in `dcycle_pipeline/` |") for name in names(row[0])}
    there = {path.name + ("/" if path.is_dir() else "") for path in PACKAGE.iterdir()}
    assert shown == there - {"__init__.py", "__main__.py", "__pycache__/"}
    (picture,) = CHAPTERS["development"].code("")
    assert set(picture.text.split()) == {name.removesuffix(".py").strip("/") for name in shown} - {"docs"}


def test_one_sync_is_followed_through_few_files_that_exist() -> None:
    shown = [names(row[1])[0] for row in CHAPTERS["development"].table("| step | file |")]
    assert len(shown) == len(set(shown)) <= MOST_FILES
    assert [name for name in shown if not (PACKAGE / name).is_file()] == []


def test_every_dependency_has_its_reason() -> None:
    declared_names = {re.split(r"[<>=\[]", requirement)[0] for requirement in WANTED}
    table = CHAPTERS["development"].table("| package | reason |")
    assert {name.strip() for row in table for name in row[0].split(",")} == declared_names


def test_dependencies_have_bounds_and_constraints() -> None:
    constraints = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    for requirement in WANTED:
        name = re.split(r"[<>=\[]", requirement)[0]
        assert ">=" in requirement
        assert re.search(rf"^{re.escape(name)}==", constraints, re.MULTILINE | re.IGNORECASE), name
    assert "http://" not in constraints
    assert "https://" not in constraints


def test_old_names_are_gone_and_new_ones_there() -> None:
    for old, new in renamed():
        assert not set(names(old)) & (RELATIONS | COLUMNS)
        assert set(names(new)) <= RELATIONS | COLUMNS


def test_the_changelog_names_the_version() -> None:
    assert f"## {PROJECT['version']}" in CHAPTERS["changelog"].text
