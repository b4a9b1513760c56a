"""Operations: machines learn how the engine is, and can do nothing else; logs and notices."""

import io
import json
import os
import socket
import time
from http.client import HTTPConnection

import pytest
import structlog

from engine import logs, notify
from engine.errors import UnreachableError
from engine.logs import BURST, KINDS_MAX, WINDOW_S, Repeats
from engine.meters import Meters
from engine.operations import AT_ONCE_MAX, Operations


@pytest.fixture
def checks():
    return {"journal": lambda: "", "publisher": lambda: ""}


@pytest.fixture
def address(checks):
    operations = Operations("127.0.0.1:0", Meters(("methane",)), checks)
    operations.start()
    yield operations.address
    operations.stop()


def ask(address, path, method="GET", body=None, headers=None):
    link = HTTPConnection(address, timeout=5)
    link.request(method, path, body, headers or {})
    response = link.getresponse()
    text = response.read().decode()
    link.close()
    return response.status, text


def test_the_process_answers(address):
    assert ask(address, "/livez") == (200, "ok\n")
    assert ask(address, "/livez", "HEAD") == (200, "")


def test_ready_only_when_every_check_holds(address, checks):
    """A service manager or a person decides by this; a failed check names itself."""
    assert ask(address, "/readyz") == (200, "ready\n")
    assert ask(address, "/readyz?verbose")[1] == "[+] journal: ok\n[+] publisher: ok\nready\n"
    checks["journal"] = lambda: "no room on /var/lib"
    checks["publisher"] = lambda: 1 // 0
    status, text = ask(address, "/readyz")
    assert status == 503
    assert "[-] journal: no room on /var/lib\n" in text
    assert "[-] publisher: the check itself failed: ZeroDivisionError" in text


def test_metrics_are_there(address):
    status, text = ask(address, "/metrics")
    assert status == 200
    assert 'tocsin_readings_total{outcome="folded",type="methane"} 0.0' in text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/readyz/../x", "/../../etc/passwd"])
def test_no_other_path_exists(address, path):
    assert ask(address, path)[0] == 404


def test_nothing_can_be_sent(address):
    """There is nothing to change here, so nothing is read."""
    assert ask(address, "/livez", "POST", "x")[0] == 413
    assert ask(address, "/livez", "POST")[0] == 404
    assert ask(address, "/livez", "PUT")[0] == 501
    assert ask(address, "/livez", body="x" * 10)[0] == 413
    assert ask(address, "/livez", headers={"Content-Length": "abc"})[0] == 413
    assert ask(address, "/" + "x" * 70_000)[0] == 414


def test_many_idle_clients_do_not_grow_the_engine(address):
    """Each place is given back; those beyond the last are closed at once."""
    host, port = address.split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(AT_ONCE_MAX + 3)]
    refused = socket.create_connection((host, int(port)))
    refused.settimeout(5)
    assert refused.recv(1) == b""
    for link in (*idle, refused):
        link.close()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert ask(address, "/livez")[0] == 200
            break
        except OSError:
            assert time.monotonic() < deadline


def test_a_taken_port_is_named(address):
    with pytest.raises(UnreachableError, match=f"{address}: Address already in use"):
        Operations(address, Meters(()), {})


def test_the_service_manager_hears_of_us(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.notify(notify.READY)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    assert notify.notify(notify.READY, "3 gateways")
    assert manager.recv(100) == b"READY=1\nSTATUS=3 gateways"
    manager.close()


@pytest.mark.parametrize(
    ("period", "process", "wanted"),
    [("", "", None), ("10000000", "", 5.0), ("10000000", "1", None), ("x", "", None)],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(period, process, wanted, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", period)
    monkeypatch.setenv("WATCHDOG_PID", process or str(os.getpid()))
    assert notify.watchdog_s() == wanted


@pytest.fixture
def restored():
    yield
    structlog.reset_defaults()


def test_a_line_is_json_and_says_who_and_when(restored):
    out = io.StringIO()
    logs.configure("json", out=out)
    logs.logger("intake").warning("frame refused", gateway="G-1", code="E_CRC")
    logs.logger("intake").debug("not shown")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert line.pop("timestamp").endswith("Z")
    wanted = {"event": "frame refused", "room": "intake", "gateway": "G-1", "code": "E_CRC"}
    assert line == {**wanted, "level": "warning"}


def test_a_console_line_is_for_people(restored):
    out = io.StringIO()
    logs.configure("console", out=out)
    logs.logger("run").info("ready", gateways=3)
    assert "ready" in out.getvalue()
    assert "gateways=3" in out.getvalue()


def test_what_repeats_is_held_and_counted():
    """One mad gateway may not hide the line of another."""
    now = [0.0]
    repeats = Repeats(lambda: now[0])

    def log(**line):
        try:
            return repeats(None, "warning", {"event": "refused", **line})
        except structlog.DropEvent:
            return None

    shown = [log(gateway="G-1", seq=seq) for seq in range(100)]
    assert [line is not None for line in shown] == [True] * BURST + [False] * (100 - BURST)
    assert log(gateway="G-2") is not None
    now[0] = WINDOW_S
    assert log(gateway="G-1")["held"] == 100 - BURST
    assert "held" not in log(gateway="G-1")
    for _ in range(BURST):
        log(gateway="G-1")
    assert repeats.rest() == [("refused", 2)]
    assert repeats.rest() == []


def test_the_kinds_of_lines_that_are_remembered_are_bounded():
    repeats = Repeats(lambda: 0.0)
    for number in range(3 * KINDS_MAX):
        repeats(None, "info", {"event": str(number)})
    assert len(repeats.kinds) == KINDS_MAX
