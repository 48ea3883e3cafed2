"""What the stand-ins spoken to over HTTP have in common: one server, one stage, and their sums."""

from collections.abc import Mapping
from typing import Self

from alertd.sandbox.faults import Faults
from alertd.sandbox.ledger import Ledger
from alertd.sandbox.server import HttpServer
from alertd.sandbox.stage import Stage


class HttpProvider:
    """A `Provider` but for its name and `read`. Whoever keeps more than the ledger does adds `sums` and `forget`."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._stage = Stage()
        self.forget()

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def authority(self) -> str:
        """host:port."""
        return f"{self._server.host}:{self.port}"

    @property
    def connections(self) -> int:
        return self._server.connections

    @property
    def ledger(self) -> Ledger:
        return self._stage.ledger

    @property
    def faults(self) -> Faults:
        return self._stage.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._stage.faults = faults

    def sums(self) -> Mapping[str, object]:
        """What is counted besides the ledger."""
        return {}

    def forget(self) -> None:
        """What was kept besides the ledger."""

    def stats(self) -> dict[str, object]:
        return {**self.ledger.stats(), **self.sums()}

    def clear(self) -> None:
        self._stage.clear()
        self.forget()
