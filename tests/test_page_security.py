"""Who may speak to the page's server, and what becomes of bad messages: from raw sockets and through a client."""

import json
import socket

import numpy as np
import pytest

import fastmlp

pytest.importorskip("websockets")

from page_client import Tab, frame, request, upgrade

from fastmlp.page import Page


@pytest.fixture(scope="module")
def page():
    page = Page(fastmlp.MLP([784, 4, 10], output_activation="sigmoid", seed=0, input_scale=255), port=0, loader=lambda: None)
    yield page
    page.close()


def test_it_listens_on_the_loopback_address_alone(page):
    for *_, address in socket.getaddrinfo(socket.gethostname(), page.port, socket.AF_INET, socket.SOCK_STREAM):
        if not address[0].startswith("127."):
            with pytest.raises(OSError), socket.create_connection(address[:2], timeout=1):
                pass
    assert page.url == f"http://127.0.0.1:{page.port}/#token={page.token}" and len(page.token) >= 32


@pytest.mark.parametrize("path", ["/", "/main.js", "/style.css", "/nothing"])
def test_every_response_forbids_everything_but_itself(page, path):
    status, headers, _ = request(page, path)
    fields = dict(headers)
    assert status == (404 if path == "/nothing" else 200)
    policy = fields["content-security-policy"]
    assert policy.startswith("default-src 'none';") and "frame-ancestors 'none'" in policy
    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert sources == {"'none'", "'self'"}
    assert fields["x-content-type-options"] == "nosniff" and fields["cache-control"] == "no-store"
    assert fields["cross-origin-opener-policy"] == fields["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in fields and "access-control-allow-origin" not in fields


@pytest.mark.parametrize("path", [
    "/../server.py", "/static/main.js", "/%2e%2e/server.py", "//main.js", "/main.js?x", "/main.js/",
    "/server.py", "/index.html",
])  # fmt: skip
def test_only_the_table_of_files_is_served(page, path):
    assert request(page, path)[0] == 404


@pytest.mark.parametrize("hosts", [
    [], ["evil.example"], ["127.0.0.1"], ["127.0.0.1:1"], ["evil.example:{port}"],
    ["127.0.0.1:{port}", "127.0.0.1:{port}"],
    ["127.0.0.1:{port}", "evil.example"], ["127.0.0.1:{port}, evil.example"], ["[::1]:{port}"], ["127.1:{port}"],
    ["localhost:{port}."],
])  # fmt: skip
def test_another_host_is_refused(page, hosts):
    headers = [("Host", host.format(port=page.port)) for host in hosts]
    assert request(page, headers=headers)[0] == 403
    others = [header for header in upgrade(page, f"http://127.0.0.1:{page.port}") if header[0] != "Host"]
    assert request(page, "/socket", headers=headers + others)[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}"])
def test_its_own_hosts_and_origins_are_served(page, host):
    host = host.format(port=page.port)
    assert request(page, headers=[("Host", host)])[0] == 200
    assert request(page, "/socket", headers=upgrade(page, f"http://{host}", host=host))[0] == 101


@pytest.mark.parametrize("origins", [
    [], ["null"], ["http://evil.example"], ["https://127.0.0.1:{port}"], ["http://127.0.0.1"], ["http://127.0.0.1:1"],
    ["http://127.0.0.1:{port}.evil.example"], ["http://127.0.0.1:{port}/"], ["http://evil.example:{port}"],
    ["http://127.0.0.1:{port}", "http://127.0.0.1:{port}"], ["http://127.0.0.1:{port}", "null"],
])  # fmt: skip
def test_another_origin_gets_no_socket(page, origins):
    origins = [origin.format(port=page.port) for origin in origins]
    assert request(page, "/socket", headers=upgrade(page, *origins))[0] == 403


def test_an_origin_is_not_compared_with_the_host(page):
    headers = upgrade(page, f"http://evil.example:{page.port}", host=f"evil.example:{page.port}")
    assert request(page, "/socket", headers=headers)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "HEAD"])
def test_other_methods_are_refused(page, method):
    status, _, body = request(page, method=method)
    assert (status is None or status >= 400) and b"Traceback" not in body


@pytest.mark.parametrize("first", [
    {"type": "hello", "token": "wrong"}, {"type": "hello"}, {"type": "hello", "token": None},
    {"type": "hello", "token": ["x"]},
    {"type": "step"}, {"type": "hello", "token": "ü" * 50}, {"type": "hello", "token": "x" * 2000}, [], 1, "text",
])  # fmt: skip
def test_the_first_message_must_hold_the_token(page, first):
    with Tab(page, hello=False) as tab:
        tab.socket.send(json.dumps(first))
        code, reason = tab.closed()
        assert code == 1008 and page.token not in reason


def test_a_binary_first_message_is_refused(page):
    with Tab(page, hello=False) as tab:
        tab.socket.send(frame({"type": "hello", "token": page.token}))
        assert tab.closed()[0] == 1008


