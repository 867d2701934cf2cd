"""How a check-up is told to people: a line for each thing that was looked at, and a verdict at the end."""

from collections.abc import Iterable, Sequence

from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.diagnosis import Diagnosis

CREDENTIAL = "credential"


def tell_findings(findings: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Every finding in a line with what to do, as soon as it is known, and last the verdict. Returns all of them.

    Organisations that can be read are one line together, once all were asked.
    """
    told, readable = list[Diagnosis](), list[Diagnosis]()
    for one in findings:
        told.append(one)
        if one.subject == CREDENTIAL and one.level == "ok":
            readable.append(one)
            continue
        if one.subject != CREDENTIAL:
            _tell_readable(readable)
            readable = []
        _tell(one)
    _tell_readable(readable)
    console.show(verdict(told))
    return told


def _tell_readable(readable: Sequence[Diagnosis]) -> None:
    if len(readable) > 1:
        _tell(Diagnosis("ok", CREDENTIAL, f"{len(readable)} organisations can be read"))
    elif readable:
        _tell(readable[0])


def _tell(one: Diagnosis) -> None:
    console.show(f"{one.level:<5} {one.subject}: {one.what}" + (f" → {one.advice}" if one.advice else ""))


def verdict(findings: Sequence[Diagnosis]) -> str:
    """What all findings together mean for the next sync."""
    wrong, down, risks = (
        [one.subject for one in findings if one.level == level] for level in ("error", "down", "warn")
    )
    if wrong:
        return f"Verdict: a sync cannot start. Put this right first: {_listed([*wrong, *down])}."
    if down:
        return f"Verdict: not everything is in reach: {_listed(down)}. Look at it, then run `dcycle-pipeline doctor` again."
    if risks:
        return f"Verdict: a sync can run. Look at this, too: {_listed(risks)}."
    return "Verdict: all is well, a sync can run."


def _listed(subjects: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(subjects))
