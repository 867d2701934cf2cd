"""One notification when things turn wrong and one when they are well again, whoever starts the runs, and none that fails a run."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, FEW, ROOT, only
from tests.notify.receivers import TOKEN, MailServer, Webhook, text_of, webhook

__all__ = ["invoke", "webhook"]

GOOD, BROKEN = Behaviour(), Behaviour(denied={CHILD: 403})
DOWN = Behaviour(faults=(Fault("500"),))
Night = Callable[[Behaviour], int]


@pytest.fixture(autouse=True, scope="module")
def _few_summaries() -> Iterator[None]:
    with only((*FEW, "organization_tree", "missing_members", "data_quality")):
        yield


@pytest.fixture
def nights(sandbox: Sandbox, invoke: Invoke, tmp_path: Path, webhook: Webhook) -> Callable[..., Night]:
    """A night each time it is called, with the API behaving like that; gives its exit code."""

    def made(*urls: str, **environment: str) -> Night:
        notify = " ".join(urls or (webhook.url,))
        settings = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=notify, **environment)

        def night(behaviour: Behaviour) -> int:
            sandbox.behaviour = behaviour
            result = invoke("sync", **settings)
            for secret in (TOKEN, "s1gnature", sandbox.api_key):
                assert secret not in result.output
            return result.exit_code

        return night

    return made


def test_a_broken_night_is_said_once_and_so_is_the_next_good_one(
    nights: Callable[..., Night], webhook: Webhook, sandbox: Sandbox
) -> None:
    with MailServer() as mail_server:
        night = nights(webhook.url, mail_server.url)
        assert [night(GOOD), night(BROKEN), night(BROKEN), night(GOOD), night(GOOD)] == [0, 1, 1, 0, 0]
        mails = mail_server.mails
    assert len(webhook.posted) == len(mails) == 2
    (wrong, well), texts = webhook.posted, [text_of(mail) for mail in mails]
    assert set(wrong) == {"title", "text"}, "what Slack and Teams read, and nothing that they refuse"
    assert wrong["title"] == mails[0]["Subject"] == "dcycle_pipeline, Holding X: something is wrong"
    assert well["title"] == mails[1]["Subject"] == "dcycle_pipeline, Holding X: all is well again"
    for said in (wrong["text"], texts[0]):
        assert all(
            words in said for words in (f"Water North ({CHILD})", "access refused (403)", "Since: 20", "proven since")
        )
        assert said.count("Wrong: ") == 1, "one refusal, whatever it closes"
        assert not re.search(r"[a-z]_[a-z]|GET ", said.replace("dcycle_pipeline", "")), "words, and no names of columns"
        assert "Next: `dcycle-pipeline doctor`" in said
        assert ROOT not in said, "nothing is wrong with that organisation"
    assert "Something was wrong since 20" in well["text"]
    assert "Next: nothing" in texts[1]
    for said in (str(webhook.posted), *map(str, mails)):
        assert sandbox.api_key not in said
        assert TOKEN not in said
    assert set(webhook.paths) == {f"/hooks/{TOKEN}?sig=s1gnature%2F42"}


def test_a_run_that_cannot_begin_is_said_once(nights: Callable[..., Night], webhook: Webhook) -> None:
    night = nights()
    assert [night(GOOD), night(DOWN), night(DOWN), night(GOOD)] == [0, 3, 3, 0]
    wrong, well = webhook.posted
    assert f"Holding X ({ROOT}): the run could not begin" in wrong["text"]
    assert "500" in wrong["text"]
    assert well["title"].endswith("all is well again")


def test_wrong_settings_are_said_once_too(
    nights: Callable[..., Night], webhook: Webhook, sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    night = nights()
    assert night(GOOD) == 0
    settings = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=webhook.url)
    for change in ({"DCYCLE_API_KEY": ""}, {"DCYCLE_API_KEY": "sk_live_wrong_1"}, {"DCYCLE_DESTINATIONS": "nowhere"}):
        assert invoke("sync", **settings | change).exit_code == 2
    (wrong,) = webhook.posted
    assert "DCYCLE_API_KEY" in wrong["text"]
    shown = invoke("status", **settings).stdout
    assert shown.count("nothing published: ") == 3, "a snapshot cannot know of them"
    assert "sk_live_wrong_1" not in shown + str(webhook.posted)
    assert night(GOOD) == 0
    assert len(webhook.posted) == 2


@pytest.mark.exhaustive
def test_what_cannot_be_sent_fails_no_run_and_is_sent_by_the_next(
    nights: Callable[..., Night], webhook: Webhook, sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    refusing = Webhook(status=500)
    with refusing:
        urls = (webhook.url, refusing.url, "http://127.0.0.1:9/nobody_there_0", "nonsense", "json://")
        night = nights(*urls)
        assert night(GOOD) == 0
        sandbox.behaviour = BROKEN
        settings = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=" ".join(urls))
        result = invoke("sync", **settings)
        assert result.exit_code == 1
        lines = [line for line in result.stderr.splitlines() if "could not be sent" in line]
        assert len(lines) == 4
        assert TOKEN not in result.output
        refusing.status = 200
        assert night(BROKEN) == 1
        assert [len(webhook.posted), len(refusing.posted)] == [1, 1]
        assert night(GOOD) == 0
        assert [len(webhook.posted), len(refusing.posted)] == [2, 2]


def test_stale_data_is_said_once_although_no_run_failed(
    nights: Callable[..., Night], webhook: Webhook, sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    night = nights()
    assert night(GOOD) == 0
    settings = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=webhook.url)
    assert invoke("status", "--notify", **settings).exit_code == 2, "how old may it get?"
    assert invoke("status", "--max-age", "26h", "--notify", **settings).exit_code == 0
    assert webhook.posted == []
    for _ in range(2):
        assert invoke("status", "--max-age", "0.000001h", "--notify", **settings).exit_code == 1
    (stale,) = webhook.posted
    assert "stale: all of it proven since" in stale["text"]
    assert "Next: `dcycle-pipeline sync`" in stale["text"]
    assert invoke("status", "--max-age", "26h", "--notify", **settings).exit_code == 0
    assert [said["title"].rpartition(": ")[2] for said in webhook.posted] == ["something is wrong", "all is well again"]


def test_doctor_tries_each_address_only_if_asked_to(
    nights: Callable[..., Night], webhook: Webhook, sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    assert nights()(GOOD) == 0
    settings = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=webhook.url)
    looked = invoke("doctor", **settings)
    assert (looked.exit_code, webhook.posted) == (0, [])
    assert "notification 1: JSON" in looked.stdout
    assert invoke("doctor", "--notify", **settings).exit_code == 0
    assert [said["title"] for said in webhook.posted] == ["dcycle_pipeline: this is a trial"]
    webhook.status = 403
    refused = invoke("doctor", "--notify", **settings)
    assert refused.exit_code == 3
    wrong = invoke("doctor", **settings | {"DCYCLE_NOTIFY": f"{webhook.url} foo://{TOKEN}"})
    assert wrong.exit_code == 2
    assert "address 2 of DCYCLE_NOTIFY" in wrong.stdout
    assert TOKEN not in looked.output + refused.output + wrong.output
    assert invoke("doctor", "--notify", **settings | {"DCYCLE_NOTIFY": ""}).exit_code == 1, "nobody could be tried"
