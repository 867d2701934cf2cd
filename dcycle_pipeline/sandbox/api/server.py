"""The sandbox as a running server: in a thread for programs, in the foreground for people.

What it answers belongs to `app`.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Set
from types import TracebackType

import uvicorn

from dcycle_pipeline.sandbox.api.app import API_KEY, EMAIL, NO_BEHAVIOUR, PASSWORD, SandboxApp, create_app
from dcycle_pipeline.sandbox.api.service import RequestSeen
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.faults.deformations import APPROVER
from dcycle_pipeline.sandbox.world.world import World


class _ThreadServer(uvicorn.Server):
    """A uvicorn server that ends at once. uvicorn's own takes up to 0.3 s, which is longer than many a test."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        assert self._leave is not None
        while not self._leave.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        # In one round of the loop the protocols notice. A slow answer that still runs is cancelled with the loop.
        await asyncio.sleep(0)

    def leave(self) -> None:
        if self._loop is not None and self._leave is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._leave.set)


class Sandbox:
    """Serves a world at `base_url` until the `with` block ends, in a thread of this process.

    `api_key` opens every organisation, each of `organization_keys` only those named with it. Port 0 takes a free one.
    Leaving the block raises RuntimeError if the sandbox itself failed while it answered.

    >>> world = World("org-1", "Holding X")
    >>> with Sandbox(world, Behaviour(max_size=50)) as sandbox:
    ...     print(sandbox.base_url)
    ...     world.add_facility("org-1", id="facility-1")
    ...     sandbox.behaviour = Behaviour(denied={"facility-1": 403})
    http://127.0.0.1:...
    'facility-1'
    """

    def __init__(
        self,
        world: World,
        behaviour: Behaviour = NO_BEHAVIOUR,
        *,
        api_key: str = API_KEY,
        organization_keys: Mapping[str, Set[str]] | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        email: str = EMAIL,
        password: str = PASSWORD,
    ) -> None:
        self.api_key, self.email, self.password = api_key, email, password
        self._app = create_app(
            world, behaviour, api_key=api_key, organization_keys=organization_keys, email=email, password=password
        )
        self._socket = _listening_socket(host, port)
        self._server = _ThreadServer(_config(self._app))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True, name="sandbox")
        self.base_url = _address(host, self._socket)

    def __enter__(self) -> "Sandbox":
        self._thread.start()
        while not self._server.ready.wait(0.5):
            if not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.leave()
        self._thread.join(timeout=10)
        if error is None and self._app.service.crashes:
            raise RuntimeError("the sandbox itself failed while answering") from self._app.service.crashes[0]

    @property
    def world(self) -> World:
        """The world that is served; another one may be assigned."""
        return self._app.service.world

    @world.setter
    def world(self, world: World) -> None:
        self._app.service.world = world

    @property
    def behaviour(self) -> Behaviour:
        """How requests are answered. Another one may be assigned; its faults and mutations count from zero."""
        return self._app.service.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._app.service.adopt(behaviour)

    @property
    def requests(self) -> list[RequestSeen]:
        """The requests since the start or since `clear_requests`, in the order of their answers."""
        return list(self._app.service.requests)

    def clear_requests(self) -> None:
        """Forgets the requests noted so far."""
        self._app.service.requests.clear()

    def personal_strings(self) -> set[str]:
        """Names, e-mails and signed addresses of the world and of the undocumented fields: no file may show them."""
        return self.world.personal_strings() | set(APPROVER.values())


def serve(
    world: World,
    behaviour: Behaviour = NO_BEHAVIOUR,
    host: str = "127.0.0.1",
    port: int = 8321,
    *,
    api_key: str = API_KEY,
    organization_keys: Mapping[str, Set[str]] | None = None,
    email: str = EMAIL,
    password: str = PASSWORD,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serves a world until the process is interrupted; calls `on_ready` with the base URL when it accepts connections.

    The keys are those of `Sandbox`. Raises OSError if the port cannot be used.
    """
    app = create_app(
        world, behaviour, api_key=api_key, organization_keys=organization_keys, email=email, password=password
    )
    listener = _listening_socket(host, port)
    if on_ready is not None:
        on_ready(_address(host, listener))
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(_config(app)).run([listener])


def _config(app: SandboxApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        # Faults are on purpose: uvicorn must not report them as errors.
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the application has a clock of its own
        timeout_graceful_shutdown=1,
    )


def _listening_socket(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


def _address(host: str, listener: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"
