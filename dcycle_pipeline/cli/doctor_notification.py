"""The part of the check-up that looks at DCYCLE_NOTIFY: whether each address can be notified. It sends something only if asked to."""

from collections.abc import Iterator

from dcycle_pipeline.api.secrets import Secrets
from dcycle_pipeline.cli.diagnosis import Diagnosis
from dcycle_pipeline.notify import message, sending
from dcycle_pipeline.settings import Settings


def examine_notification(loaded: Settings, send: bool) -> Iterator[Diagnosis]:
    """Each address, by its place in the setting; nothing if none is set."""
    if send and not loaded.notify_urls:
        yield Diagnosis("warn", "notification", "no address is set, so no trial message was sent", "set DCYCLE_NOTIFY")
    for place, url in enumerate(loaded.notify_urls, start=1):
        subject = f"notification {place}"
        kind = sending.kind_of(url)
        if not kind:
            what = f"address {place} of DCYCLE_NOTIFY is none that can be notified"
            advice = "give an https:// webhook, or a URL of apprise such as mailtos://; put spaces between several"
            yield Diagnosis("error", subject, what, advice)
        elif not send:
            yield Diagnosis("ok", subject, f"{kind}; `dcycle-pipeline doctor --notify` sends a trial message")
        elif reason := sending.send(url, *message.trial()):
            said = Secrets([*loaded.notify_secrets, *loaded.secrets]).mask(reason)
            yield Diagnosis(
                "down", subject, f"{kind} did not take a trial message: {said}", "check DCYCLE_NOTIFY and the network"
            )
        else:
            yield Diagnosis("ok", subject, f"{kind} took a trial message")
