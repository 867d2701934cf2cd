"""Keeps the secrets of one connection out of what libraries log meanwhile, and out of the answers. What a secret is belongs to `secrets`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dcycle_pipeline.api.secrets import SHORTEST_KEY, Secrets
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings import Settings

LOGGERS = (
    *("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"),
    *("aiohttp.client", "aiohttp.internal"),
)
_log = logging.getLogger(__name__)


class Masking:
    """The secrets of a connection, and what to do about them. Raises SettingsError if a key is too short to be one."""

    def __init__(self, settings: Settings) -> None:
        _refuse_short_keys(settings)
        passwords = [settings.password.get_secret_value()] if settings.password else []
        self.secrets = Secrets(settings.secrets, passwords)
        self._was_told = False

    def mask(self, text: str) -> str:
        """A message without any secret."""
        return self.secrets.mask(text)

    @contextmanager
    def of_log_lines(self) -> Iterator[None]:
        """While the block lasts, libraries log no secret."""
        masking = _MaskingFilter(self.mask)
        for name in LOGGERS:
            logging.getLogger(name).addFilter(masking)
        try:
            yield
        finally:
            for name in LOGGERS:
                logging.getLogger(name).removeFilter(masking)

    def cleaned(self, body: bytes, where: str) -> bytes:
        """The body of an answer without any secret; says once that there was one. `where` begins the message."""
        cleaned = self.secrets.clean(body)
        if cleaned is not body and not self._was_told:
            self._was_told = True
            _log.warning(
                "%s: the answer holds a key, password or token of ours: it is masked there and in what follows.", where
            )
        return cleaned


class _MaskingFilter(logging.Filter):
    """Masks what libraries log of a connection: a server may echo a secret in a header or in the words of its status."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._mask(record.getMessage()), ()
        return True


def _refuse_short_keys(settings: Settings) -> None:
    """Raise SettingsError if a key is too short to be told apart from data: masking it would destroy them."""
    keys = {variable: settings.key_for(each) for each, variable in settings.organizations.key_variables.items()}
    keys["DCYCLE_API_KEY"] = settings.api_key.get_secret_value() if settings.api_key else ""
    for variable, key in keys.items():
        if 0 < len(key) < SHORTEST_KEY:
            raise SettingsError(
                f"{variable} has {len(key)} characters, and no key is as short as that: copy the whole key."
            )
