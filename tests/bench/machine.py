"""Where it was measured: the machine and the versions of everything that took part."""

import os
import platform
import re
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tests.acceptance.town import ROOT

_PEERS = ROOT / "tests" / "bench" / "peers" / "node_modules"
_PYTHON = ("aiohttp", "cryptography", "uvloop", "uvicorn", "pywebpush", "aiosmtplib", "python-telegram-bot", "apprise")
_NODE = ("web-push", "nodemailer")
_NUMBER = re.compile(r"\d+\.\d+[\w.+~-]*")
_PROGRAMS: dict[str, Sequence[str]] = {
    "nginx": ("nginx", "-v"),
    "h2load (nghttp2)": ("h2load", "--version"),
    "Node.js": ("node", "--version"),
    "Postfix (smtp-sink, smtp-source)": ("postconf", "-d", "mail_version"),
    "Mosquitto": ("mosquitto", "-h"),
    "Prometheus Alertmanager": ("prometheus-alertmanager", "--version"),
}
_ABSENT = "not here"


def machine() -> dict[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "processor": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "memory": f"{_kibibytes() / (1 << 20):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "OpenSSL (Python's)": ssl.OPENSSL_VERSION}
    found |= {name: _program(argv) for name, argv in _PROGRAMS.items()}
    found |= {name: _python(name) for name in _PYTHON}
    found |= {f"npm {name}": _node(name) for name in _NODE}
    return found


def _program(argv: Sequence[str]) -> str:
    path = shutil.which(argv[0]) or shutil.which(argv[0], path="/usr/sbin:/sbin")
    if path is None:
        return _ABSENT
    said = subprocess.run([path, *argv[1:]], capture_output=True, text=True, timeout=10, check=False)
    number = _NUMBER.search(said.stdout + said.stderr)
    return number[0] if number else "?"


def _python(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return _ABSENT


def _node(name: str) -> str:
    description = _PEERS / name / "package.json"
    found = re.search(r'"version":\s*"([^"]+)"', description.read_text()) if description.exists() else None
    return found[1] if found else _ABSENT


def _line(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _kibibytes() -> int:
    return int(_line("/proc/meminfo", "MemTotal").split()[0])
