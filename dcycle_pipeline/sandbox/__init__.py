"""A Dcycle API of our own: an HTTP server with invented data that follows the documentation, or misbehaves on demand.

`World` holds the data, `Behaviour` says how requests are answered, `Sandbox` serves both. Three rooms, each of which
imports only those before it: `world`, `faults`, `api`. The pipeline's own modules do not belong here, and the sandbox
imports none of them: it checks the pipeline, so it shares no code with it.
"""

from dcycle_pipeline.sandbox.api.app import API_KEY, EMAIL, PASSWORD, create_app
from dcycle_pipeline.sandbox.api.server import Sandbox, serve
from dcycle_pipeline.sandbox.api.service import RequestSeen
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.faults.deformations import APPROVER, DEFORMATIONS
from dcycle_pipeline.sandbox.faults.matching import FAULT_KINDS, Fault
from dcycle_pipeline.sandbox.faults.switches import parse_behaviour
from dcycle_pipeline.sandbox.world.corrections import a_month_later
from dcycle_pipeline.sandbox.world.holding import demo_world
from dcycle_pipeline.sandbox.world.mutations import Mutation
from dcycle_pipeline.sandbox.world.world import World

__all__ = [
    "API_KEY",
    "APPROVER",
    "DEFORMATIONS",
    "EMAIL",
    "FAULT_KINDS",
    "PASSWORD",
    "Behaviour",
    "Fault",
    "Mutation",
    "RequestSeen",
    "Sandbox",
    "World",
    "a_month_later",
    "create_app",
    "demo_world",
    "parse_behaviour",
    "serve",
]
