"""A figure of a tree that lacks a member says so itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dcycle_pipeline import summaries
from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, ROOT, Published, only, settings_for, sync
from tests.sync.test_trees import GRANDCHILD, Odd, node, odd_world

__all__ = ["invoke"]
Lacks = dict[str, set[str]]
UP = (ROOT, CHILD, GRANDCHILD)
COUNTS = "SELECT tree_organization_id, missing_member_count FROM summaries.{}"


@pytest.fixture
def world() -> Odd:
    return odd_world()


@pytest.fixture(autouse=True)
def _without_totals() -> Iterator[None]:
    with only(tuple(summary.name for summary in summaries.SUMMARIES)):
        yield


def lacking(published: Published) -> Lacks:
    found: Lacks = {}
    for organization, member in published.query(
        "SELECT organization_id, member_organization_id FROM summaries.missing_members"
    ):
        found.setdefault(organization, set()).add(member)
    return found


def of(member: str) -> Lacks:
    """What lacks a member: itself, and every organisation above it."""
    return {above: {member} for above in UP[: UP.index(member) + 1]}


def deny(sandbox: Sandbox, _: Odd, __: Path) -> None:
    sandbox.behaviour = Behaviour(denied={CHILD: 403})


def deny_one_list(sandbox: Sandbox, _: Odd, __: Path) -> None:
    sandbox.behaviour = Behaviour(denied={"f-3": 403})


def exclude(_: Sandbox, __: Odd, file: Path) -> None:
    file.write_text(f'exclude = ["{GRANDCHILD}"]')


def exclude_between(_: Sandbox, __: Odd, file: Path) -> None:
    file.write_text(f'exclude = ["{CHILD}"]')


def odd_node(_: Sandbox, world: Odd, __: Path) -> None:
    world.shown = lambda root: root | {"children": [root["children"][0] | {"children": [None, node(GRANDCHILD)]}]}


def leave(_: Sandbox, world: Odd, __: Path) -> None:
    world.shown = lambda root: root | {"children": [node(CHILD)]}


CASES: dict[str, tuple[Callable[[Sandbox, Odd, Path], None], Lacks]] = {
    "denied": (deny, of(CHILD)),
    "one list denied": (deny_one_list, of(GRANDCHILD)),
    "excluded": (exclude, of(GRANDCHILD)),
    "excluded between": (exclude_between, of(CHILD)),
    "a node that cannot be used": (odd_node, of(CHILD)),
    "no longer in the tree": (leave, of(GRANDCHILD)),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", CASES)
def test_a_tree_that_lacks_a_member_says_so_beside_its_figures(
    sandbox: Sandbox, world: Odd, tmp_path: Path, case: str
) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text("")
    settings = settings_for(sandbox, tmp_path / "data", organizations_file=file)
    first = sync(settings)
    assert lacking(first) == {}
    happens, expected = CASES[case]
    happens(sandbox, world, file)
    again = sync(settings_for(sandbox, tmp_path / "data", organizations_file=file))
    assert lacking(again) == expected
    for table in ("tree_emissions_by_month", "tree_emissions_by_year"):
        counts = dict(again.query(COUNTS.format(table)))
        assert counts
        assert counts == {organization: len(expected.get(organization, ())) for organization in counts}
        assert set(dict(first.query(COUNTS.format(table))).values()) == {0}
    quality = dict(again.query("SELECT organization_id, missing_member_count FROM summaries.data_quality"))
    assert {organization for organization, count in quality.items() if count} >= expected.keys() & counts.keys()


@pytest.mark.exhaustive
def test_what_no_run_has_read_is_missing_in_every_tree_above_it(
    sandbox: Sandbox, world: Odd, invoke: Invoke, tmp_path: Path
) -> None:
    environment = variables(sandbox, tmp_path / "data")
    assert invoke("sync", "--organization", CHILD, **environment).exit_code == 1
    status = invoke("status", "--json", **environment)
    told = json.loads(status.stdout)
    missing = {(row["organization_id"], row["member_organization_id"]) for row in told["missing_members"]}
    assert missing == {(ROOT, ROOT), (ROOT, GRANDCHILD), (CHILD, GRANDCHILD), (GRANDCHILD, GRANDCHILD)}
    assert {row["organization_id"]: row["members_missing"] for row in told["organizations"]} == {
        ROOT: 2,
        CHILD: 1,
        GRANDCHILD: 1,
    }
    lines = invoke("status", **environment).stdout.splitlines()
    assert len([line for line in lines if line.startswith("Incomplete") and "not_read" in line]) == 2
    assert len([line for line in lines if line.startswith("Wrong") and "no run has read it yet" in line]) == 2, (
        "of their own"
    )
    page = (tmp_path / "data" / "report.html").read_text(encoding="utf-8")
    assert "2 lists: not read yet" in page


def test_how_a_sweep_went_moves_the_change_but_not_the_content(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_organization(CHILD, "Water North", ROOT)
    for organization_id, place in ((ROOT, "f-1"), (CHILD, "f-2")):
        world.add_facility(organization_id, id=place, country="ES")
        for year in (2023, 2024):
            world.add_record(place, start_date=f"{year}-01-01", end_date=f"{year}-12-31", co2e=str(year))
    told = """SELECT t.year_on_year_reason, o.year_on_year_reason, c.year_on_year_reason, (SELECT bool_or(is_complete) FROM bi.dates)
        FROM summaries.tree_emissions_by_year AS t JOIN summaries.emissions_by_country_year AS c USING (year)
        JOIN summaries.emissions_by_organization_year AS o ON o.organization_id = t.tree_organization_id AND o.year = t.year
        WHERE t.year = 2024 ORDER BY t.tree_organization_id"""
    with Sandbox(world) as sandbox:
        whole = sync(settings_for(sandbox, tmp_path))
        assert whole.query(told) == [(None, None, None, True)] * 2
        sandbox.behaviour = Behaviour(denied={CHILD: 403})
        lacking = sync(settings_for(sandbox, tmp_path))
    one = "organisations missing or incomplete: 1"
    assert lacking.query(told) == [(one, None, one, False), (one, "not received completely", one, False)]
    assert lacking.publication.content_hash == whole.publication.content_hash
    assert not lacking.publication.content_changed
