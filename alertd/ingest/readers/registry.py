"""Every reader by the name a source gives it in the configuration."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from alertd.domain.signal import Heard
from alertd.ingest.readers.received import Options, Received


class Reader(NamedTuple):
    """A reader's options and its function: `read(payload, config, received)`, which never raises."""

    config: type[Options]
    read: Callable[[bytes, Any, Received], Heard]


MODULES: Final[Mapping[str, str]] = {
    "alertmanager": "alertmanager",
    "cap": "cap",
    "chirpstack": "chirpstack",
    "dpc": "dpc",
    "ingv": "ingv",
    "json_path": "json_path",
    "mapped": "mapped",
    "meteoalarm": "meteoalarm",
    "number": "plain_number",
    "sensorthings": "sensorthings",
    "the_things_stack": "the_things_stack",
    "webhook": "mapped",
}
"""Name to module. An index of CAP messages (`cap_feed.entries`) is not among them: what it lists is yet to be fetched,
and the CAP behind it is `alertd.cap`'s to read."""


def reader(name: str) -> Reader:
    """The reader of that name, imported when first asked for, so that the library of a source nobody configured is
    never needed. Raises KeyError for an unknown name, ImportError where its library is not installed."""
    module = import_module(f"alertd.ingest.readers.{MODULES[name]}")
    return Reader(module.Config, module.read)