BAD = [
    "", "{", "null", "[]", '"text"', "{}", '{"type": 1}',
    '{"type": "nothing"}',
    '{"type": "__class__"}', "[" * 100_000, '{"type": "undo", "x": NaN}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": NaN}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": Infinity}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": 1e300}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": 1e999}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": true}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": "1"}',
    '{"type": "turn", "layer": 0, "neuron": 0, "bias": 1' + "0" * 400 + "}",
    '{"type": "turn", "layer": 2, "neuron": 0, "bias": 1}',
    '{"type": "turn", "layer": -1, "neuron": 0, "bias": 1}',
    '{"type": "turn", "layer": 0, "neuron": 4, "bias": 1}',
    '{"type": "turn", "layer": 0.0, "neuron": 0, "bias": 1}',
    '{"type": "turn", "layer": 0, "neuron": 0, "inputs": [784], "weights": [1]}',
    '{"type": "turn", "layer": 0, "neuron": 0, "inputs": [0], "weights": []}',
    '{"type": "turn", "layer": 0, "neuron": 0, "inputs": 0}',
    '{"type": "turn", "layer": 0, "neuron": 0, "inputs": [0], "weights": [1e300]}',
    '{"type": "scale", "layer": 0, "neuron": 0}',
    '{"type": "settings", "learning_rate": -1}',
    '{"type": "settings", "learning_rate": 1e39}',
    '{"type": "settings", "optimizer": "lbfgs"}',
    '{"type": "settings", "optimizer": ["sgd"]}',
    '{"type": "settings", "batch_size": 0}',
    '{"type": "settings", "batch_size": 1e1}',
    '{"type": "settings", "steps_per_second": 7}',
    '{"type": "settings", "pause_after": 0}',
    '{"type": "fresh", "seed": -1}',
    '{"type": "fresh", "seed": 4294967296}',
    '{"type": "fresh"}',
    '{"type": "train", "running": 1}',
    '{"type": "rebuild", "hidden_sizes": [0], "activation": "relu", "seed": 0}',
    '{"type": "rebuild", "hidden_sizes": 16, "activation": "relu", "seed": 0}',
    '{"type": "rebuild", "hidden_sizes": [16], "activation": "softmax", "seed": 0}',
    '{"type": "rebuild", "hidden_sizes": [16], "activation": "__import__", "seed": 0}',
    '{"type": "lines", "mode": "both"}',
    '{"type": "neuron", "layer": 0}',
    '{"type": "hello", "token": "again"}',
    b"",
    b"abc",
    b"\xff\xff\xff\xff", frame({"type": "input"}),
    frame({"type": "input", "sequence": 1, "dtype": "O"}),
    frame({"type": "input", "sequence": -1, "dtype": "u1"}, bytes(784)),
    frame({"type": "input", "sequence": 1, "dtype": "f8"}, bytes(7)),
    frame({"type": "input", "sequence": 1, "dtype": "f8"}, np.full(784, 1e300).tobytes()),
    frame({"type": "input", "sequence": 1, "dtype": "f8"}, np.full(784, np.nan).tobytes()),
    frame({"type": "anything"}),
]  # fmt: skip


@pytest.mark.parametrize("message", BAD, ids=lambda message: str(message)[:60])
def test_a_bad_message_closes_with_1008_and_changes_nothing(page, message, capfd):
    before = page.net.hash()
    with Tab(page) as tab:
        tab.until(lambda known: "network" in known)
        tab.socket.send(message)
        code, reason = tab.closed()
    assert code == 1008 and reason and "Traceback" not in reason
    assert page.net.hash() == before and capfd.readouterr().err == ""


def test_an_input_of_another_length_is_refused_but_not_one_for_the_network_before(page):
    with Tab(page) as tab:
        structure = tab.until(lambda known: "network" in known)["structure"]
        tab.socket.send(frame({"type": "input", "sequence": 1, "dtype": "u1", "structure": structure - 1}, bytes(5)))
        assert len(tab.draw(np.zeros(784, np.uint8))["activations"]) == 784 + 4 + 10
        tab.socket.send(frame({"type": "input", "sequence": 1, "dtype": "u1", "structure": structure}, bytes(5)))
        assert tab.closed()[0] == 1008


def test_too_many_tabs_are_turned_away_and_too_long_messages_too(page):
    from fastmlp.page import protocol
    from fastmlp.page.server import MOST_CLIENTS

    tabs = [Tab(page) for _ in range(MOST_CLIENTS)]
    try:
        for tab in tabs:
            tab.until(lambda known: "network" in known)
        with Tab(page, hello=False) as late:
            assert late.closed()[0] == 1013
        tabs[0].socket.send(bytes(protocol.LARGEST_MESSAGE + 1))
        assert tabs[0].closed()[0] == 1009
    finally:
        for tab in tabs:
            tab.close()


def test_a_taken_port_means_the_next_one(page):
    other = Page(fastmlp.MLP([2, 2, 1], seed=0), port=page.port)
    try:
        assert page.port < other.port < page.port + 50 and request(other)[0] == 200
    finally:
        other.close()


def test_no_free_port_is_an_error(page, monkeypatch):
    from fastmlp.page import server

    monkeypatch.setattr(server, "PORTS_TRIED", 1)
    with pytest.raises(OSError, match="in use"):
        Page(fastmlp.MLP([2, 2, 1], seed=0), port=page.port)
