"""Bare: a receiver that acknowledges every frame and does nothing else.

It is the floor of the throughput: what sender, sockets and interpreter allow before a byte is
checked, written or judged. `python -m bench.bare ENDPOINT FRAMES`.
"""

import sys

import zmq

from engine import wire

CREDIT = 32
FRAME_BYTES_MAX = 8 << 20


def main() -> int:
    """Serve one sender until it has sent so many frames."""
    endpoint, frame_count = sys.argv[1], int(sys.argv[2])
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(endpoint)
    seen = 0
    while seen < frame_count:
        peer, header, body = socket.recv_multipart(copy=False)
        fields = wire.unpack_header(header.bytes)
        if fields["t"] == "hello":
            answer = wire.welcome(
                "bare", 0, credit=CREDIT, frame_bytes_max=FRAME_BYTES_MAX, now_ns=0
            )
        else:
            assert len(body.buffer) == fields["size"]
            seen += 1
            answer = wire.ack(seen, CREDIT)
        socket.send_multipart([peer.bytes, answer, b""])
    socket.close(1000)
    context.term()
    return 0


if __name__ == "__main__":
    sys.exit(main())
