"""How an error of ours becomes the failure of a step: its first line says what an operator does next, the second what happened.

Also what becomes of a tick or sensor that cannot look.
"""

from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from dcycle_pipeline.errors import DcycleError, SettingsError, UnavailableError, UnsoundError
from dcycle_pipeline.text import plain

# The list of runs shows tags, short ones whole, and no other word on why a run failed.
DO_NEXT_TAG = "do_next"
_NEXT = {
    SettingsError: "Correct what is named below, then launch again. What was published stays.",
    UnavailableError: "Launch again once what is named below works. What was published stays.",
    UnsoundError: "Look at the checks that failed, then launch again. What was published stays.",
}
_OTHERWISE = "See what is named below, then launch again. What was published stays."

T = TypeVar("T")
Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


def failure_of(error: DcycleError, context: Context) -> dg.Failure:
    """The failure of the step that raised the error. It is tried again only if that can help; if not, the run is tagged."""
    do_next = next((said for kind, said in _NEXT.items() if isinstance(error, kind)), _OTHERWISE)
    again = isinstance(error, UnavailableError)
    policy = context.op_def.retry_policy
    if not (again and policy and context.retry_number < policy.max_retries):
        context.instance.add_run_tags(context.run.run_id, {DO_NEXT_TAG: do_next})
    return dg.Failure(f"{do_next}\n{plain(str(error))}", allow_retries=again)


def or_skipped(look: Callable[[], T]) -> T | dg.SkipReason:
    """What a look gives; the reason to skip it if the next one may go well. Raises Failure if the settings are wrong."""
    try:
        return look()
    except SettingsError as error:
        raise dg.Failure(plain(str(error))) from None
    except DcycleError as error:
        return dg.SkipReason(plain(str(error)))
