"""The PostgreSQL of the tests of the destination, which Dagster's storage shares here."""

from tests.publish.postgres.conftest import postgres

__all__ = ["postgres"]
