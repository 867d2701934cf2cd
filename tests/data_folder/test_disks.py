"""Disks without hard links, symbolic links, locks or permissions: a sync works there too, and `doctor` names what they lack."""

import errno
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import variables
from tests.properties.aftermath import Scene, contents, left_over, said_as_json
from tests.properties.disks import CHMOD, FLOCK, LINK, SYMLINK, SYNC_FOLDER
from tests.properties.nursery import Death, Life
from tests.properties.places import Place

HALF_LANDED = Place("landing/files.py", "os.replace(self._beside, self.path)", 5, after=True)
# Whatever the number, the same is done instead. All numbers of all functions were tried once; each costs three seconds.
DISKS = [
    (
        (LINK, errno.EPERM),
        (SYMLINK, errno.EPERM),
        (FLOCK, errno.ENOLCK),
        (CHMOD, errno.EPERM),
        (SYNC_FOLDER, errno.EINVAL),
    ),
    ((LINK, errno.ENOSYS), (SYMLINK, errno.ENOSYS)),
    *(((LINK, number),) for number in (errno.EPERM, errno.EMLINK, errno.EXDEV)),
    *(((SYMLINK, number),) for number in (errno.EPERM, errno.ENOTSUP)),
    *(((FLOCK, number),) for number in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL)),
    *(((CHMOD, number),) for number in (errno.EPERM, errno.ENOTSUP)),
    *(((SYNC_FOLDER, number),) for number in (errno.EINVAL, errno.ENOTSUP)),
]
NAMES = {LINK: "hard links", SYMLINK: "symbolic links", FLOCK: "locks", CHMOD: "permissions", SYNC_FOLDER: "folders"}


def named(disk: tuple[tuple[str, int], ...]) -> str:
    return " ".join(f"{name} {errno.errorcode[number]}" for name, number in disk)


def command(stage: Scene, life: Life, *words: str) -> Life:
    return replace(life, words=words, environment=variables(stage.sandbox, life.settings["data_dir"]))


def went_well(death: Death) -> None:
    assert (death.signal, death.exit_code, "Traceback" in death.said) == (0, 0, False), death.said


@pytest.mark.exhaustive
@pytest.mark.parametrize("disk", DISKS, ids=named)
def test_a_disk_that_lacks_something_holds_a_data_folder(
    stage: Scene, tmp_path: Path, disk: tuple[tuple[str, int], ...]
) -> None:
    folder = stage.copy(tmp_path / "data")
    life = stage.life(folder, refused=disk)
    assert stage.children.run(life, place=HALF_LANDED).killed
    stage.asked()
    went_well(stage.children.run(command(stage, life, "sync")))
    assert {name for _, kind, name in stage.asked() if kind == "waste_water_treatments"} != {
        "f-large",
        "f-old",
        "f-new",
        "f-north",
        "f-later",
    }
    # In a file called dcycle, DuckDB takes the schema of that name for the file.
    assert contents(shutil.copy(folder / "dcycle_warehouse.duckdb", tmp_path / "seen.duckdb")) == stage.after
    assert left_over(folder, stage.children.temporary) == []
    assert (folder / "dcycle_warehouse.duckdb").is_symlink() == (SYMLINK not in dict(disk))
    went_well(stage.children.run(command(stage, life, "replay")))
    went_well(stage.children.run(command(stage, life, "rollback")))
    listed = said_as_json(stage.children.run(command(stage, life, "rollback", "--list", "--json")).said)["snapshots"]
    assert [snapshot["shown"] for snapshot in listed] == [False, True, False]
    told = stage.children.run(command(stage, life, "doctor", "--json"))
    warned = " ".join(each["what"] for each in said_as_json(told.said)["findings"] if each["level"] == "warn")
    assert [name for name, _ in disk if NAMES[name] not in warned] == []


HOLDER = """
import sys, pathlib
from tests.properties.disks import refuse
refuse([("fcntl.flock", int(sys.argv[2]))])
from dcycle_pipeline.data_folder import DataFolder
with DataFolder(pathlib.Path(sys.argv[1])).writing("the sync of Ana"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.exhaustive
def test_without_locks_of_the_system_still_only_one_run_writes(stage: Scene, tmp_path: Path) -> None:
    folder = stage.copy(tmp_path / "data")
    life = command(stage, stage.life(folder, refused=((FLOCK, errno.ENOLCK),)), "sync")
    words = [sys.executable, "-c", HOLDER, str(folder), str(errno.ENOLCK)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        refused = stage.children.run(life)
        holder.kill()
    assert (refused.exit_code, "the sync of Ana" in refused.said) == (3, True), refused.said
    went_well(stage.children.run(life))
    assert not (folder / "working" / "lock.soft").exists()
