"""Where the PostgreSQL of DCYCLE_POSTGRES_URL is, as settings. Connecting and what is sent there belong to `publish.postgres`."""

from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

_SCHEMES = ("postgresql://", "postgres://")


class Postgres(BaseModel):
    """The settings of the destination `postgres`."""

    postgres_url: SecretStr | None = Field(
        None, description="PostgreSQL for the destination postgres: postgresql://user:password@host:5432/database"
    )
    postgres_row_security: bool | None = Field(
        None, description="whether each reader of PostgreSQL sees only the organisations that are noted for it"
    )

    @field_validator("postgres_url")
    @classmethod
    def _is_url(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else _SCHEMES[0]
        if not text.startswith(_SCHEMES) or not text.isprintable():
            raise ValueError("must look like postgresql://user:password@host:5432/database, without a line break")
        return value

    @property
    def postgres_secrets(self) -> list[str]:
        """The URL, and its passwords as they are written and as they are meant: no message shows them."""
        return secrets_of(self.postgres_url.get_secret_value()) if self.postgres_url else []


def secrets_of(url: str) -> list[str]:
    """What of a PostgreSQL URL nobody may see: the whole, and each password in it. The text may be no URL at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    written = parts.netloc.rpartition("@")[0].partition(":")[2]
    in_query = [each for name, found in parse_qs(parts.query).items() if "password" in name for each in found]
    return [each for each in (url, written, unquote(written), *in_query) if each]
