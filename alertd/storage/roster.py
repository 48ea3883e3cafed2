"""A batch of subscribers as the rows to write, with those that share an endpoint already made one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from alertd.domain.subscriber import EndpointState, Subscriber
from alertd.domain.times import micros
from alertd.storage.addresses import address_key
from alertd.storage.types import json_text, micros_or_none, purpose_mask

Key = tuple[str, str]
"""Channel and address key."""


@dataclass(slots=True)
class Entry:
    """One person: every id he came under, what he asked for last, every endpoint named for him."""

    ids: list[str]
    latest: Subscriber
    created_at: datetime
    endpoints: dict[Key, tuple[str, EndpointState]]

    def absorb(self, later: "Entry") -> None:
        self.ids += [one for one in later.ids if one not in self.ids]
        self.latest = later.latest
        self.endpoints.update(later.endpoints)

    def row(self, subscriber_id: str) -> list[object]:
        """The columns of enrol.py's :rows."""
        wish = self.latest.preference
        consent = self.latest.consent
        return [
            subscriber_id,
            wish.language,
            zones_text(self.latest),
            purpose_mask(wish.purposes),
            wish.min_severity,
            wish.min_severity.rank,
            self.latest.cohort,
            consent.source,
            micros(consent.given_at),
            micros_or_none(consent.confirmed_at),
            micros(self.created_at),
            micros(self.latest.updated_at),
        ]

    def endpoint_rows(self, subscriber_id: str) -> list[list[object]]:
        """The columns of enrol.py's :endpoints."""
        at = micros(self.latest.updated_at)
        return [
            [subscriber_id, channel, address, key, state, at]
            for (channel, key), (address, state) in self.endpoints.items()
        ]


def zones_text(subscriber: Subscriber) -> str:
    """The zones as the table `zone_set` names them."""
    return json_text(sorted(set(subscriber.preference.zones)))


def entry_of(subscriber: Subscriber) -> Entry:
    endpoints = {(e.channel, address_key(e.address)): (e.address, e.state) for e in subscriber.endpoints}
    return Entry([subscriber.id], subscriber, subscriber.created_at, endpoints)


def gather(batch: Iterable[Subscriber]) -> list[Entry]:
    """One entry a person, in order: who shares an id or an endpoint with an earlier one replaces his wishes."""
    entries: dict[int, Entry] = {}
    owner: dict[str | Key, int] = {}
    for place, subscriber in enumerate(batch):
        entry = entry_of(subscriber)
        shared = sorted({owner[name] for name in (*entry.ids, *entry.endpoints) if name in owner})
        for earlier in reversed(shared):
            previous = entries.pop(earlier)
            previous.absorb(entry)
            entry = previous
        entries[place] = entry
        owner.update(dict.fromkeys((*entry.ids, *entry.endpoints), place))
    return list(entries.values())
