"""The recipes for tools run as they stand in the chapter, each tool in an environment of its own, and show the figures of the next sync."""

import csv
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.docs.markdown import CHAPTERS
from tests.export.conftest import PENDING, Account

# Each installs its tool from the package registry.
pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]


def recipes(name: str) -> list[str]:
    """The code of a recipe, as it stands in the chapter."""
    text = CHAPTERS["bi"].text
    return re.findall(rf"^<!-- recipe: {name} -->\n```[a-z]+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(account: Account, folder: Path, *commands: str) -> str:
    """What shell commands say on stdout, run in the folder as a user does whose environment is `.venv`."""
    if not (folder / ".venv").exists():
        (folder / ".venv").symlink_to(sys.prefix)
    environment = os.environ | account.environment | {"HOME": str(folder), "DO_NOT_TRACK": "1"}
    script = "\n".join(commands)
    said = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def test_dbt_builds_tests_and_answers_and_so_after_a_sync(whole_account: Account, tmp_path: Path) -> None:
    (recipe,) = recipes("dbt")
    said = run(whole_account, tmp_path, recipe)
    assert re.search(r"PASS=\d+ WARN=0 ERROR=0 SKIP=0", said)
    assert "Holding X" in said
    assert answer(whole_account, tmp_path) == {
        ("2023", "DE"): ("6000", "0.5", ""),
        ("2023", "ES"): ("12000", "1", ""),
        ("2024", "DE"): ("6120", "0.51", "0.02"),
        ("2024", "ES"): ("12120", "1.01", "0.01"),
        ("2025", "DE"): ("5720", "0.52", ""),  # a month is pending
        ("2025", "ES"): ("12240", "1.02", "0.00990099"),
    }
    for kilograms, expected in (("520", ("6240", "0.52", "0.019607843")), ("1120", ("6840", "0.57", "0.117647059"))):
        whole_account.world.recalculate_record(PENDING, kilograms)
        whole_account.invoke("sync")
        assert answer(whole_account, tmp_path)["2025", "DE"] == expected
    run(
        whole_account,
        tmp_path,
        ".venv/bin/dcycle-pipeline export dbt dcycle_dbt",
        "cd dcycle_dbt",
        "../dbt/bin/dbt parse",
    )


def answer(account: Account, folder: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """What MetricFlow answers, by year and country."""
    metrics = "sum_co2e_kg,co2e_kg_per_m3_in,co2e_kg_year_on_year"
    asked = f"mf query --metrics {metrics} --group-by metric_time__year,facility_key__country_code --csv ../answer.csv"
    run(account, folder, "cd dcycle_dbt", f"../dbt/bin/{asked} --decimals 9")
    with (folder / "answer.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {(year[:4], country): tuple(map(_short, values)) for year, country, *values in rows}


def _short(value: str) -> str:
    return f"{Decimal(value).normalize():f}" if value else ""


def test_the_command_line_of_duckdb_shows_the_years(whole_account: Account, tmp_path: Path) -> None:
    (recipe,) = recipes("duckdb")
    said = run(whole_account, tmp_path, recipe.replace(" -c ", " -csv -c "))
    assert said.splitlines()[:2] == ["year,co2e_t", "2023,18.000000000000"]
    kept = run(whole_account, tmp_path, *recipe.replace(" -c ", " -csv -c ").splitlines()[1:])
    whole_account.invoke("sync")
    assert run(whole_account, tmp_path, *recipe.replace(" -c ", " -csv -c ").splitlines()[1:]) == kept


def test_harlequin_answers_and_only_reads(whole_account: Account, tmp_path: Path) -> None:
    ((install, start),) = (recipe.splitlines() for recipe in recipes("harlequin"))
    run(whole_account, tmp_path, install)
    # What belongs to it answers without a terminal, by the same adapter and with the same arguments.
    asked = start.replace("/harlequin ", "/hsql ")
    said = run(whole_account, tmp_path, f"{asked} --csv -c 'SELECT facility FROM bi.facilities ORDER BY facility'")
    assert said.split() == ["facility", "f-north", "f-south", "not", "known"]
    with pytest.raises(AssertionError, match="read-only"):
        run(whole_account, tmp_path, f"{asked} -c 'CREATE TABLE bi.mine AS SELECT 1'")
