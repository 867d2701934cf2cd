"""A group whose plants move between organisations, and the ways in which some of it is not read. What it should say is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.backfill import publish_draft, read_planned
from dcycle_pipeline.sync.draft import drafted
from dcycle_pipeline.sync.pending import settle
from dcycle_pipeline.sync.plan import make_plan
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.replay import replay
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import sync_late, sync_whole
from tests.conftest import CHILD, ROOT, settings_for

THIRD = "33333333-3333-4333-8333-333333333333"
ALL = (ROOT, CHILD, THIRD)
DAYS = {"start_date": "2025-01-01", "end_date": "2025-01-31"}


class Group(World):
    """A holding and two below it, each with two plants. It notes when each plant was last changed, and moved."""

    def __init__(self) -> None:
        super().__init__(ROOT, "Holding X")
        self.changed: dict[str, datetime] = {}
        self.add_organization(CHILD, "Water North", ROOT)
        self.add_organization(THIRD, "Water South", CHILD)
        for owner in ALL:
            for number in range(2):
                plant = self.add_facility(owner, id=f"f-{owner[0]}{number}")
                self.changed[plant] = datetime.now(UTC)
                for co2e in ("10", "10", "10", None):
                    self.add_record(plant, co2e=co2e, **DAYS)

    def change(self, chance: Random) -> None:
        """One change of one plant; nothing if the plant has too few records: an empty list says nothing of what another one shows."""
        plant = chance.choice(self.facility_ids())
        records = self.peek_records(plant)
        record = chance.choice(records)
        kind = chance.choice(["move", "move", "move", "recalculate", "pending", "delete", "add", "carry"])
        if kind == "move":
            self.move(plant, chance.choice(self.organization_ids()))
        elif kind == "recalculate":
            self.recalculate_record(record["id"], str(chance.randint(1, 1000)))
        elif kind == "pending":
            self.recalculate_record(record["id"], None)
        elif kind == "add":
            self.add_record(plant, co2e=chance.choice(["5", None]), **DAYS)
        elif len(records) > 1:
            self.delete_record(record["id"])
            if kind == "carry":
                self.carry(record, chance.choice(self.facility_ids()))
        self.changed[plant] = datetime.now(UTC)

    def carry(self, record: dict[str, Any], plant: str) -> None:
        """A record appears at another plant, which may be another organisation's."""
        self.add_record(plant, **{name: value for name, value in record.items() if name != "facility_id"})
        self.changed[plant] = datetime.now(UTC)

    def move(self, plant: str, organization_id: str) -> None:
        self.move_facility(plant, organization_id)
        self.changed[plant] = datetime.now(UTC)

    def dissolve(self, organization_id: str, chance: Random) -> None:
        """It leaves the tree, and the others take its plants and what is below it."""
        left = [each for each in self.organization_ids() if each != organization_id]
        for plant in self.facility_ids(organization_id):
            self.move(plant, chance.choice(left))
        del self._organizations[organization_id]
        for below, (name, above) in list(self._organizations.items()):
            if above == organization_id:
                self._organizations[below] = (name, ROOT)

    def kilograms(self, plant: str) -> Decimal:
        return sum((record["co2e"] or Decimal(0) for record in self.peek_records(plant)), Decimal(0))


@dataclass
class Scene:
    """A group, a data folder that follows it, and who is excluded. `told` says what happened, for whoever has to understand a failure."""

    sandbox: Sandbox
    world: Group
    folder: Path
    chance: Random
    excluded: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        file = self.folder.parent / "organizations.toml"
        file.write_text(f"exclude = [{', '.join(repr(each) for each in sorted(self.excluded))}]\n")
        return settings_for(
            self.sandbox, self.folder, organizations_file=file, retry_attempts=1, late_seconds=0.2, resume_hours=0.0
        )

    @property
    def there(self) -> list[str]:
        return [each for each in self.world.organization_ids() if each not in self.excluded]

    def step(self) -> Publication | None:
        """Some changes, then one run that may not read all."""
        for _ in range(self.chance.randint(0, 3)):
            self.world.change(self.chance)
        self._redraw()
        how = self.chance.choice(sorted(HOW))
        self.told.append(how)
        with self._disturbed():
            return HOW[how](self)

    def _redraw(self) -> None:
        """Perhaps an organisation leaves the tree, or is excluded, or is synced again."""
        lot = self.chance.random()
        last = self.chance.choice([CHILD, THIRD])
        if lot < 0.12 and last in self.world.organization_ids():
            self.world.dissolve(last, self.chance)
            self.told.append(f"{last[0]} left")
        elif lot < 0.2 and last not in self.world.organization_ids():
            self.world.add_organization(last, "Water again", ROOT)
            self.told.append(f"{last[0]} is back")
        elif lot < 0.35:
            self.excluded ^= {last}
            self.told.append(f"excluded {sorted(each[0] for each in self.excluded)}")

    def _disturbed(self) -> "_Disturbed":
        faults, denied = [], {}
        if self.chance.random() < 0.5:
            whose = self.chance.choice(ALL)
            kind = self.chance.choice(["503", "404", "denied", "records"])
            self.told.append(f"{whose[0]} {kind}")
            if kind == "denied":
                denied[whose] = 403
            else:
                path = "/v1/waste-water" if kind == "records" else "/v1/"
                plants = self.chance.choice([None, None, *self.world.facility_ids()])
                faults.append(
                    Fault("503" if kind == "records" else kind, organization_id=whose, facility_id=plants, path=path)
                )
        return _Disturbed(self.sandbox, Behaviour(faults=tuple(faults), denied=denied))

    def run(self, **more: Any) -> Run:
        return Run(str(uuid4()), self.settings, accepted_drops=frozenset(ALL), **more)

    def some(self) -> list[str]:
        return self.chance.sample(self.there, self.chance.randint(1, len(self.there)))


@dataclass
class _Disturbed:
    sandbox: Sandbox
    behaviour: Behaviour

    def __enter__(self) -> None:
        self.sandbox.behaviour = self.behaviour

    def __exit__(self, *_: object) -> None:
        self.sandbox.behaviour = Behaviour()


def _whole(scene: Scene) -> Publication:
    with scene.run() as run:
        return sync_whole(run)


def _some(scene: Scene) -> Publication:
    with scene.run() as run:
        return sync_whole(run, scene.some())


def _late(scene: Scene) -> Publication | None:
    with scene.run() as run:
        return sync_late(run, scene.some())


def _pending(scene: Scene) -> Publication | None:
    with scene.run() as run:
        return settle(run).publication


def _backfill(scene: Scene) -> Publication | None:
    period = Backfill(date(2024, 1, 1), date(2026, 1, 1))
    plants = [plant for each in scene.there for plant in scene.world.facility_ids(each)]
    with scene.run(backfill=period) as run, drafted(run):
        plan = make_plan(
            run, period, *scene.chance.choice([((), ()), (scene.some(), ()), ((), [scene.chance.choice(plants)])])
        )
        read_planned(run, plan)
        return publish_draft(run)


def _replay(scene: Scene) -> Publication:
    with scene.run() as run:
        return replay(run)


def _rebuilt(scene: Scene) -> Publication:
    DataFolder(scene.folder).warehouse.unlink(missing_ok=True)
    return _some(scene)


HOW: dict[str, Callable[[Scene], Publication | None]] = {
    "whole": _whole,
    "some": _some,
    "late": _late,
    "pending": _pending,
    "backfill": _backfill,
    "replay": _replay,
    "rebuilt": _rebuilt,
}
