"""Every setting: its variable, its default, and what it must be. Every message names the variable to change."""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from urllib.request import getproxies

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings.budgets import Budgets, OwnTime
from dcycle_pipeline.settings.destinations import Destinations
from dcycle_pipeline.settings.network import Address, Proxy, is_header_text, parse_address, proxies_in, proxy_for
from dcycle_pipeline.settings.notification import Notification
from dcycle_pipeline.settings.organizations_file import OrganizationsFile, read_organizations_file
from dcycle_pipeline.settings.postgres import Postgres
from dcycle_pipeline.settings.presentation import Presentation
from dcycle_pipeline.settings.sources import DATA_DIR, ENV_FILE, PREFIX, UTF8, absolute, env_file, variables

_PENDING_CRON, _OFF = "30 */2 * * *", "off"
_SOURCES = SettingsConfigDict(
    env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True, env_file=ENV_FILE, env_file_encoding=UTF8,
    env_ignore_empty=True,
)  # fmt: skip


class Settings(Budgets, Destinations, Notification, Postgres, Presentation, BaseSettings):
    """All settings. A field's name is that of its variable without `DCYCLE_`, in lower case."""

    model_config = _SOURCES

    api_key: SecretStr | None = Field(None, description="API key of Dcycle (organisation settings → API keys)")
    organization_id: str = Field(description="any organisation of the group")
    base_url: str = Field("https://api.dcycle.io", description="address of the API")
    data_dir: Path = Field(
        DATA_DIR, validate_default=True, description="folder for the published file and all that the pipeline keeps"
    )
    max_connections: int = Field(16, ge=1, le=32, description="requests under way at once")
    personal_data: Literal["drop", "pseudonymise", "keep"] = Field(
        "drop", description="what happens to names and e-mail addresses before landing"
    )
    user_id: str | None = Field(None, description="user id, needed by the legacy API")
    facilities_api: Literal["v1", "legacy"] = Field("v1", description="which list of facilities to read")
    auth: Literal["api-key", "bearer"] = Field("api-key", description="how to send the credential")
    email: str | None = Field(
        None, description="with DCYCLE_AUTH=bearer: log in with e-mail and password instead of the key"
    )
    password: SecretStr | None = Field(None, description="password to DCYCLE_EMAIL")
    organizations_file: Path | None = Field(None, description="TOML: include, exclude, keys and minutes of their own")
    request_seconds: float = Field(30, gt=0, description="longest time of one request")
    max_body_mb: int = Field(32, ge=1, le=4096, description="longest body of an answer, unpacked, MB")
    retry_seconds: float = Field(180, ge=0, description="longest time spent on one request with its repetitions")
    retry_attempts: int = Field(8, ge=1, description="how often one request is tried")
    retry_first_wait_seconds: float = Field(0.5, ge=0, description="first wait between tries; doubles, with jitter")
    late_seconds: float = Field(
        30,
        gt=0,
        description="how long an organisation may give no answer once all others are read; then the run goes on",
    )
    resume_hours: float = Field(
        6,
        ge=0,
        le=8784,
        description="how long the landed pages of a run that died or ran out of time are taken over; 0 never",
    )
    large_drop_percent: float = Field(
        20, ge=0, le=100, description="a larger share of an organisation's rows vanishing is held until accepted"
    )
    large_drop_rows: int = Field(10, ge=0, description="as many rows may vanish in any case, once the API confirms it")
    keep_runs: int = Field(10, ge=1, description="runs whose landed pages are kept")
    keep_snapshots: int = Field(3, ge=1, description="published snapshots kept for rollback")
    memory_limit_mb: int = Field(512, ge=128, description="DuckDB memory limit, MB")
    max_age_hours: float = Field(
        26, gt=0, le=87840, description="age of the oldest proof at which Dagster calls data stale"
    )
    schedule_cron: str = Field("0 3 * * *", description="when the daily sync starts")
    schedule_timezone: str = Field("UTC", description="time zone of the schedules")
    pending_cron: str = Field(
        _PENDING_CRON, description="when lists with pending records are asked for again, if there are any; off never"
    )
    log: Literal["text", "json"] = Field("text", description="how log lines are written on stderr")
    telemetry: bool = Field(False, description="let libraries send telemetry")

    @field_validator("base_url")
    @classmethod
    def _safe_base_url(cls, value: str) -> str:
        address = parse_address(value)
        if not address.is_encrypted and not address.is_loopback:
            raise ValueError(
                f"is plain http to {address.host}: the key would travel unprotected; use https (http only to a loopback address)"
            )
        return str(address)

    @field_validator("data_dir", mode="before")
    @classmethod
    def _whole_path(cls, value: Any) -> Path:
        return absolute(str(value))

    @field_validator("api_key")
    @classmethod
    def _header_safe(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not is_header_text(value.get_secret_value()):
            raise ValueError("is empty or holds characters that no key has (a space or line break from copying?)")
        return value

    @field_validator("email", "password")
    @classmethod
    def _fits_json(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("is not text in UTF-8: set it again")
        return value

    @field_validator("organization_id", "user_id")
    @classmethod
    def _plain_id(cls, value: str | None) -> str | None:
        if value is not None and not is_header_text(value):
            raise ValueError("is empty or holds characters that no id has (a space or line break from copying?)")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        login = self.auth == "bearer" and self.email and self.password
        if not self.api_key and not login:
            raise ValueError(
                "DCYCLE_API_KEY is not set: create a key in Dcycle (organisation settings → API keys) and set it"
            )
        if self.facilities_api == "legacy" and not self.user_id:
            raise ValueError("DCYCLE_FACILITIES_API=legacy needs DCYCLE_USER_ID: set it")
        if self.parquet_dir and self.parquet_dir.resolve().is_relative_to(self.data_dir.resolve()):
            raise ValueError("DCYCLE_PARQUET_DIR lies in DCYCLE_DATA_DIR: choose a folder of its own outside of it")
        return self

    @cached_property
    def organizations(self) -> OrganizationsFile:
        """The organisations file, or one that takes every organisation. Raises SettingsError if the file is wrong."""
        return read_organizations_file(self.organizations_file)

    @cached_property
    def _own_keys(self) -> dict[str, SecretStr]:
        named, keys = variables(), {}
        for organization_id, variable in self.organizations.key_variables.items():
            value = named.get(variable)
            if not value or not is_header_text(value):
                raise SettingsError(
                    f"{variable} holds no key, but {self.organizations_file} names it for organisation {organization_id}: set it."
                )
            keys[organization_id] = SecretStr(value)
        return keys

    def key_for(self, organization_id: str) -> str:
        """The API key for one organisation; empty if a login is used instead."""
        key = self._own_keys.get(organization_id, self.api_key)
        return key.get_secret_value() if key else ""

    def time_of(self, organization_id: str) -> OwnTime:
        """How long an organisation may be asked in a run: as the organisations file says of it, or as long as any other."""
        own = self.organizations.minutes_of(organization_id)
        if own is None:
            return super().time_of(organization_id)
        return OwnTime(own, f"minutes of organisation {organization_id} in DCYCLE_ORGANIZATIONS_FILE")

    @property
    def secrets(self) -> list[str]:
        """Every secret that the API may echo in clear, to mask it in texts and data. A password to PostgreSQL may be a word of the data."""
        own = [*self._own_keys.values(), self.api_key, self.password]
        return [secret.get_secret_value() for secret in own if secret]

    @cached_property
    def address(self) -> Address:
        """`base_url`, for every decision that rests on it."""
        return parse_address(self.base_url)

    @cached_property
    def proxy(self) -> Proxy | None:
        """The proxy on the way to the API: HTTPS_PROXY or ALL_PROXY in either case, unless NO_PROXY excepts the host."""
        return proxy_for(self.address, proxies_in(env_file()) | getproxies())

    @cached_property
    def certificates(self) -> tuple[str, str]:
        """SSL_CERT_FILE and SSL_CERT_DIR: whom to trust instead of certifi's list. Empty if not set."""
        return variables().get("SSL_CERT_FILE", ""), variables().get("SSL_CERT_DIR", "")


class ScheduleSettings(BaseSettings):
    """What Dagster's definitions need before a run; it includes no credential."""

    model_config = _SOURCES
    organization_id: str | None = None
    schedule_cron: str = Settings.model_fields["schedule_cron"].default
    schedule_timezone: str = Settings.model_fields["schedule_timezone"].default
    pending_cron: str = Settings.model_fields["pending_cron"].default

    @property
    def asks_for_pending(self) -> bool:
        """Whether pending records are asked for by themselves."""
        return self.pending_cron.strip().lower() != _OFF

    @property
    def pending_schedule(self) -> str:
        """When: also what somebody gets who turns a schedule on in the UI that the settings leave off."""
        return self.pending_cron if self.asks_for_pending else _PENDING_CRON


class NotificationSettings(Notification, BaseSettings):
    """What it takes to say that the other settings are wrong."""

    model_config = _SOURCES
    data_dir: Path = Field(default=DATA_DIR, validate_default=True)

    @field_validator("data_dir", mode="before")
    @classmethod
    def _whole_path(cls, value: Any) -> Path:
        return absolute(str(value))
