"""What every test may ask for on the command line."""

import gc
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

# How fast a machine is says nothing about the program.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _log_as_found() -> Iterator[None]:
    """A test that starts the program configures its log; the next one must not find it."""
    yield
    structlog.reset_defaults()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="run the long campaigns too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Campaigns are left out rather than skipped one by one: there are a thousand, and every skip costs its set-up."""
    if config.getoption("--campaign"):
        return
    long = [item for item in items if item.get_closest_marker("campaign")]
    items[:] = [item for item in items if not item.get_closest_marker("campaign")]
    config.hook.pytest_deselected(items=long)


def pytest_collection_finish() -> None:
    """The test modules stay until the end: no garbage collection need look through all of them again."""
    gc.collect()
    gc.freeze()
