"""A check-up: settings, folder, disk, file, versions, proxy, certificates, reachability, clock and credentials, each with what to do."""

import asyncio
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

from dcycle_pipeline import settings
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.connection import trusted_certificates, way
from dcycle_pipeline.cli.diagnosis import Diagnosis, Level
from dcycle_pipeline.cli.doctor_destinations import examine_destinations
from dcycle_pipeline.cli.doctor_folder import examine_folder, examine_output
from dcycle_pipeline.cli.doctor_notification import examine_notification
from dcycle_pipeline.cli.results import renaming
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.errors import DcycleError, ListError, SettingsError, UnavailableError
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.clock import ahead_of_server, noted_ahead
from dcycle_pipeline.sync.organizations import wanted_organizations

MOST_CLOCK_DIFFERENCE_SECONDS = 60
_CODES = {"ok": 0, "warn": 1, "error": 2, "down": 3}


def examine(notify: bool = False) -> list[Diagnosis]:
    """Everything that can be looked at without writing data. With `notify`, each address of DCYCLE_NOTIFY gets a trial message."""
    findings = [Diagnosis("ok", "versions", _versions()), examine_output()]
    try:
        loaded = settings.load()
    except SettingsError as error:
        return [*findings, Diagnosis("error", "settings", str(error), "set it in the environment or in .env")]
    findings.append(
        Diagnosis(
            "ok", "settings", f"{loaded.base_url}, facilities API {loaded.facilities_api}, credential as {loaded.auth}"
        )
    )
    network = [_way(loaded), _certificates(loaded)]
    usable = all(finding.level == "ok" for finding in network)
    looked = [*_folder(loaded), *examine_destinations(loaded), *examine_notification(loaded, notify)]
    return [*findings, *looked, *network, *(_api(loaded) if usable else ())]


def exit_code(findings: list[Diagnosis]) -> int:
    """0 all well, 1 warnings, 2 a wrong setting, 3 something out of reach."""
    levels = {finding.level for finding in findings}
    return 2 if "error" in levels else max(_CODES[level] for level in levels)


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("dcycle_pipeline", "dagster", "duckdb", "httpx"))
    return f"Python {platform.python_version()}, {packages}"


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
        last = published_file.rows(folder.readable, published_file.LAST_RUN)[0]
        yield Diagnosis(
            "ok",
            "published file",
            f"{folder.readable}: {last['outcome']} at {last['published_at']:%Y-%m-%d %H:%M:%S} UTC",
        )
        if said := renaming(folder):
            yield Diagnosis("ok", "published file", said)
        ahead = noted_ahead(last["published_at"], datetime.now(UTC))
        yield Diagnosis("warn" if ahead else "ok", "clock", ahead or "later than every publication")
    except (UnavailableError, IndexError) as error:
        yield Diagnosis("down", "published file", str(error), "show an older snapshot (`rollback`), or sync again")


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
        found = wanted_organizations(loaded)
    except SettingsError as error:
        yield Diagnosis("error", "credential", str(error))
        return
    except UnavailableError as error:
        yield Diagnosis("down", "API", str(error), "check the network and DCYCLE_BASE_URL, then try again")
        return
    yield Diagnosis("ok", "API", f"{loaded.base_url} answers; {len(found)} organisations to sync")
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
    yield from asyncio.run(_credentials(loaded, found))


async def _credentials(loaded: Settings, organization_ids: list[str]) -> list[Diagnosis]:
    paging = declared(loaded.facilities_api)[0].paging
    findings = []
    async with DcycleApi(loaded) as api:
        for identifier in organization_ids:
            where = f"GET {paging.path} (organisation {identifier})"
            try:
                await api.get(paging.path, (("size", "1"), ("page", "1")), identifier, where)
                findings.append(Diagnosis("ok", "credential", f"organisation {identifier} can be read"))
            except DcycleError as error:
                level: Level = "warn" if isinstance(error, ListError) else "down"
                findings.append(
                    Diagnosis(level, "credential", str(error), "its rows will stay as they are until this is mended")
                )
    return [*findings, _clock(api.server_date)]


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
