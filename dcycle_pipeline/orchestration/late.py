"""Once the others are published, who gave no answer is asked once more, within the same run of Dagster.

How long one may be silent belongs to `api.latecomers`, what the second run does to `sync.whole`.
"""

import dagster as dg

from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.orchestration.published_events import events_of_tables
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import late_run, sync_late
from dcycle_pipeline.text import counted


def asked_once_more(
    context: dg.AssetExecutionContext, environment: Environment, run: Run
) -> tuple[str, Publication] | None:
    """Id and publication of the second run; nothing if nobody was put off, or gave an answer now. Tells Dagster what it read.

    If the API, the folder or a check fails here, the first publication stays, and the organisations are named. The caller holds the
    folder: `run` lets go of the working file, and nobody else may write between the two.
    """
    late, run.put_off = run.put_off, []  # a step that is repeated asks nobody for a third time
    if not late:
        return None
    context.log.info(
        f"Published without {counted(len(late), 'organisation')} that gave no answer; they are asked once more."
    )
    run.close()
    again = late_run(run)
    try:
        with again:
            publication = sync_late(again, late)
    except DcycleError as error:
        context.log.warning(f"Asking them once more failed: {error}")
        return None
    if publication is None:
        return None
    for event in events_of_tables(context, environment, again, publication):
        context.log_event(event)
    return again.run_id, publication
