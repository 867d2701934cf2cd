"""The tree of organisations: what of it is sound is read and published, whatever else the API says; the rest is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.sandbox import Sandbox, World
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, ROOT, Published, Synced, assert_equal, settings_for, sync
from tests.properties.aftermath import said_as_json

__all__ = ["invoke"]
pytestmark = pytest.mark.usefixtures("few_summaries")
GRANDCHILD = "33333333-3333-4333-8333-333333333333"
Node = dict[str, Any]


class Odd(World):
    """A world whose tree is shown otherwise than it is."""

    shown: Callable[[Node], Any] = staticmethod(lambda root: root)

    def tree(self) -> Any:
        return self.shown(super().tree())


def odd_world() -> Odd:
    world = Odd(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_organization(GRANDCHILD, "Water Far North", CHILD)
    for organization, facility in ((ROOT, "f-1"), (CHILD, "f-2"), (GRANDCHILD, "f-3")):
        world.add_facility(organization, id=facility)
        world.add_record(facility, start_date="2025-01-01", co2e="10")
    return world


@pytest.fixture
def world() -> Odd:
    return odd_world()


def node(id_: Any, *children: Any, **fields: Any) -> Node:
    return {"id": id_, "name": "Odd", "children": list(children)} | fields


def beside(*odd: Any) -> Callable[[Node], Any]:
    """More children of the root."""
    return lambda root: root | {"children": [*root["children"], *odd]}


def below(*odd: Any) -> Callable[[Node], Any]:
    """More children of the grandchild."""

    def shown(root: Node) -> Node:
        child = root["children"][0]
        return root | {"children": [child | {"children": [child["children"][0] | {"children": list(odd)}]}]}

    return shown


# What the tree shows, and what is said of it. In all of them the three organisations can be found.
ODD: dict[str, tuple[Callable[[Node], Any], str]] = {
    "twice": (beside(node(GRANDCHILD)), "twice"),
    "twice the same": (lambda root: root | {"children": root["children"] * 2}, "twice"),
    "twice with the children in the second place": (
        lambda root: root | {"children": [node(CHILD), *root["children"]]},
        "twice",
    ),
    "cycle": (below(node(ROOT, node(CHILD))), "twice"),
    "its own child": (below(node(GRANDCHILD)), "twice"),
    "no id": (beside({"name": "Nameless", "children": []}), "no id"),
    "children of no id": (lambda root: root | {"children": [{"children": root["children"]}]}, "no id"),
    "no object, null": (beside(None), "null"),
    "no object, text": (beside("Water"), "a text"),
    "no object, list": (beside([node("x")]), "a list"),
    "children text": (below(node(GRANDCHILD, children="none")), "not a list"),
    "children object": (below(node(GRANDCHILD, children={"0": node("x")})), "not a list"),
    **{
        f"id {id_!r:.12}": (beside(node(id_)), "id")
        for id_ in (None, 5, 1.5, True, "", " ", " x", "ñ", "a\nb", ["x"], {"unreadable": "NaN"})
    },
    "root without id": (lambda root: {"children": root["children"] + [node(ROOT)]}, "no id"),
}


def named(synced: Synced) -> list[str]:
    reasons = "SELECT reason FROM sync.quarantine WHERE run_id = ? AND endpoint = 'organizations'"
    return [row[0] for row in synced.query(reasons, synced.run_id)]


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", sorted(ODD))
def test_what_of_the_tree_is_sound_is_read_and_the_rest_is_named(
    sandbox: Sandbox, world: Odd, tmp_path: Path, how: str
) -> None:
    world.shown, said = ODD[how]
    synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert_equal(synced, world)
    assert any(said in reason for reason in named(synced))
    assert synced.outcome == "published_with_gaps"
    assert len(synced.query("SELECT * FROM dcycle.organizations")) == 3
    world.shown = lambda root: root
    assert sync(synced.settings).outcome == "published"


@pytest.mark.quick(1)
@pytest.mark.parametrize("children", [None, [], "missing"])
def test_a_node_without_children_is_no_gap(sandbox: Sandbox, world: Odd, tmp_path: Path, children: Any) -> None:
    leaf = {"id": GRANDCHILD, "name": 5} | ({} if children == "missing" else {"children": children})
    world.shown = lambda root: root | {"children": [root["children"][0] | {"children": [leaf]}]}
    synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert synced.outcome == "published"
    assert_equal(synced, world)


def test_an_organisation_that_an_odd_tree_no_longer_shows_keeps_its_rows(
    sandbox: Sandbox, world: Odd, tmp_path: Path
) -> None:
    first = sync(settings_for(sandbox, tmp_path / "data"))
    world.shown = lambda root: root | {"children": {"0": root["children"][0]}}
    again = sync(first.settings)
    assert again.records() == first.records()
    assert len(named(again)) == 1
    assert {key[0] for key in again.unproven_lists()} == {CHILD, GRANDCHILD}


@pytest.mark.quick(1)
@pytest.mark.parametrize("asked", [ROOT, CHILD])
def test_a_root_that_loses_its_id_stops_nothing(sandbox: Sandbox, world: Odd, tmp_path: Path, asked: str) -> None:
    first = sync(settings_for(sandbox, tmp_path / "data", organization_id=asked))
    world.shown = lambda root: root | {"id": None}
    world.add_record("f-3", start_date="2025-02-01", co2e="5")
    again = sync(first.settings)
    assert_equal(again, world)
    assert again.unproven_lists().keys() == {(ROOT, "organizations", None)}
    assert again.query("SELECT root_organization_id FROM sync.runs") == [(ROOT,)] * 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("answer", [None, [], {}, "tree", 5, {"children": [{"children": []}]}])
def test_a_tree_without_any_organisation_publishes_nothing(
    sandbox: Sandbox, world: Odd, invoke: Invoke, tmp_path: Path, answer: Any
) -> None:
    world.shown = lambda root: answer
    result = invoke("sync", **variables(sandbox, tmp_path / "data"))
    assert result.exit_code == 3
    assert "report it to Dcycle" in result.output


def test_an_odd_node_exits_with_1_and_is_named_whoever_was_asked_for(
    sandbox: Sandbox, world: Odd, invoke: Invoke, tmp_path: Path
) -> None:
    world.shown = beside(node(GRANDCHILD))
    environment = variables(sandbox, tmp_path / "data")
    invoke("sync", **environment)
    result = invoke("sync", "--organization", CHILD, **environment)
    assert result.exit_code == 1
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("Quarantined"))
    assert all(word in line for word in ("organizations", GRANDCHILD, CHILD, ROOT, "twice"))
    assert "1 item quarantined" in result.stdout.splitlines()[-1]


def test_who_appears_is_read_and_who_leaves_stays_and_is_marked(
    sandbox: Sandbox, world: Odd, invoke: Invoke, tmp_path: Path
) -> None:
    settings = variables(sandbox, tmp_path / "data")
    assert invoke("sync", **settings).exit_code == 0
    new = "44444444-4444-4444-8444-444444444444"
    world.add_organization(new, "Water South", ROOT)
    world.add_record(world.add_facility(new, id="f-4"), start_date="2025-01-01", co2e="10")
    world.shown = lambda root: root | {"children": [node for node in root["children"] if node["id"] != CHILD]}
    assert invoke("sync", **settings).exit_code == 1
    assert invoke("sync", "--failed", **settings).exit_code == 0, "nobody who could be read is unread"
    published = Published(tmp_path / "data" / "dcycle_warehouse.duckdb")
    with_rows = "SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments ORDER BY 1"
    assert [each for (each,) in published.query(with_rows)] == [ROOT, CHILD, GRANDCHILD, new]
    gone = (
        "SELECT organization_id FROM sync.lists WHERE outcome = 'not_found' AND endpoint = 'organizations' ORDER BY 1"
    )
    assert [each for (each,) in published.query(gone)] == [CHILD, GRANDCHILD]
    status = said_as_json(invoke("status", "--json", **settings).stdout)
    told = {one["organization_id"]: one for one in status["troubles"]}
    assert told.keys() == {CHILD, GRANDCHILD}
    assert all("no longer in the tree" in one["what"] and one["since"] for one in told.values())
    assert {one["do"] for one in told.values()} == {"dcycle-pipeline doctor"}, "it cannot be read"
    assert [one["organization_id"] for one in status["organizations"]].count(CHILD) == 1
