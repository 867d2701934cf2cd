"""The part of the check-up that looks at the destinations beside the published file: whether each that is set could get one."""

from collections.abc import Iterator

from dcycle_pipeline.cli.diagnosis import Diagnosis
from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.publish import destinations
from dcycle_pipeline.settings import Settings


def examine_destinations(loaded: Settings) -> Iterator[Diagnosis]:
    """Each destination that is set, tried without data; nothing if none is set."""
    try:
        chosen = destinations.chosen(loaded)
    except SettingsError as error:
        yield Diagnosis("error", "destinations", str(error))
        return
    for name, destination in chosen.items():
        try:
            yield Diagnosis("ok", f"destination {name}", destination.attempt(loaded))
        except SettingsError as error:
            yield Diagnosis("error", f"destination {name}", str(error))
        except DcycleError as error:
            advice = "a sync publishes the file all the same, and sends again each time"
            yield Diagnosis("down", f"destination {name}", str(error), advice)
