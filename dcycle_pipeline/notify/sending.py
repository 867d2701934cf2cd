"""Sends a text to an address that DCYCLE_NOTIFY names: a webhook, a chat, e-mail. The only importer of apprise."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from apprise import NotifyBase

# apprise bounds each wait for a server, but not the sum of many short ones.
LONGEST_SECONDS = 30
_NOT_UNDERSTOOD = (
    "it is no address that can be notified: give an https:// webhook, or a URL of apprise such as mailtos://"
)
_GENERIC = {"https": "jsons", "http": "json"}
# Slack and all that take its webhooks, Teams' connectors too, read `text`; some read `title`. Some refuse what they do not know.
_FIELDS = {":message": "text", ":version": "", ":attachments": "", ":type": ""}


def kind_of(url: str) -> str:
    """Which kind of address it is, for people: Slack, E-Mail, JSON. Empty if it is none that can be notified."""
    with _quiet():
        service = _service(url)
    return str(service.service_name) if service else ""


def send(url: str, title: str, text: str) -> str:
    """Send to one address. Returns why that failed, in words that may hold parts of the URL; empty if it was taken."""
    said: list[str] = [f"no answer within {LONGEST_SECONDS} s"]

    def work() -> None:
        try:
            said[:] = [_send(url, title, text)]
        except Exception as error:  # apprise and what it uses raise of many kinds
            said[:] = [f"{type(error).__name__}: {error}"]

    sending = threading.Thread(target=work, daemon=True)
    sending.start()
    sending.join(LONGEST_SECONDS)
    return said[0]


def _send(url: str, title: str, text: str) -> str:
    from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - as below

    with _quiet():
        service = _service(url)
    if service is None:
        return _NOT_UNDERSTOOD
    whom = Apprise()
    with _quiet() as heard:
        whom.add(service)
        taken = bool(whom.notify(title=title, body=text, body_format=NotifyFormat.TEXT))  # escaped where markup acts
    return "" if taken else " ".join(heard) or "it was refused"


def _service(url: str) -> "NotifyBase | None":
    """The service that an address names. A web address that apprise does not know is a webhook that takes JSON."""
    from apprise import Apprise  # noqa: PLC0415 - it takes longer to load than a command, and few runs send anything

    found: NotifyBase | None = Apprise.instantiate(url)
    return found or (Apprise.instantiate(_as_json(url)) if url.lower().startswith(("https://", "http://")) else None)


def _as_json(url: str) -> str:
    parts = urlsplit(url)
    asked = [(f"-{name}", value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    query = urlencode([*asked, *_FIELDS.items()])
    return f"{_GENERIC[parts.scheme.lower()]}://{parts.netloc}{parts.path}?{query}"


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """What apprise warns of meanwhile, and nowhere else: its words may hold parts of a URL."""
    heard: list[str] = []

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger, hearing = logging.getLogger("apprise"), Hearing(logging.WARNING)
    before, logger.propagate = logger.propagate, False
    logger.addHandler(hearing)
    try:
        yield heard
    finally:
        logger.removeHandler(hearing)
        logger.propagate = before
