"""Callers: which connection speaks for which gateway, and how far that gateway has come.

A connection is named by its ZeroMQ routing id, which means nothing; `hello` binds it to a
gateway of the catalogue. A gateway has one connection at a time, the one that said hello last:
after a link has died silently the old one may linger for seconds, and must not be answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine import wire
from engine.journal import Journal
from engine.wire import FrameFault

NO_SESSION = -1


@dataclass(slots=True)
class Caller:
    """A gateway of the catalogue: its connection, if any, and its place in its sequence."""

    gateway: str
    sensor_count: int
    peer: bytes = b""
    session: int = NO_SESSION
    durable: int = 0
    appended: int = 0
    heard_ns: int = wire.INT64_MIN

    @property
    def expected(self) -> int:
        """The sequence number of the next frame."""
        return self.appended + 1


class Callers:
    """All gateways of the catalogue, and the connections that are theirs."""

    __slots__ = ("_bound", "_gateways", "_journal")

    def __init__(self, sensor_counts: Mapping[str, int], journal: Journal) -> None:
        """Know the gateways by name, with their manifests' lengths and their durable places."""
        self._journal = journal
        self._bound: dict[bytes, Caller] = {}
        self._gateways = {name: Caller(name, count) for name, count in sensor_counts.items()}
        for caller in self._gateways.values():
            self.set_back(caller)

    def of(self, peer: bytes) -> Caller | None:
        """Return the gateway for which a connection speaks."""
        return self._bound.get(peer)

    def identify(self, peer: bytes, gateway: str) -> Caller:
        """Return the gateway a connection says it is; FrameFault E_IDENTITY when it may not be."""
        bound = self._bound.get(peer)
        if bound is not None and bound.gateway != gateway:
            self.unbind(bound)
            text = f"this connection was {bound.gateway}'s; it cannot speak for another gateway"
            raise FrameFault(wire.E_IDENTITY, text)
        caller = self._gateways.get(gateway)
        if caller is None:
            text = f"gateway {ascii(gateway)[:60]} is not in the catalogue"
            raise FrameFault(wire.E_IDENTITY, text)
        return caller

    def bind(self, peer: bytes, caller: Caller) -> None:
        """Let a connection speak for a gateway, and an earlier one no longer."""
        self.unbind(caller)
        caller.peer = peer
        self._bound[peer] = caller

    def unbind(self, caller: Caller) -> None:
        """Let the gateway's connection, if it has one, speak for it no longer."""
        self._bound.pop(caller.peer, None)
        caller.peer = b""

    def set_back(self, caller: Caller) -> None:
        """Set a gateway's place to what the journal has durable."""
        place = self._journal.durable_place(caller.gateway)
        caller.session, caller.durable = (NO_SESSION, 0) if place is None else place
        caller.appended = caller.durable

    def live_count(self, since_ns: int) -> int:
        """Return how many connected gateways have been heard since an instant."""
        return sum(caller.heard_ns >= since_ns for caller in self._bound.values())
