"""What every stand-in has, so that the sandbox, the control door and the tests treat them alike."""

from typing import Protocol, Self

from alertd.sandbox.faults import Faults
from alertd.sandbox.ledger import Ledger


class Provider(Protocol):
    """An `async with` server on one loopback port; `port` is known once entered."""

    @property
    def name(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def connections(self) -> int:
        """How many are up now."""
        ...

    @property
    def ledger(self) -> Ledger: ...

    @property
    def faults(self) -> Faults: ...

    @faults.setter
    def faults(self, faults: Faults) -> None: ...

    def read(self, recipient: str) -> object:
        """The last message this recipient got, as a person or device would read it; None if none is kept."""
        ...

    def stats(self) -> dict[str, object]:
        """The sums, ready for JSON."""
        ...

    def clear(self) -> None:
        """Forget what was received and the faults."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...
