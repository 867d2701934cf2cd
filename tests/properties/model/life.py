"""One data folder, the world that it is filled from, and what was published meanwhile; judged by the model."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import UnsoundError
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.publication import publish
from dcycle_pipeline.sync.run import Run
from tests.conftest import facilities_of, records_of, settings_for
from tests.properties.model.changes import SHAPES, Hand
from tests.properties.model.kills import is_kill
from tests.properties.model.reading import Reader, Said
from tests.properties.model.remembered import COLUMNS, Book, SettledScope, assert_lives_are_whole

DOCUMENTED = Behaviour()


class Life:
    """`said` is what each publication said; `ends` and `accepted` tell of each run when it ended and which drops it took."""

    def __init__(self, sandbox: Sandbox, reader: Reader, root: Path, shape: str) -> None:
        self.sandbox, self.reader, self.folder, self.shape = sandbox, reader, DataFolder(root), shape
        sandbox.world = self.world = SHAPES[shape].world()
        sandbox.clear_requests()
        self.large_drop_rows = SHAPES[shape].large_drop_rows
        self.settings = settings_for(sandbox, root, large_drop_rows=self.large_drop_rows, retry_attempts=3)
        self.hand = Hand(self.world)
        self.world.states = []
        self.said: list[Said] = []
        self.ends: dict[str, datetime] = {}
        self.accepted: dict[str, frozenset[str]] = {}
        self.jumps = {timedelta()}
        self.undisturbed, self.saw_all = True, False
        self.behave(DOCUMENTED)

    def copied(self, root: Path) -> "Life":
        """The same life once more, in a folder of its own."""
        life = Life(self.sandbox, self.reader, root, self.shape)
        shutil.copytree(self.folder.root, root, symlinks=True)
        life.world.states = [*self.world.states, *life.world.states]
        life.said, life.ends, life.accepted = self.said.copy(), self.ends.copy(), self.accepted.copy()
        return life

    def behave(self, behaviour: Behaviour) -> None:
        self.world.behaviour = self.sandbox.behaviour = behaviour
        self.world.note()

    def change(self, changes: list[Any]) -> None:
        for change in changes:
            self.hand.change(*change)

    def lose(self, what: str) -> None:
        """What the machine does to the folder between two syncs."""
        if what == "folder":
            shutil.rmtree(self.folder.working, ignore_errors=True)
        elif what == "file":
            self.folder.warehouse.unlink(missing_ok=True)
        elif what == "damaged" and self.folder.warehouse.exists():
            self.folder.warehouse.write_bytes(b"no database " * 1000)

    def sync(self, jump_days: int = 0, *, accept: bool = False, one_open: bool = True) -> None:
        """One sync, however it ends. Where nothing disturbs it, the file must say what the world is."""
        self.saw_all = clean = self.undisturbed and self.world.behaviour == DOCUMENTED
        run = self._run(jump_days, accept=accept)
        before = self.folder.published.resolve()
        self.undisturbed = False
        try:
            self._steps(run, one_open)
            self.undisturbed = True
        except UnsoundError:
            # A row that moved between the walks of two lists stands in both, and no walk can tell which is right.
            assert not clean
        except BaseException as error:
            if not is_kill(error):
                raise
        finally:
            self.ends[run.run_id] = datetime.now(UTC)
        if self.folder.published.resolve() != before:
            self._read(clean and self.undisturbed)

    def sync_again(self, *, accept: bool) -> None:
        """Where the last sync saw the world as it is, the next one adds nothing."""
        if self.saw_all:
            told, content_hash = self._history(), self.said[-1].content_hash
            self.sync(accept=accept)
            assert self._history() == told
            assert self.said[-1].content_hash == content_hash

    def _history(self) -> dict[str, list[Any]]:
        with self.reader.at(self.folder.published) as reader:
            return reader.whole_history()

    def _run(self, jump_days: int, *, accept: bool) -> Run:
        self.jumps.add(timedelta(days=jump_days))
        accepted = frozenset(self.world.organization_ids()) if accept else frozenset()

        def clock() -> datetime:
            return datetime.now(UTC) + timedelta(days=jump_days)

        run = Run(str(uuid4()), self.settings, now=clock, accepted_drops=accepted)
        self.accepted[run.run_id] = accepted
        return run

    def _steps(self, run: Run, one_open: bool) -> None:
        """The steps of a run: with one open working file, or each with its own, as if in a process of its own."""
        with run:
            organizations = [organization.organization_id for organization in refresh_organizations(run)]
            for endpoint in run.endpoints:
                if not one_open:
                    run.close()
                sync_endpoint(run, endpoint, organizations)
            publish(run)

    def _read(self, clean: bool) -> None:
        with self.reader.at(self.folder.published) as reader:
            self.said.append(reader.said())
            if clean:
                self._judge_clean(reader)

    def _judge_clean(self, reader: Reader) -> None:
        """The world as it is, but for a large drop that nobody accepted."""
        still_open = reader.unproven_lists(self.said[-1].run_id)
        held = {(organization, endpoint) for organization, endpoint, _, outcome in still_open if outcome == "held"}
        for organization, endpoint, _, outcome in still_open:
            follows = endpoint == "waste_water_treatments" and outcome in ("not_found", "facilities_not_read")
            assert outcome == "held" or (follows and (organization, "facilities") in held)
        if not still_open:
            assert self.said[-1].outcome == "published"
            assert reader.current("facilities") == facilities_of(self.world)
            assert reader.current("waste_water_treatments") == records_of(self.world)

    def judge(self) -> None:
        """The whole history, and what it says of every earlier publication."""
        self.behave(DOCUMENTED)
        if self.said:
            with self.reader.at(self.folder.published) as reader:
                self._judge_history(reader)
                self._judge_replay(reader)

    def _judge_history(self, reader: Reader) -> None:
        for table in COLUMNS:
            actual = reader.versions(table)
            assert_lives_are_whole(table, actual)
            doubtful = reader.doubtful(table)
            book = Book(table, self.world, actual, self.ends, self.accepted, self.large_drop_rows, doubtful)
            expected = book.replay(self._by_our_clock(scope) for scope in reader.scopes(table))
            assert sorted(actual, key=repr) == sorted(expected, key=repr)

    def _by_our_clock(self, scope: SettledScope) -> SettledScope:
        """The scope with the times of its walk as they were, whatever the clock of its run said."""
        times = [self._as_it_was(moment) for moment in (scope.started_at, scope.finished_at)]
        return replace(scope, started_at=times[0], finished_at=times[1])

    def _as_it_was(self, moment: datetime) -> datetime:
        first, last = self.world.states[0].since, datetime.now(UTC)
        (found,) = {moment - jump for jump in self.jumps if first <= moment - jump <= last}
        return found

    def _judge_replay(self, reader: Reader) -> None:
        by_publication = reader.by_publication()
        assert sorted(by_publication) == [said.published_at for said in self.said]
        for said in self.said:
            assert reader.by_macro(said.published_at) == said.tables
            tables = {table: said.tables[table] for table in by_publication[said.published_at]}
            assert reader.by_plain_sql(said.published_at) == tables
            assert by_publication[said.published_at] == tables
