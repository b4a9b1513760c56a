"""Endpoints: which addresses an engine without link security may bind.

Without CURVE the `gateway` field of a hello is believed. So `security: none` is accepted only
where nobody but this machine can connect: loopback, ipc:// and inproc://.
"""

import ipaddress
import re
from typing import Final

TCP = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+):(?P<port>[0-9]{1,5}|\*)")
HTTP = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+):(?P<port>[0-9]{1,5})")
OPEN_HINT: Final = "use tcp://127.0.0.1:PORT or ipc://PATH"

# (code, message, help)
Wrong = tuple[str, str, str]


def endpoint_fault(text: str) -> Wrong | None:
    """Return what is wrong with a ZeroMQ address to bind without link security, or None."""
    for scheme in ("ipc://", "inproc://"):
        if text.startswith(scheme):
            if len(text) > len(scheme):
                return None
            return "E610", f"`{text}` names nothing", f"such as {scheme}tocsin-intake"
    found = TCP.fullmatch(text)
    if found is None or not _is_port(found["port"]):
        return "E610", f"`{text}` is not a ZeroMQ address", "such as tcp://127.0.0.1:7700"
    if not is_loopback(found["host"]):
        message = f"`security: none` cannot be bound to `{found['host']}`: anybody could send"
        return "E611", message, OPEN_HINT
    return None


def http_fault(text: str) -> Wrong | None:
    """Return what is wrong with the address of the HTTP port, or None."""
    found = HTTP.fullmatch(text)
    if found is None or not _is_port(found["port"]):
        return "E610", f"`{text}` is not HOST:PORT", "such as 127.0.0.1:7710"
    if not is_loopback(found["host"]):
        message = f"`security: none` cannot be bound to `{found['host']}`: anybody could read"
        return "E611", message, "use 127.0.0.1:PORT"
    return None


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a host name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text == "*" or int(text) <= 65535
