"""Whom a notification reaches, as a setting. When one is due, what it says and how it is sent belong to `notify`."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, Field, SecretStr

# A part of a URL that is no token is a name, which no message should lose.
_TOKEN = re.compile(r"(?=.*[0-9]).{8,}|.{16,}", re.DOTALL)


class Notification(BaseModel):
    """The setting of notifications. A URL holds a token or a password, so all of it is a secret."""

    notify: SecretStr | None = Field(
        default=None,
        description="whom to notify when a run fails and when all is well again: URLs, separated by spaces",
    )

    @property
    def notify_urls(self) -> list[str]:
        """The URLs that are set, each once."""
        return list(dict.fromkeys(self.notify.get_secret_value().split())) if self.notify else []

    @property
    def notify_secrets(self) -> list[str]:
        """The URLs, and each part of them that may be a token: no message shows them."""
        return [secret for url in self.notify_urls for secret in notify_secrets_of(url)]


def notify_secrets_of(url: str) -> list[str]:
    """What of a URL nobody may see: the whole, its password, and what in its path and query may be a token. It may be no URL at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    named = [] if "." in host else host.split(":")  # apprise writes tokens there: slack://token/token/token
    parts_of = [user, *named, *parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    tokens = [each for part in parts_of for each in (part, unquote(part)) if _TOKEN.fullmatch(each)]
    return list(dict.fromkeys(each for each in (url, password, unquote(password), *tokens) if each))
