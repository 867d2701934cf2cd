"""What earlier runs left and nobody needs any more: half-written files, empty folders, damaged working files."""

from datetime import UTC, datetime, timedelta

from dcycle_pipeline.data_folder import DAMAGED_STAMP, DataFolder, delete
from dcycle_pipeline.landing import forgetting
from dcycle_pipeline.publish import snapshots

# A person may want to look into a damaged working file; nothing else does.
KEEP_DAMAGED = 2
KEEP_DAMAGED_FOR = timedelta(days=30)


def delete_leftovers(folder: DataFolder, now: datetime) -> None:
    """Delete what killed runs left half-written, and damaged working files but the newest of the last days.

    The caller holds the folder for writing and writes nothing yet.
    """
    for path in folder.left_over():
        delete(path)
    snapshots.forget_unfinished(folder)
    forgetting.delete_leftovers(folder.landing)
    damaged = folder.damaged()
    for moment in damaged:
        is_old = datetime.strptime(moment, DAMAGED_STAMP).replace(tzinfo=UTC) < now - KEEP_DAMAGED_FOR
        if is_old or moment not in list(damaged)[-KEEP_DAMAGED:]:
            for path in damaged[moment]:
                delete(path)
