"""The machine's clock held against what tells the time beside it: the API's answers, and the moments that are noted already.

How moments stay in order whatever the clock does belongs to `warehouse.run_log`.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from dcycle_pipeline.text import counted

MOST_DIFFERENCE = timedelta(minutes=5)


def ahead_of_server(server_date: str, now: datetime) -> timedelta | None:
    """By how much the clock is ahead of an HTTP date (behind, if negative); None if the date says nothing."""
    try:
        told = parsedate_to_datetime(server_date)
    except (TypeError, ValueError, OverflowError):
        return None
    return now - (told if told.tzinfo else told.replace(tzinfo=UTC))


def wrong_clock(server_date: str, now: datetime) -> str:
    """What to say if the clock is off by more than a few minutes, as the API tells the time; else empty."""
    ahead = ahead_of_server(server_date, now)
    if ahead is None or abs(ahead) <= MOST_DIFFERENCE:
        return ""
    which = "ahead of" if ahead > timedelta(0) else "behind"
    return (
        f"The clock of this machine is {in_words(abs(ahead))} {which} the API's. Set it (NTP) before the next sync: "
        "publications and versions are stamped with it."
    )


def noted_ahead(last_noted: datetime, now: datetime) -> str:
    """What to say if the last moment that is noted lies more than a few minutes ahead of the clock; else empty."""
    ahead = last_noted - now
    if ahead <= MOST_DIFFERENCE:
        return ""
    return (
        f"The last publication is stamped {last_noted:%Y-%m-%d %H:%M:%S} UTC, {in_words(ahead)} ahead of this machine's clock. "
        "If the clock is behind, set it (NTP). If it is right now and was ahead once, run `dcycle-pipeline redate`."
    )


def in_words(span: timedelta) -> str:
    """A span in the unit that suits it."""
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if span.total_seconds() >= 2 * seconds:
            return f"{span.total_seconds() / seconds:.0f} {unit}"
    return counted(round(span.total_seconds()), "second")


def ago(moment: datetime, now: datetime) -> str:
    """How long ago a moment was, in the fewest letters: `12 min ago`."""
    seconds = max((now - moment).total_seconds(), 0)
    for unit, length, next_one in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < next_one:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds // 86_400:.0f} days ago"
