"""The sending process is killed at each of its steps: PostgreSQL holds the old state or the new one, and the next publication heals it."""

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.properties.places import Place
from tests.publish.postgres.publications import Publications

RECORDS = "history.waste_water_treatments"
CHILD = """
import pickle, signal, sys
from tests.properties.places import die_at
from dcycle_pipeline.publish.postgres import send
from dcycle_pipeline.publish.delivery import Delivery
place, words = pickle.load(sys.stdin.buffer)
from dcycle_pipeline.settings import load
delivery = Delivery(words[0], load(**words[1]), *words[2:])
die_at(place, signal.SIGKILL)
send(delivery)
"""
PLACES = [
    Place("publish/postgres/sending.py", "noted.tables_of_ours"),
    Place("publish/postgres/sending.py", "noted.refuse", after=True),
    Place("publish/postgres/rows.py", "copy.write_row(row)", nth=20),
    Place("publish/postgres/rows.py", "_delete(connection, change.relation", nth=3, after=True),
    Place("publish/postgres/rows.py", "_update(connection, change.relation)", nth=3, after=True),
    Place("publish/postgres/rows.py", "_insert(connection, change.relation)", nth=4, after=True),
    Place("publish/postgres/sending.py", "rows.send_last_seen", nth=10, after=True),
    Place("publish/postgres/sending.py", "noted.note_parts", nth=4),
    Place("publish/postgres/sending.py", "noted.note(", after=True),
    Place("psycopg/connection.py", "self.wait(self._commit_gen())"),
    Place("psycopg/connection.py", "self.wait(self._commit_gen())", after=True),
]
FIRST = [
    Place("publish/postgres/sending.py", "noted.refuse"),
    Place("publish/postgres/structure.py", "_add_key(connection, relation, key)", nth=5),
    Place("publish/postgres/sending.py", "rows.fill", nth=9, after=True),
    Place("publish/postgres/sending.py", "row_security.protect", nth=12),
]


def kill(publications: Publications, place: Place) -> None:
    delivery = publications.delivery()
    words = {
        "api_key": "k" * 20,
        "organization_id": "o",
        "data_dir": delivery.settings.data_dir,
        "postgres_url": publications.url,
    }
    sent = pickle.dumps(
        (place, (delivery.snapshot, words, delivery.run_id, delivery.published_at, delivery.content_hash))
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run([sys.executable, "-c", CHILD], input=sent, cwd=root, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_killed_on_the_way(publications: Publications, place: Place) -> None:
    publications.send()
    before = publications.in_postgres()
    publications.change(
        f"UPDATE {RECORDS} SET co2e_kg = co2e_kg + 0.000000001",
        "DELETE FROM history.facilities WHERE facility_id = 'f-old'",
        "UPDATE sync.lists SET pages_count = pages_count + 1, finished_at = finished_at + INTERVAL 1 HOUR",
        "INSERT INTO sync.lists BY NAME SELECT * REPLACE ('another' AS run_id) FROM sync.lists",
        "DELETE FROM summaries.emissions_by_organization_year",
    )
    kill(publications, place)
    assert publications.in_postgres() in (before, publications.in_file())
    publications.send()
    publications.assert_sent()


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", FIRST, ids=str)
def test_killed_in_the_first_publication_of_all(publications: Publications, place: Place) -> None:
    kill(publications, place)
    assert (
        publications.query("SELECT nspname FROM pg_namespace WHERE nspname IN ('dcycle', 'sync', 'dcycle_delivery')")
        == []
    )
    publications.send()
    publications.assert_sent()
