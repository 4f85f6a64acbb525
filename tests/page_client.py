"""A page's other end for tests: raw requests, and a client that speaks the protocol through websockets."""

import contextlib
import json
import socket
import struct

import numpy as np
from websockets.sync.client import connect


def request(page, path="/", method="GET", headers=None):
    """(status, headers as a list of (lower-case name, value), body) of a raw request with exactly these headers."""
    headers = [("Host", f"127.0.0.1:{page.port}")] if headers is None else headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if received.startswith(b"HTTP/1.1 101"):
                break
    if not received:  # closed without a word
        return None, [], b""
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    return int(status.split()[1]), [(n.lower(), v.strip()) for n, _, v in (f.partition(":") for f in fields)], body


def upgrade(page, *origins, host=None):
    """The headers of a request for the socket."""
    return [
        ("Host", host or f"127.0.0.1:{page.port}"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
        *(("Origin", origin) for origin in origins),
    ]  # fmt: skip


def parse(message):
    """A frame's header, its arrays among its fields."""
    (length,) = struct.unpack_from("<I", message)
    header, offset = json.loads(message[4 : 4 + length]), 4 + length
    for name, dtype, count in header.pop("arrays"):
        array = np.frombuffer(message, np.dtype(dtype).newbyteorder("<"), count, offset)
        header[name] = array
        offset += -(-array.nbytes // 8) * 8
    return header


def frame(header, content=b""):
    encoded = json.dumps(header).encode()
    encoded += b" " * (-(4 + len(encoded)) % 8)
    return struct.pack("<I", len(encoded)) + encoded + content


class Tab:
    """A client that has shown its token; acknowledges updates, and keeps what they said."""

    def __init__(self, page, token=None, hello=True):
        self._closing = contextlib.ExitStack()
        address = f"127.0.0.1:{page.port}"
        connecting = connect(
            f"ws://{address}/socket", origin=f"http://{address}", compression=None, max_size=2**26, close_timeout=1
        )
        self.socket = self._closing.enter_context(connecting)
        self.known, self.sequence, self.refusals, self.updates = {}, 0, [], 0
        if hello:
            self.order("hello", token=page.token if token is None else token)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._closing.close()

    close = __exit__

    def order(self, kind, **fields):
        self.socket.send(json.dumps({"type": kind, **fields}))

    def receive(self, timeout=20):
        message = self.socket.recv(timeout=timeout)
        parsed = json.loads(message) if isinstance(message, str) else parse(message)
        if parsed["type"] == "update":
            self.known.update(parsed)
            self.updates += 1
            self.order("ack")
        if parsed["type"] == "refused":
            self.refusals.append(parsed["text"])
        return parsed

    def until(self, condition):
        """Receive until condition(what is known) holds."""
        while not (self.known and condition(self.known)):
            self.receive()
        return self.known

    def answer(self, kind):
        while (received := self.receive())["type"] != kind:
            pass
        return received

    def refusal(self):
        before = len(self.refusals)
        while len(self.refusals) == before:
            self.receive()
        return self.refusals[-1]

    def draw(self, values):
        values = np.ascontiguousarray(values)
        self.sequence += 1
        dtype = "u1" if values.dtype == np.uint8 else "f8"
        content = values.tobytes() if dtype == "u1" else values.astype("<f8").tobytes()
        self.socket.send(frame({"type": "input", "sequence": self.sequence, "dtype": dtype}, content))
        while (received := self.answer("activations"))["sequence"] != self.sequence:
            pass
        return received

    def load(self, content):
        self.socket.send(frame({"type": "load"}, content))

    def closed(self):
        """(code, reason) once the server has closed the connection."""
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                self.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason
