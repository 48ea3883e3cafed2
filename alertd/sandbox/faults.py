"""Faults on demand: what a stand-in does wrong, to whom, how often and for how long. No I/O here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from alertd.ports.clock import Chance


class Kind(StrEnum):
    """How it goes wrong."""

    LATENCY = "latency"  # `seconds` late, then as usual; adds to another fault
    STATUS = "status"  # refuses with `status`
    HANG = "hang"  # never answers
    RESET = "reset"  # a TCP RST instead of an answer, and all else on the connection is lost
    STREAM = "stream"  # breaks this exchange alone: RST_STREAM over HTTP/2; RESET where there is but one at a time
    DRIP = "drip"  # the usual answer, one byte every `seconds`
    HALF = "half"  # the first half of the usual answer, then closes


class Phase(StrEnum):
    """Where it strikes. Only the mail server knows connect and rcpt; a request over HTTP is one DATA."""

    CONNECT = "connect"
    RCPT = "rcpt"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule.

    It applies with `probability`, to the `first` n requests it matches (None: all), for `lasts` seconds
    after it was set (None: until changed), to `recipients` (None: everybody). `taken`: the message is taken
    and counted before the fault strikes, as when only the answer is lost; DRIP and HALF always take it, for
    what they spoil is the answer. `status` None is the provider's ordinary "come back later"; `text` and
    `parameters` go into the refusal, `retry_after` (whole seconds) where its protocol has a place for it.
    """

    kind: Kind
    phase: Phase = Phase.DATA
    probability: float = 1.0
    first: int | None = None
    lasts: float | None = None
    recipients: frozenset[str] | None = None
    seconds: float = 1.0
    taken: bool = False
    status: int | None = None
    retry_after: int | None = None
    text: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Faults:
    """All that is wrong with one stand-in. `gone` names the recipients it says are gone for good."""

    rules: tuple[Fault, ...] = ()
    gone: frozenset[str] = frozenset()


NONE = Faults()


@dataclass(frozen=True, slots=True)
class Strike:
    """What becomes of one request: first `latency` seconds, then `fault`, or nothing wrong."""

    latency: float
    fault: Fault | None


class Injector:
    """Chooses the strike for each request; remembers how often each rule was used."""

    def __init__(self, faults: Faults, *, clock: Callable[[], float], chance: Chance) -> None:
        self.faults = faults
        self._clock = clock
        self._chance = chance
        self._began = clock()
        self._left = [rule.first for rule in faults.rules]

    def pick(self, recipient: str, phase: Phase = Phase.DATA) -> Strike:
        """Every matching latency, and the first other rule that matches and wins its draw."""
        latency = 0.0
        for number, rule in enumerate(self.faults.rules):
            if not self._applies(number, rule, recipient, phase):
                continue
            if rule.kind is not Kind.LATENCY:
                return Strike(latency, rule)
            latency += rule.seconds
        return Strike(latency, None)

    def _applies(self, number: int, rule: Fault, recipient: str, phase: Phase) -> bool:
        left = self._left[number]
        over = rule.lasts is not None and self._clock() - self._began >= rule.lasts
        elsewhere = rule.recipients is not None and recipient not in rule.recipients
        if rule.phase is not phase or left == 0 or over or elsewhere:
            return False
        if rule.probability < 1.0 and self._chance() >= rule.probability:
            return False
        if left is not None:
            self._left[number] = left - 1
        return True
