"""Many gauges at one broker, in a process of their own: `python -m tests.bench.gauges PORT SENSORS COUNT RATE`.

COUNT readings of SENSORS gauges in turn, RATE a second by the clock (late ones are made up for), QoS 1, over one
connection and without a library, so that whoever is measured has the machine. All are below 2 m but the very last, of
gauge 0, which is 3 m. Prints one JSON object once the broker acknowledged every one of them.
"""

import json
import select
import socket
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from struct import pack

TICK = 0.005
_MOST_WAITING = 1 << 18
_PATIENCE = 120.0
_ACK = 4  # bytes of a PUBACK


def reading(number: int, sensors: int, level: float, micros: int) -> bytes:
    """A PUBLISH of QoS 1 (MQTT 3.1.1, 3.3). `micros`: when it was measured, in microseconds since 1970."""
    topic = b"stations/g%d/level" % (number % sensors)
    body = b'{"station":"g%d","level":%.3f,"id":"%d-%d","at":"%s.%06dZ"}' % (
        number % sensors,
        level,
        micros,
        number,
        _second(micros // 1_000_000),
        micros % 1_000_000,
    )
    rest = pack(">H", len(topic)) + topic + pack(">H", number % 65_535 + 1) + body
    return b"\x32" + bytes([len(rest) & 0x7F | 0x80, len(rest) >> 7]) + rest


@lru_cache(maxsize=4)
def _second(since_1970: int) -> bytes:
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def publish(port: int, sensors: int, count: int, rate: float) -> dict[str, float]:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06gauges")
        answer = sock.recv(4)
        assert answer[:2] == b"\x20\x02", answer
        assert not answer[3], answer
        sock.setblocking(False)
        began = time.monotonic()
        sent = acked = 0
        waiting = b""
        while acked < count * _ACK:
            due = min(count, int((time.monotonic() - began) * rate))
            made = []
            while sent < due and len(waiting) < _MOST_WAITING:
                sent += 1
                level = 3.0 if sent == count else 1 + sent * 7919 % 1000 / 1000
                made.append(reading(sent if sent < count else 0, sensors, level, time.time_ns() // 1000))
                if len(made) >= 500:
                    break
            waiting += b"".join(made)
            if waiting:
                try:
                    waiting = waiting[sock.send(waiting) :]
                except BlockingIOError:
                    pass
            readable, _, _ = select.select([sock], [], [], 0 if sent < due else TICK)
            if readable:
                got = sock.recv(1 << 16)
                assert got, "the broker closed the connection"
                acked += len(got)
            assert time.monotonic() - began < count / rate + _PATIENCE, f"{acked // _ACK} of {count} acknowledged"
        return {"count": sent, "seconds": time.monotonic() - began, "cpu": time.process_time()}


if __name__ == "__main__":
    print(json.dumps(publish(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))))
