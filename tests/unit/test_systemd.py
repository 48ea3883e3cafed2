"""The unit files: as closed as they claim to be, and true to what the daemon does."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICE = UNITS / "alertd.service"
MOST_EXPOSED = 1.5

needs_tool = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")


def unit(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


@needs_tool
def test_exposure() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(SERVICE)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"exposure level for alertd\.service: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze cannot judge offline: {done.stderr.strip()}")
    assert float(found[1]) <= MOST_EXPOSED, done.stdout


@needs_tool
def test_the_units_are_well_formed(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/alertd/bin/alertd", "/bin/true")
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "alertd.service"), str(tmp_path / "alertd.socket")],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "alertd" in line]
    assert not ours


def test_the_watchdog_and_the_stop_leave_the_daemon_its_time() -> None:
    service = unit(SERVICE)["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 20
    assert int(service["TimeoutStopSec"]) > 30, "drain and flush take up to 30 s"
    assert service["DynamicUser"] == "yes"


def test_who_works_ahead_may_step_back() -> None:
    filters = re.findall(r"^SystemCallFilter=(.*)$", SERVICE.read_text(), re.MULTILINE)
    denied = next(n for n, names in enumerate(filters) if names.startswith("~") and "@resources" in names)
    assert "setpriority" in filters[denied + 1 :]


def test_the_socket_listens_where_the_configuration_says() -> None:
    socket = unit(UNITS / "alertd.socket")["Socket"]
    assert socket["ListenStream"] == "127.0.0.1:8470"
