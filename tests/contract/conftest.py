from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.guests import GUESTS, TIMEOUT, Guest
from tests.contract.stand import Stand, stand_for


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One authority and one VAPID key for the whole run: making them is slow."""
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(params=GUESTS, ids=lambda guest: guest.name)
def guest(request: pytest.FixtureRequest) -> Guest:
    found: Guest = request.param
    return found


@pytest.fixture
async def stand(guest: Guest, folder: Path) -> AsyncIterator[Stand]:
    """With time enough that a slow machine is not taken for a slow provider."""
    async with stand_for(guest, folder) as opened:
        yield opened


@pytest.fixture
async def hasty(guest: Guest, folder: Path) -> AsyncIterator[Stand]:
    """With the small timeout, for those tests that wait for it."""
    async with stand_for(guest, folder, timeout=TIMEOUT) as opened:
        yield opened
