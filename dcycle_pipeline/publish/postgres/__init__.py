"""The destination `postgres`: the current tables, the summaries, `bi` and `sync` of a publication in a PostgreSQL database.

This is its only door. The driver takes 0.1 s to load, so nothing of it is loaded before something is sent.
"""

from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.settings import Settings


def send(delivery: Delivery) -> None:
    """Make the tables in PostgreSQL those of the snapshot, in one transaction. Only parts that changed are sent.

    Raises SettingsError if the database, its privileges or what is in it must change first, UnavailableError if it fails otherwise.
    Then the database holds what it held before.
    """
    from dcycle_pipeline.publish.postgres.sending import send_publication  # noqa: PLC0415 - see above

    send_publication(delivery)


def attempt(settings: Settings) -> str:
    """What was found at DCYCLE_POSTGRES_URL, in one line: a database that could be written. It writes nothing. Raises what `send` does."""
    from dcycle_pipeline.publish.postgres.connection import examine  # noqa: PLC0415 - see above

    return examine(settings)
