"""The server: its own files and one socket, on 127.0.0.1 alone, for pages of its own origin that know its token."""

import asyncio
import errno
import hmac
import http
import logging
import secrets
import sys
from importlib import resources

try:
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.datastructures import Headers
    from websockets.exceptions import ConnectionClosed
    from websockets.http11 import Request, Response
except ImportError as error:
    raise ImportError('fastmlp.page needs websockets; install it with: pip install "fastmlp[page]"') from error

from . import protocol
from .door import LEFT_ALONE, Door
from .protocol import BadMessage
from .room import Room

ADDRESS = "127.0.0.1"
PORTS_TRIED = 50
MOST_CLIENTS = 16
HELLO_WITHIN = 5  # seconds
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Connection": "close",
}

SILENT = logging.getLogger("fastmlp.page")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


def static_files() -> dict[str, tuple[str, bytes]]:
    """{path: (content type, bytes)}: all that can be fetched."""
    files = {}
    for file in resources.files(__package__).joinpath("static").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind:
            files["/" if file.name == "index.html" else f"/{file.name}"] = f"{kind}; charset=utf-8", file.read_bytes()
    return files


class Server(Door):
    """Serves a room at a port, or at the next free one, until closed."""

    def __init__(self, room: Room, port: int, token: str | None = None, left_alone: float = LEFT_ALONE) -> None:
        super().__init__(room, left_alone)
        self._first_port = port
        self.token = token or secrets.token_urlsafe(24)
        self.files = static_files()
        self.connections = 0

    async def start(self) -> None:
        """Listen."""
        port = self._first_port
        for candidate in range(port, min(port + PORTS_TRIED, 65536)):
            try:
                self._listening = await serve(
                    self._talk, ADDRESS, candidate, process_request=self._answer, compression=None, server_header=None,
                    max_size=protocol.LARGEST_MESSAGE, max_queue=8, logger=SILENT, ping_interval=20, ping_timeout=20,
                )  # fmt: skip
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE or port == 0:
                    raise
        else:
            raise OSError(errno.EADDRINUSE, f"the ports {port} to {port + PORTS_TRIED - 1} are all in use")
        self.port = self._listening.sockets[0].getsockname()[1]
        self.hosts = {f"{name}:{self.port}" for name in (ADDRESS, "localhost")}
        self.origins = {f"http://{host}" for host in self.hosts}
        self.open()

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}/#token={self.token}"

    async def close(self) -> None:
        """End all connections, in order."""
        await self.shut()
        self._listening.close(code=1001, reason="the server has ended")
        await self._listening.wait_closed()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The response to a request, or None where it may become a socket."""
        if request.headers.get_all("Host") not in [[host] for host in self.hosts]:
            return _response(http.HTTPStatus.FORBIDDEN, "this host is not served here")
        if request.path == "/socket":
            if request.headers.get_all("Origin") not in [[origin] for origin in self.origins]:
                return _response(http.HTTPStatus.FORBIDDEN, "this origin may not connect")
            return None
        if getattr(request, "method", "GET") != "GET":  # older versions of websockets refuse other methods themselves
            return _response(http.HTTPStatus.METHOD_NOT_ALLOWED, "files are only read")
        if request.path not in self.files:
            return _response(http.HTTPStatus.NOT_FOUND, "there is no such file")
        kind, content = self.files[request.path]
        return _response(http.HTTPStatus.OK, content, kind)

    async def _talk(self, connection: ServerConnection) -> None:
        if self.connections >= MOST_CLIENTS:
            return await connection.close(1013, "too many tabs")
        self.connections += 1
        try:
            if await self._admit(connection):
                await self.serve(connection)
        except BadMessage as error:
            await connection.close(1008, str(error)[:100])
        except ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            print(f"fastmlp page: {type(error).__name__}: {error}", file=sys.stderr)
            await connection.close(1011, "the server failed")
        finally:
            self.connections -= 1

    async def _admit(self, connection: ServerConnection) -> bool:
        """Read the first message, which must hold the token; whether one came in time."""
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                message = await connection.recv()
        except TimeoutError:
            await connection.close(3008, "no token came in time")  # a slow browser tries again
            return False
        if not isinstance(message, str) or len(message) > 1000:
            raise BadMessage("the first message is no hello")
        hello = protocol.parse_order(message)
        token = protocol.text(hello, "token") if hello["type"] == "hello" else ""
        if not hmac.compare_digest(token.encode(errors="replace"), self.token.encode()):
            raise BadMessage("token")
        return True


def _response(status: http.HTTPStatus, content: str | bytes, kind: str = "text/plain; charset=utf-8") -> Response:
    body = content if isinstance(content, bytes) else f"{content}\n".encode()
    return Response(
        status.value, status.phrase, Headers({**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}), body
    )
