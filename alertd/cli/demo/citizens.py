"""Simulated citizens: who they are depends on their number alone, so that every demo is the same."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

_SHARES = (
    (65, ("push",)),
    (20, ("mail",)),
    (10, ("push", "mail")),
    (2, ("bot",)),
    (2, ("push", "bot")),
    (1, ("push", "mail", "bot")),
)
"""In a hundred citizens, how many have which endpoints. Few on Telegram: it takes 30 messages a second."""

_KINDS = tuple(channels for share, channels in _SHARES for _ in range(share))
_SPREAD = 37  # coprime to 100: the first ten citizens already have all channels among them
_ENGLISH_EVERY = 5
_FIRST_CHAT = 500_000_000


@dataclass(frozen=True, slots=True)
class Citizen:
    number: int

    @property
    def channels(self) -> tuple[str, ...]:
        return _KINDS[self.number * _SPREAD % len(_KINDS)]

    @property
    def language(self) -> str:
        return "en" if self.number % _ENGLISH_EVERY == 0 else "it"


def census(count: int) -> dict[str, int]:
    """How many endpoints each channel has among that many citizens."""
    endpoints = dict.fromkeys(("push", "mail", "bot"), 0)
    for number in range(count):
        for channel in Citizen(number).channels:
            endpoints[channel] += 1
    return endpoints


async def import_lines(count: int, subscriptions: AsyncIterator[bytes], zones: Sequence[str]) -> AsyncIterator[bytes]:
    """The NDJSON of `POST /v1/subscribers/import`. Every citizen is of the cohort that drills reach."""
    for number in range(count):
        citizen = Citizen(number)
        subscription = await anext(subscriptions) if "push" in citizen.channels else b""
        row = {
            "language": citizen.language,
            "zones": [zones[number % len(zones)]],
            "purposes": ["emergency", "service"],
            "cohort": "exercise",
            "endpoints": list(_endpoints(citizen, subscription)),
        }
        yield json.dumps(row).encode() + b"\n"


def _endpoints(citizen: Citizen, subscription: bytes) -> Iterator[dict[str, object]]:
    for channel in citizen.channels:
        match channel:
            case "push":
                yield {"channel": channel, "subscription": json.loads(subscription)}
            case "mail":
                yield {"channel": channel, "address": f"cittadino{citizen.number}@example.org"}
            case _:
                yield {"channel": channel, "address": str(_FIRST_CHAT + citizen.number)}
