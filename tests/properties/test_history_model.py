"""Whatever the world, its API and the machine do between two syncs, the history tells what was, and what was published.

Each example is a small world that was published once, or never. Each step changes it and syncs: undisturbed, against an
API that misbehaves or denies, or until the run is killed. An independent model (tests/model) judges what is left.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dcycle_pipeline.sandbox import Behaviour, Sandbox
from tests.conftest import ROOT, quick_only
from tests.properties.mixtures import random_mixture
from tests.properties.model.changes import CHANGES, SHAPES
from tests.properties.model.chronicle import Chronicle
from tests.properties.model.kills import POINTS, killed_at
from tests.properties.model.life import DOCUMENTED, Life
from tests.properties.model.reading import Reader
from tests.properties.test_mixtures import swift
from tests.sandbox.deformed import COSTS_A_FIELD

EXAMPLES = int(os.environ.get("HISTORY_MODEL_EXAMPLES", "150"))
STEPS = int(os.environ.get("HISTORY_MODEL_STEPS", "0"))
PARTS = 50

changes = st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 9), st.integers(0, 99)), max_size=4)
jumps = st.sampled_from([0, 0, 0, -400, -1, 2])
losses = st.sampled_from(["", "", "", "", "", "", "folder", "file", "damaged"])
mostly = st.sampled_from([True, True, True, False])


class Remembering(RuleBasedStateMachine):
    """Each rule is one sync after some changes."""

    sandbox: ClassVar[Sandbox]
    reader: ClassVar[Reader]
    folders: ClassVar[Path]
    prepared: ClassVar[dict[str, Life]]

    @initialize(shape=st.sampled_from(sorted(SHAPES)), published_before=mostly)
    def begin(self, shape: str, published_before: bool) -> None:
        if published_before and shape not in self.prepared:
            self.prepared[shape] = self._new(shape)
            self.prepared[shape].sync()
        self.life = self.prepared[shape].copied(self._root()) if published_before else self._new(shape)

    def _new(self, shape: str) -> Life:
        return Life(self.sandbox, self.reader, self._root(), shape)

    def _root(self) -> Path:
        return Path(mkdtemp(dir=self.folders)) / "data"

    @rule(changes=changes, jump=jumps, loss=losses, accept=st.booleans(), one_open=mostly)
    def sync(self, *, changes: list[Any], jump: int, loss: str, accept: bool, one_open: bool) -> None:
        self.life.change(changes)
        self.life.lose(loss)
        self.life.sync(jump, accept=accept, one_open=one_open)
        if not one_open:
            self.life.sync_again(accept=accept)

    @rule(changes=changes, jump=jumps, mixture=st.integers(0, 100_000), accept=st.booleans())
    def sync_with_an_api_that_misbehaves(self, changes: list[Any], jump: int, mixture: int, accept: bool) -> None:
        self.life.change(changes)
        behaviour = swift(random_mixture(mixture))
        kinds = tuple(
            kind for kind in behaviour.malformed_kinds if kind not in {"missing_optional", *COSTS_A_FIELD}
        ) or ("null_item",)
        self.life.behave(replace(behaviour, malformed_kinds=kinds))
        self.life.sync(jump, accept=accept)
        self.life.behave(DOCUMENTED)

    @rule(changes=changes, which=st.integers(0, 9), status=st.sampled_from([401, 403, 404]), accept=st.booleans())
    def sync_where_some_of_it_is_denied(self, changes: list[Any], which: int, status: int, accept: bool) -> None:
        self.life.change(changes)
        ids = [*self.life.world.organization_ids(), *self.life.world.facility_ids()]
        self.life.behave(Behaviour(denied={ids[which % len(ids)]: status}))
        self.life.sync(accept=accept)
        self.life.behave(DOCUMENTED)

    @rule(
        changes=changes,
        point=st.integers(0, len(POINTS) - 1),
        time=st.sampled_from([1, 1, 2, 3]),
        before=st.booleans(),
        jump=jumps,
        loss=losses,
        later=changes,
    )
    def die_and_sync_again(
        self, *, changes: list[Any], point: int, time: int, before: bool, jump: int, loss: str, later: list[Any]
    ) -> None:
        self.life.change(changes)
        with killed_at(point, time, before=before):
            self.life.sync(jump)
        self.life.lose(loss)
        self.life.sync()
        self.life.change(later)
        self.life.sync()

    def teardown(self) -> None:
        self.life.judge()
        shutil.rmtree(self.life.folder.root.parent)


@pytest.fixture(scope="module")
def machine(few_summaries: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Remembering]]:
    """One server and one reader for all examples."""
    with Sandbox(Chronicle(ROOT, "Holding X")) as sandbox:
        reader = Reader()
        Remembering.sandbox, Remembering.reader, Remembering.prepared = sandbox, reader, {}
        Remembering.folders = tmp_path_factory.mktemp("model")
        yield Remembering
        reader.close()


@pytest.mark.hypothesis
@pytest.mark.timeout(60 + EXAMPLES // PARTS * (STEPS or 2) * 5)
@pytest.mark.parametrize("part", quick_only([PARTS - 1], range(PARTS)))
def test_history_tells_what_was_and_what_was_published(
    part: int, machine: type[Remembering], pytestconfig: pytest.Config
) -> None:
    fresh = pytestconfig.getoption("--hypothesis-seed")  # each part has lives of its own, also with a seed from outside
    steps = STEPS or (1 if part % 10 else 2)
    limits = hypothesis_settings(
        max_examples=-(-EXAMPLES // PARTS),
        stateful_step_count=1 + steps,  # the first is the beginning
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    lives = seed(part if fresh is None else f"{fresh} {part}")
    run_state_machine_as_test(lives(type("Remembering", (machine,), {})), settings=limits)
