"""Findings as Dagster shows them: asset checks, some of which block what comes after."""

from collections.abc import Sequence

import dagster as dg

from dcycle_pipeline.errors import UnsoundError
from dcycle_pipeline.publish.checks import MEANINGS, Finding, is_blocking
from dcycle_pipeline.sync.outcome import Outcome
from dcycle_pipeline.text import markdown


def spec(check: str, asset: str, *, blocking: bool = True) -> dg.AssetCheckSpec:
    """The declaration of a check of an asset."""
    return dg.AssetCheckSpec(check, asset=asset, blocking=blocking, description=MEANINGS[check])


def result_of(finding: Finding) -> dg.AssetCheckResult:
    """A finding as a check's result: one that does not block warns."""
    severity = dg.AssetCheckSeverity.ERROR if finding.blocks else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=finding.check,
        asset_key=finding.subject,
        passed=finding.passed,
        severity=severity,
        description=markdown(finding.what),
    )


def note_blocked(outcome: Outcome, findings: Sequence[Finding]) -> bool:
    """Whether a finding blocks the publication; the run's outcome then says which."""
    blocking = [f"{each.subject}: {each.check}: {each.what}" for each in findings if is_blocking(each)]
    if blocking:
        outcome.fail(UnsoundError("Not published, a check failed: " + "; ".join(blocking)))
    return bool(blocking)
