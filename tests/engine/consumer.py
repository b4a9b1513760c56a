"""A stranger's consumer: written from the wire contract alone, with zmq and msgpack.

Nothing of the engine is imported here. Other tests use it as the outside world.
"""

import time

import msgpack
import zmq


class Silence(Exception):
    """Nothing came in time."""


class Consumer:
    """Listens at the live socket and asks at the replay socket."""

    def __init__(self, warnings, replay, prefix=""):
        self.context = zmq.Context()
        self.sub = self.context.socket(zmq.SUB)
        self.dealer = self.context.socket(zmq.DEALER)
        for socket in (self.sub, self.dealer):
            socket.setsockopt(zmq.LINGER, 0)
        self.sub.setsockopt(zmq.RCVHWM, 0)
        self.sub.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        if prefix:
            self.sub.setsockopt(zmq.SUBSCRIBE, b"heartbeat")
        self.sub.connect(warnings)
        self.dealer.connect(replay)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy(linger=0)

    def receive(self, timeout_s=5.0):
        """The next live message, heartbeats included: (topic, body)."""
        if not self.sub.poll(timeout_s * 1000):
            raise Silence
        topic, body = self.sub.recv_multipart()
        return topic.decode(), msgpack.unpackb(body)

    def heartbeat(self, timeout_s=5.0):
        """The body of the next heartbeat; then the live socket is surely connected."""
        until = time.monotonic() + timeout_s
        while True:
            topic, body = self.receive(until - time.monotonic())
            if topic == "heartbeat":
                return body

    def messages(self, count, timeout_s=10.0):
        """The next `count` live messages without the heartbeats: [(topic, body)]."""
        until, found = time.monotonic() + timeout_s, []
        while len(found) < count:
            topic, body = self.receive(max(until - time.monotonic(), 0))
            if topic != "heartbeat":
                found.append((topic, body))
        return found

    def ask(self, **fields):
        """Send one request; returns at once."""
        self.dealer.send(msgpack.packb({"v": 1, **fields}))

    def answer(self, timeout_s=5.0):
        """The next part of an answer: (header, body or None)."""
        if not self.dealer.poll(timeout_s * 1000):
            raise Silence
        header, *body = self.dealer.recv_multipart()
        assert len(body) <= 1
        return msgpack.unpackb(header), msgpack.unpackb(body[0]) if body else None

    def replay(self, first=1, count=1_000_000, match=""):
        """One request: ([(topic, body)], end)."""
        self.ask(t="replay", **{"from": first, "max": count, "match": match})
        items = []
        while True:
            header, body = self.answer()
            if header["t"] != "item":
                return items, header
            items.append((header["topic"], body))

    def everything(self, first=1, match=""):
        """As many requests as it takes: [(topic, body)] up to what is live now."""
        items = []
        while True:
            some, end = self.replay(first, match=match)
            assert end["t"] == "end", end
            items += some
            first = end["next"]
            if first > end["live"]:
                return items

    def seen(self, consumer, seq):
        """Store a position."""
        self.ask(t="seen", consumer=consumer, seq=seq)

    def where(self, consumer):
        """Ask for a position."""
        self.ask(t="where", consumer=consumer)
        header, _ = self.answer()
        return header["seq"]
