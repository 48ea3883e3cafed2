"""What every test may ask for on the command line."""

import gc
import os
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest
import structlog
import trustme

# How fast a machine is says nothing about the program.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """What a test is to trust, it makes itself. The machine's 150 authorities, which every TLS context reads anew (40 ms),
    are replaced by one that signs nothing, here and in every process started from here."""
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist has it from its parent
        return
    folder = tempfile.TemporaryDirectory(prefix="alertd-trust-")
    config.add_cleanup(folder.cleanup)
    trustme.CA().cert_pem.write_to_path(f"{folder.name}/nobody.pem")
    os.environ.update(SSL_CERT_FILE=f"{folder.name}/nobody.pem", SSL_CERT_DIR=folder.name)


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
