"""Notify: tells the service manager that the engine is ready, alive or stopping.

The protocol of systemd: one datagram to the socket that it names. Without a service manager
nothing is sent and nothing is wrong.
"""

from __future__ import annotations

import os
import socket
from typing import Final

US_PER_S: Final = 1_000_000
READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


def notify(state: str, status: str = "") -> bool:
    """Send a state, with a line for `systemctl status`; False when nobody wants to know."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    lines = f"{state}\nSTATUS={status}" if status else state
    # A leading @ stands for the zero byte of Linux's abstract names.
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.sendto(lines.encode(), name)
    return True


def watchdog_s() -> float | None:
    """How often to say ALIVE: half of the time after which systemd restarts us; or None."""
    period = os.environ.get("WATCHDOG_USEC", "")
    is_ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(period) / US_PER_S / 2 if period.isdecimal() and is_ours else None
