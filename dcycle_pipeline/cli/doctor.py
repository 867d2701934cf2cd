"""A check-up: settings, folder, disk, file, versions, proxy, certificates, reachability, clock and credentials, each with what to do."""

import asyncio
import platform
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from dcycle_pipeline import settings
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.connection import trusted_certificates, way
from dcycle_pipeline.cli.diagnosis import Diagnosis, Level
from dcycle_pipeline.cli.doctor_destinations import examine_destinations
from dcycle_pipeline.cli.doctor_folder import examine_folder, examine_output
from dcycle_pipeline.cli.doctor_notification import examine_notification
from dcycle_pipeline.cli.doctor_told import CREDENTIAL
from dcycle_pipeline.cli.names import named
from dcycle_pipeline.cli.results import renaming
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.errors import DcycleError, ListError, SettingsError, UnavailableError
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.settings.unknown import unknown_variables
from dcycle_pipeline.sync.clock import ago, ahead_of_server, noted_ahead
from dcycle_pipeline.sync.freshness import freshness
from dcycle_pipeline.sync.organizations import wanted_organizations
from dcycle_pipeline.text import counted

MOST_CLOCK_DIFFERENCE_SECONDS = 60
MOST_TRIES, LONGEST_TRY_SECONDS = 2, 10.0  # of one request
_CODES = {"ok": 0, "warn": 1, "error": 2, "down": 3}


def examine(notify: bool = False) -> Iterator[Diagnosis]:
    """Everything that can be looked at without writing data, each as soon as it is known.

    With `notify`, each address of DCYCLE_NOTIFY gets a trial message.
    """
    yield Diagnosis("ok", "versions", _versions())
    yield examine_output()
    yield from _variables()
    try:
        loaded = settings.load()
    except SettingsError as error:
        yield Diagnosis("error", "settings", str(error), "set it in the environment or in .env")
        return
    said = f"{loaded.base_url}, facilities API {loaded.facilities_api}, credential as {loaded.auth}"
    yield Diagnosis("ok", "settings", said)
    yield from _folder(loaded)
    yield from examine_destinations(loaded)
    yield from examine_notification(loaded, notify)
    network = [_way(loaded), _certificates(loaded)]
    yield from network
    if all(finding.level == "ok" for finding in network):
        yield from _api(_impatient(loaded))


def _impatient(loaded: Settings) -> Settings:
    """The same settings for somebody who waits for the answer: a sync at night tries longer."""
    return loaded.model_copy(
        update={
            "retry_attempts": min(loaded.retry_attempts, MOST_TRIES),
            "retry_seconds": min(loaded.retry_seconds, MOST_TRIES * LONGEST_TRY_SECONDS),
            "request_seconds": min(loaded.request_seconds, LONGEST_TRY_SECONDS),
        }
    )


def exit_code(findings: Sequence[Diagnosis]) -> int:
    """0 all well, 1 warnings, 2 a wrong setting, 3 something out of reach."""
    levels = {finding.level for finding in findings}
    return 2 if "error" in levels else max(_CODES[level] for level in levels)


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("dcycle_pipeline", "dagster", "duckdb", "httpx"))
    return f"Python {platform.python_version()}, {packages}"


def _variables() -> Iterator[Diagnosis]:
    """What is set and read by nothing, most often because it is mistyped."""
    try:
        for unknown in unknown_variables():
            hint = (
                f"did you mean {unknown.may_mean}?" if unknown.may_mean else "unset it, or see the chapter on settings"
            )
            yield Diagnosis("warn", unknown.name, "nothing reads this variable", hint)
    except SettingsError:
        return  # .env cannot be read, which the settings tell


def _folder(loaded: Settings) -> Iterator[Diagnosis]:
    folder = DataFolder(loaded.data_dir)
    found = list(examine_folder(folder))
    yield from found
    if found[-1].level == "error":
        return
    if not folder.readable.exists():
        yield Diagnosis("ok", "published file", "none yet", "run `dcycle-pipeline sync`")
        return
    try:
        yield from _published(folder)
        if said := renaming(folder):
            yield Diagnosis("ok", "published file", said)
    except (UnavailableError, IndexError) as error:
        yield Diagnosis("down", "published file", str(error), "show an older snapshot (`rollback`), or sync again")


