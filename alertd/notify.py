"""sd_notify(3): what systemd is told of the daemon's life. Silent where there is no systemd."""

import os
import socket
import time

LISTEN_FDS_START = 3  # sd_listen_fds(3)


class Notifier:
    """`address` is $NOTIFY_SOCKET; None or empty makes every call do nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        """With Type=notify-reload systemd waits for READY after this, and wants the monotonic time."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(message.encode(), self._address)
        except OSError:
            return  # the service manager went away: that is no reason to stop warning people


def watchdog_interval() -> float | None:
    """Half of WatchdogSec in seconds, where systemd watches this very process."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not micros.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(micros) / 2_000_000


def inherited_sockets() -> list[socket.socket]:
    """The listening sockets of a socket unit (sd_listen_fds), if this process was given any."""
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit():
        return []
    return [socket.socket(fileno=fd) for fd in range(LISTEN_FDS_START, LISTEN_FDS_START + int(count))]
