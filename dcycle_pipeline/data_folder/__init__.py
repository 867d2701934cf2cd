"""The data folder: where things are, what in it is ours, whose data it holds, and who may write in it now.

What the files hold belongs to `landing`, `warehouse` and `publish`.
"""

from dcycle_pipeline.data_folder.files import (
    beside,
    copy_anew,
    delete,
    file_name,
    link_or_copy,
    make_folders,
    sync_folder,
    write_whole,
)
from dcycle_pipeline.data_folder.folder import DataFolder
from dcycle_pipeline.data_folder.ours import (
    DAMAGED_STAMP,
    DRAFT,
    FORGOTTEN,
    LOGS,
    PUBLISHED,
    WAREHOUSE,
    is_link_of_ours,
    is_run,
    is_within,
)

__all__ = [
    "DAMAGED_STAMP",
    "DRAFT",
    "FORGOTTEN",
    "LOGS",
    "PUBLISHED",
    "WAREHOUSE",
    "DataFolder",
    "beside",
    "copy_anew",
    "delete",
    "file_name",
    "is_link_of_ours",
    "is_run",
    "is_within",
    "link_or_copy",
    "make_folders",
    "sync_folder",
    "write_whole",
]