def _published(folder: DataFolder) -> Iterator[Diagnosis]:
    now = datetime.now(UTC)
    with published_file.Published(folder.readable) as published:
        last, fresh = published.rows(published_file.LAST_RUN)[0], freshness(published, now)
    what = f"{folder.readable}: {last['outcome'].replace('_', ' ')} {ago(last['published_at'], now)}; {fresh}"
    yield Diagnosis("ok", "published file", what, "`dcycle-pipeline status` says what is open since when")
    ahead = noted_ahead(last["published_at"], now)
    yield Diagnosis("warn" if ahead else "ok", "clock", ahead or "later than every publication")


def _way(loaded: Settings) -> Diagnosis:
    try:
        return Diagnosis("ok", "proxy", way(loaded) or f"none, requests go to {loaded.address.host} directly")
    except SettingsError as error:
        return Diagnosis("error", "proxy", str(error))


def _certificates(loaded: Settings) -> Diagnosis:
    if not loaded.address.is_encrypted:
        return Diagnosis("ok", "certificates", "none needed: plain http to this machine")
    file, folders = loaded.certificates
    named = [f"SSL_CERT_FILE {file}"] * bool(file) + [f"SSL_CERT_DIR {folders}"] * bool(folders)
    try:
        trusted_certificates(loaded)
    except SettingsError as error:
        return Diagnosis("error", "certificates", str(error))
    return Diagnosis("ok", "certificates", " and ".join(named) or f"certifi {version('certifi')}")


def _api(loaded: Settings) -> Iterator[Diagnosis]:
    try:
        wanted = {each.organization_id: each.name for each in wanted_organizations(loaded)}
    except SettingsError as error:
        yield Diagnosis("error", CREDENTIAL, str(error))
        return
    except UnavailableError as error:
        yield Diagnosis("down", "API", str(error), "check the network and DCYCLE_BASE_URL, then try again")
        return
    found = list(wanted)
    yield Diagnosis("ok", "API", f"{loaded.base_url} answers; {counted(len(found), 'organisation')} to sync")
    owner = DataFolder(loaded.data_dir).about().get("root_organization_id")
    if owner in found[1:]:
        taken = (
            f"root organisation {owner} now stands below {found[0]}: the next sync takes the folder over for that one"
        )
        yield Diagnosis("ok", "data folder", taken)
    elif owner not in (None, *found[:1]):
        yield Diagnosis(
            "warn",
            "data folder",
            f"holds data of root organisation {owner}",
            "choose another DCYCLE_DATA_DIR if that is not yours",
        )
    yield from _one_by_one(_credentials(loaded, wanted))


def _one_by_one(findings: AsyncIterator[Diagnosis]) -> Iterator[Diagnosis]:
    async def following() -> Diagnosis | None:
        return await anext(findings, None)

    with asyncio.Runner() as runner:
        while (finding := runner.run(following())) is not None:
            yield finding


async def _credentials(loaded: Settings, names: dict[str, str]) -> AsyncIterator[Diagnosis]:
    """What each organisation answers, in the order of the answers: one that hangs holds up nobody."""
    async with DcycleApi(loaded) as api:
        for answered in asyncio.as_completed([_credential(api, loaded, names, identifier) for identifier in names]):
            yield await answered
    yield _clock(api.server_date)


async def _credential(api: DcycleApi, loaded: Settings, names: dict[str, str], identifier: str) -> Diagnosis:
    path = declared(loaded.facilities_api)[0].paging.path
    try:
        where = f"GET {path} (organisation {identifier})"
        await api.get(path, (("size", "1"), ("page", "1")), identifier, where)
        return Diagnosis("ok", CREDENTIAL, f"organisation {named(names, identifier)} can be read")
    except DcycleError as error:
        level: Level = "warn" if isinstance(error, ListError) else "down"
        said = f"{names[identifier]}: {error}" if names[identifier] else str(error)
        return Diagnosis(level, CREDENTIAL, said, "its rows will stay as they are until this is mended")


def _clock(server_date: str) -> Diagnosis:
    ahead = ahead_of_server(server_date, datetime.now(UTC))
    if ahead is None:
        return Diagnosis("ok", "clock", "the API does not tell its time")
    if (difference := abs(ahead.total_seconds())) > MOST_CLOCK_DIFFERENCE_SECONDS:
        return Diagnosis(
            "warn",
            "clock",
            f"differs from the API's by {difference:.0f} s",
            "set the clock (NTP): history is stamped with it",
        )
    return Diagnosis("ok", "clock", f"within {MOST_CLOCK_DIFFERENCE_SECONDS} s of the API's")
