"""The locked requirements: hashed, agreeing with each other, and free of any registry's address."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt")


def pins(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", line):
            found.setdefault(match[1], set()).add(match[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_no_address_and_every_pin_hashed(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links|@ file", text)
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        assert "==" in block.splitlines()[0]
        assert "--hash=sha256:" in block


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_the_developers_lock_agrees(name: str) -> None:
    dev = pins("requirements-dev.txt")
    assert {package: dev.get(package) for package in pins(name)} == pins(name)
