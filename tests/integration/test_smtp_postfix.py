"""Against a real Postfix with a queue of its own: PIPELINING and CHUNKING as the most used relay means them."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alertd.domain.delivery import Accepted, Gone, Reason
from tests.support.mail_stand import mail, parcels, send

POSTFIX = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MASTER = Path("/etc/postfix/master.cf.proto")

pytestmark = pytest.mark.skipif(
    POSTFIX is None or not MASTER.exists() or os.geteuid() != 0, reason="needs Postfix, and root to run it"
)

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
meta_directory = /etc/postfix
maillog_file = {home}/log
maillog_file_prefixes = /tmp
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
default_transport = discard:
smtpd_recipient_restrictions = check_recipient_access regexp:{home}/etc/refused, permit_mynetworks, reject
"""


class Relay:
    """`said` is its log."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port

    @property
    def said(self) -> str:
        return (self.home / "log").read_text()

    def wait_for(self, count: int, what: str) -> None:
        end = time.monotonic() + 60
        while self.said.count(what) < count:
            assert time.monotonic() < end, self.said[-2_000:]
            time.sleep(0.05)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with tempfile.TemporaryDirectory(prefix="postfix-", dir="/tmp") as name:
        home = Path(name)
        home.chmod(0o755)
        port, command = _started(home)
        try:
            yield Relay(home, port)
        finally:
            subprocess.run([*command, "stop"], check=True, capture_output=True, timeout=30)


def _started(home: Path) -> tuple[int, list[str]]:
    """Its port, and how to command it. Tried three times: somebody else may be given the port between."""
    for attempt in range(3):
        place = home / str(attempt)
        port = _installed(place)
        command = [str(POSTFIX), "-c", str(place / "etc")]
        tried = subprocess.run([*command, "start"], check=False, capture_output=True, text=True, timeout=60)
        if tried.returncode == 0:
            (home / "log").symlink_to(place / "log")
            return port, command
        subprocess.run([*command, "abort"], check=False, capture_output=True, timeout=30)
    log = place / "log"
    raise AssertionError(f"Postfix does not start: {tried.stderr}{log.read_text() if log.exists() else ''}")


def _installed(home: Path) -> int:
    """A configuration for this test alone; the port it will listen on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    for folder in (home, home / "etc", home / "queue", home / "data"):
        folder.mkdir()
        folder.chmod(0o755)  # whatever the umask: Postfix changes its user
    os.chown(home / "data", pwd.getpwnam("postfix").pw_uid, -1)
    (home / "etc/main.cf").write_text(MAIN.format(home=home))
    (home / "etc/refused").write_text("/^citizen[0-9]*7@/ 550 5.1.1 no such mailbox\n")
    services = re.sub(r"(?m)^smtp +inet.*$", f"127.0.0.1:{port} inet n - n - - smtpd", MASTER.read_text())
    (home / "etc/master.cf").write_text(re.sub(r"(?m)^(\S+ +\S+ +\S+ +\S+ +)y", r"\1n", services))  # no chroot
    for more in ("dynamicmaps.cf", "postfix-files", "post-install"):
        shutil.copy(Path("/etc/postfix") / more, home / "etc")
    return port


async def test_refusals_in_the_middle_of_bursts(relay: Relay) -> None:
    for settings, verb in (({}, "bdat="), ({"chunking": False}, "data=")):
        before = relay.said.count("status=sent")
        async with mail(relay.port, connections=3, timeout=30, **settings) as adapter:
            verdicts, _ = await send(adapter, parcels(100))
        refused = {number for number, verdict in verdicts.items() if verdict == Gone(Reason.UNSUBSCRIBED)}
        accepted = {number for number, verdict in verdicts.items() if isinstance(verdict, Accepted)}
        assert refused == {number for number in range(1, 101) if number % 10 == 7}
        assert len(accepted) == 90
        relay.wait_for(before + 90, "status=sent")
        to = re.findall(r"to=<citizen(\d+)@example\.org>.*status=sent", relay.said)[before:]
        assert sorted(map(int, to)) == sorted(accepted)
        relay.wait_for(1, verb)
