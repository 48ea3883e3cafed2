"""Whether the daemon takes work, and why not: what /readyz answers and a load balancer believes."""


class Readiness:
    """Told by every verb that meets a refusing store; the sweeper tries the store until it takes changes again."""

    def __init__(self) -> None:
        self._refusal: str | None = None
        self._stopping = False
        self._concerns: dict[str, str] = {}

    def refused(self, error: Exception) -> None:
        """The store could not take a change."""
        self._refusal = str(error)

    def took(self) -> None:
        """The store took a change."""
        self._refusal = None

    @property
    def refusing(self) -> bool:
        return self._refusal is not None

    def concern(self, about: str, what: str | None) -> None:
        """Something an operator must see to although work is taken; None once it is over."""
        if what is None:
            self._concerns.pop(about, None)
        else:
            self._concerns[about] = what

    @property
    def concerns(self) -> tuple[str, ...]:
        """All there are, for people. /readyz shows them to anybody: no names, no addresses."""
        return tuple(self._concerns.values())

    def stop(self) -> None:
        self._stopping = True

    def state(self) -> tuple[bool, str]:
        """(ready, why not)."""
        if self._stopping:
            return False, "stopping"
        if self._refusal is not None:
            return False, f"the store takes no changes: {self._refusal}"
        return True, ""
