"""What PostgreSQL holds after a publication: each table of the file to the last digit, described, and what others built on it."""

import psycopg
import pytest
from psycopg import sql

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.publish.catalog import all_tables
from tests.publish.postgres.cluster import Cluster
from tests.publish.postgres.publications import Publications, sent_tables

RECORDS = "history.waste_water_treatments"
ONE = "waste_water_treatment_id = (SELECT min(waste_water_treatment_id) FROM dcycle.waste_water_treatments)"
WRITES = "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_all_tables"


def test_each_table_is_that_of_the_file_also_after_changes(publications: Publications) -> None:
    publications.send()
    publications.assert_sent()
    publications.change(
        f"UPDATE {RECORDS} SET co2e_kg = 9999999999999999999.123456789, record_label = NULL WHERE {ONE}",
        "DELETE FROM sync.lists WHERE facility_id IS NULL AND endpoint = 'total_impacts'",
        "UPDATE sync.lists SET finished_at = finished_at + INTERVAL 1 HOUR",
        "INSERT INTO sync.lists BY NAME SELECT * REPLACE ('another' AS run_id) FROM sync.lists",
        "DELETE FROM summaries.emissions_by_organization_year WHERE year = 2024",
        "UPDATE summaries.emissions_by_country_year SET co2e_kg = -co2e_kg",
    )
    publications.send()
    publications.assert_sent()


@pytest.mark.exhaustive
def test_tables_are_described_and_keyed(publications: Publications) -> None:
    publications.send()
    comments = dict(
        publications.query(
            """SELECT nspname || '.' || relname, obj_description(c.oid) FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = relnamespace WHERE relkind = 'r'"""
        )
    )
    assert [name for name in sent_tables() if not comments[name]] == []
    (nameless,) = publications.query(
        """SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
        WHERE nspname || '.' || relname = ANY(%s) AND attnum > 0 AND col_description(c.oid, attnum) IS NULL""",
        sent_tables(),
    )
    assert nameless == (0,)
    keys = dict(
        publications.query(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname LIKE '%\\_key'"
        )
    )
    declared = {table.qualified: ", ".join(table.key) for table in all_tables() if table.qualified in keys}
    assert set(declared) == set(sent_tables())
    assert keys["dcycle.facilities"] == "PRIMARY KEY (organization_id, facility_id)"
    assert keys["sync.lists"].startswith("UNIQUE NULLS NOT DISTINCT")
    assert [name for name, key in declared.items() if f"({key})" not in keys[name].replace('"', "")] == []


@pytest.mark.exhaustive
def test_only_what_changed_is_written(publications: Publications) -> None:
    publications.send()
    xmin = "SELECT waste_water_treatment_id, xmin::text FROM dcycle.waste_water_treatments"
    before = dict(publications.query(xmin))
    publications.change(f"UPDATE {RECORDS} SET co2e_kg = 1 WHERE {ONE}")
    publications.send()
    after = dict(publications.query(xmin))
    assert [name for name in after if after[name] != before[name]] == [min(after)]
    unchanged = "SELECT count(*) FILTER (WHERE xmin::text <> %s), count(*) FROM summaries.emissions_by_facility_month"
    ((written, count),) = publications.query(unchanged, before[max(before)])
    assert (written, count > 0) == (0, True)


@pytest.mark.exhaustive
def test_views_and_grants_of_others_survive(postgres: Cluster, publications: Publications) -> None:
    publications.send()
    role = postgres.new_role()
    publications.query(
        sql.SQL("GRANT USAGE ON SCHEMA dcycle TO {0}; GRANT SELECT ON dcycle.facilities TO {0}").format(
            sql.Identifier(role)
        )
    )
    publications.query("CREATE VIEW public.plants AS SELECT name FROM dcycle.facilities")
    publications.query("CREATE VIEW dcycle.their_own AS SELECT count(*) AS plants FROM dcycle.facilities")
    publications.change("DELETE FROM history.facilities WHERE facility_id = 'f-old'")
    publications.send()
    assert (
        publications.query("SELECT count(*) FROM public.plants")
        == publications.query("SELECT plants FROM dcycle.their_own")
        == [(3,)]
    )
    with psycopg.connect(postgres.url(publications.url.split("@/")[1].split("?")[0], role)) as reader:
        assert reader.execute("SELECT count(*) FROM dcycle.facilities").fetchall() == [(3,)]


@pytest.mark.exhaustive
def test_a_table_that_was_dropped_or_lost_a_column_is_filled_again(publications: Publications) -> None:
    publications.send()
    publications.query("DROP TABLE dcycle.facilities; ALTER TABLE summaries.coverage_gaps DROP COLUMN last_date")
    publications.send()
    there, here = publications.in_file(), publications.in_postgres()
    assert here["dcycle.facilities"] == there["dcycle.facilities"]
    column = "SELECT count(last_date) = count(*) FROM summaries.coverage_gaps"
    assert publications.query(column) == [(True,)]


@pytest.mark.exhaustive
def test_what_an_older_publication_lacks_is_emptied_and_comes_back(publications: Publications) -> None:
    publications.send()
    publications.query("CREATE VIEW public.rests_on_it AS SELECT * FROM summaries.scope_mapping")
    whole = publications.file.read_bytes()
    publications.change("DROP TABLE summaries.scope_mapping", "ALTER TABLE summaries.coverage_gaps DROP COLUMN days")
    publications.send()
    gone = "SELECT (SELECT count(*) FROM public.rests_on_it), (SELECT count(days) FROM summaries.coverage_gaps)"
    assert publications.query(gone) == [(0, 0)]
    publications.file.write_bytes(whole)
    publications.change()
    publications.send()
    publications.assert_sent()


def test_a_database_with_tables_of_others_is_left_alone(publications: Publications) -> None:
    publications.query("CREATE SCHEMA sync; CREATE TABLE sync.theirs (id int)")
    with pytest.raises(SettingsError, match=r"holds what is not the pipeline's: sync\.theirs\."):
        publications.send()
    assert publications.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dcycle%'") == []


@pytest.mark.exhaustive
def test_a_database_of_another_account_is_left_alone(publications: Publications) -> None:
    publications.send()
    publications.change("UPDATE sync.runs SET root_organization_id = 'another'")
    with pytest.raises(
        SettingsError, match=r"holds data of root organisation 1111.* and this publication is of another"
    ):
        publications.send()


@pytest.mark.exhaustive
def test_only_the_publication_that_the_file_shows_may_go_back(publications: Publications) -> None:
    older = publications.delivery()
    publications.change()
    publications.send()
    publications.run_id, publications.published_at = older.run_id, older.published_at
    with pytest.raises(SettingsError, match="already has a newer publication, of run run-"):
        publications.send()
    (publications.file,) = DataFolder(publications.settings().data_dir).published_snapshots()  # as after a rollback
    publications.send()
    publications.assert_sent()
    assert publications.query("SELECT run_id FROM dcycle_delivery.publication") == [(older.run_id,)]
