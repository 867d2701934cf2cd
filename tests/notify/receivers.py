"""Receivers of notifications of the tests' own: a webhook over HTTP and a mail server over SMTP, each in a thread."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from functools import partial
from typing import Any, Self

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.posts import Posts

TOKEN = "T0KENofTheWebhook42"


class Webhook(Posts):
    """Takes what is posted, or answers with another `status`."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.posted, self.paths = status, list[dict[str, Any]](), list[str]()
        super().__init__(self._keep)

    def _keep(self, path: str, headers: Message, body: bytes) -> tuple[int, str]:
        self.paths.append(path)
        if self.status == 200:
            self.posted.append(json.loads(body))
        return self.status, "said with " + TOKEN

    @property
    def url(self) -> str:
        return f"{self.address}/hooks/{TOKEN}?sig=s1gnature%2F42"


@dataclass
class _Inbox:
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mail = message_from_bytes(bytes(envelope.content or b""), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"


class MailServer:
    """Takes mail by SMTP. Used with `with`."""

    def __init__(self) -> None:
        self._inbox = _Inbox()
        self._loop, self._ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self._port}?from=pipeline@example.com&to=operator@example.com"

    @property
    def mails(self) -> list[EmailMessage]:
        return self._inbox.mails

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        """aiosmtpd's own controller cannot let the system choose the port."""
        protocol = partial(SMTP, self._inbox, loop=self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(protocol, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain", "html"))
    assert body is not None
    return str(body.get_content())


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that takes what it gets, until the test ends."""
    with Webhook() as running:
        yield running
