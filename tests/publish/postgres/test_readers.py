"""Readers of PostgreSQL see the state before or after a publication, and neither wait for it nor make it wait."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from dcycle_pipeline.errors import UnavailableError
from tests.publish.postgres.publications import Publications

RECORDS = "history.waste_water_treatments"
# A publication under eight readers takes a second of both processors; with this variable there are 200.
COUNT = int(os.environ.get("POSTGRESQL_PUBLICATIONS", "30"))
# Publication n has n in all of its records, and n records and n runs more than the first.
STATE = """SELECT min(water_in_m3), max(water_in_m3), count(*), (SELECT max(requests_count) FROM sync.runs),
    (SELECT count(*) FROM sync.runs), (SELECT max(co2e_kg) FROM summaries.emissions_by_country_year)
    FROM dcycle.waste_water_treatments"""
READER = f"""
import select, sys, psycopg
url, first, kept = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
STATE = '''{STATE}'''
seen, reads, latest = set(), 0, -1
def ended():  # between two questions, as a tool would; eight that ask without a pause would leave the sender no processor
    return select.select([sys.stdin], [], [], 0.05)[0]
def check(row):
    least, most, records, requests, runs, kilograms = map(int, row)
    assert (least, most, records, runs, kilograms) == (requests, requests, first + requests, requests + 3, requests), row
    return requests
with psycopg.connect(url, autocommit=True) as connection:
    connection.execute("SET lock_timeout = '5s'")
    print('ready', flush=True)
    while not ended():
        if not kept:
            now = check(connection.execute(STATE).fetchone())
        else:
            with connection.transaction():
                connection.execute('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ')
                now = check(connection.execute(STATE).fetchone())
                with psycopg.connect(url, autocommit=True) as other:
                    while not ended() and check(other.execute(STATE).fetchone()) < now + kept:
                        assert check(connection.execute(STATE).fetchone()) == now
        assert now >= latest
        latest, reads = now, reads + 1
        seen.add(now)
print(reads, len(seen), flush=True)
"""


def publish(publications: Publications, number: int) -> None:
    """A publication whose parts all say its number."""
    publications.change(
        f"UPDATE {RECORDS} SET water_in_m3 = {number} WHERE valid_to IS NULL",
        f"""INSERT INTO {RECORDS} BY NAME SELECT * REPLACE (waste_water_treatment_id || '-{number}' AS waste_water_treatment_id)
        FROM {RECORDS} ORDER BY length(waste_water_treatment_id), 1 LIMIT {int(number > 0)}""",
        f"UPDATE summaries.emissions_by_country_year SET co2e_kg = {number}",
        f"UPDATE sync.runs SET requests_count = {number}",
    )
    publications.send()


@contextmanager
def readers(publications: Publications, first: int, kept: list[int]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that read until the block ends: one an entry, which is over how many publications it holds a transaction."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", READER, publications.url, str(first), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in kept
    ]
    try:
        for reader in running:
            assert reader.stdout
            assert reader.stdout.readline() == "ready\n", reader.stderr and reader.stderr.read()
        yield running
    finally:
        for reader in running:
            reader.kill()
            reader.wait()


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("count", "kept"),
    [(10, [0, 3]), (COUNT, [0, 0, 0, 0, 2, 5, 20, 200])],
)
def test_readers_see_before_or_after_never_a_mix_nor_a_gap(
    publications: Publications, count: int, kept: list[int]
) -> None:
    with_runs = "SELECT count(*) FROM dcycle.waste_water_treatments"
    publications.change(f"DELETE FROM {RECORDS} WHERE valid_to IS NOT NULL", "DELETE FROM sync.runs WHERE rowid > 0")
    publish(publications, 0)
    ((first,),) = publications.query(with_runs)
    with readers(publications, first, kept) as running:
        for number in range(1, count + 1):
            publish(publications, number)
            if number % 50 == 0 or number == count:
                publications.assert_sent()
        for reader in running:
            output, errors = reader.communicate("\n")
            assert reader.returncode == 0, errors
            reads, seen = map(int, output.split())
            assert reads >= seen > 0


@pytest.mark.exhaustive
def test_a_reader_that_holds_a_transaction_neither_blocks_a_publication_nor_sees_it(publications: Publications) -> None:
    publications.send()
    count = "SELECT count(*) FROM dcycle.facilities"
    with psycopg.connect(publications.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert reader.execute(count).fetchall() == [(4,)]
        publications.change("DELETE FROM history.facilities WHERE facility_id = 'f-old'")
        publications.send()
        assert reader.execute(count).fetchall() == [(4,)]
    assert publications.query(count) == [(3,)]


@pytest.mark.exhaustive
def test_new_columns_wait_for_a_long_transaction_only_a_moment(publications: Publications) -> None:
    publications.send()
    publications.query("ALTER TABLE summaries.coverage_gaps DROP COLUMN last_date")
    before = publications.in_postgres()["sync.runs"]
    publications.change()
    with psycopg.connect(publications.url) as reader:
        reader.execute("SELECT count(*) FROM summaries.coverage_gaps")
        with pytest.raises(UnavailableError, match="a table that has to get new columns: end its transaction"):
            publications.send()
        assert publications.in_postgres()["sync.runs"] == before
    publications.send()
    assert publications.in_postgres()["sync.runs"] == publications.in_file()["sync.runs"]
