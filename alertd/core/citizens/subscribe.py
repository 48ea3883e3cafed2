"""Who is told: subscribers in, changed, out.

Every address is made canonical by its channel, every zone becomes its code.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from alertd.core.citizens.subscriber_form import (
    EndpointForm,
    SubscriberForm,
    SubscriberPatch,
    SubscriberRow,
    page_fault,
    read,
)
from alertd.core.citizens.transfer import Row
from alertd.domain.alert import WHOLE_TERRITORY
from alertd.domain.problems import Conflict, Invalid, NotFound, Problem
from alertd.domain.subscriber import Cohort, Consent, Endpoint, Preference, Subscriber
from alertd.ports.clock import Clock
from alertd.ports.stores.subscribers import SubscriberStore
from alertd.ports.territory import Territory

BATCH: Final = 1_000
ERRORS_SHOWN: Final = 1_000
_BREATH = 50
_LONGEST_ERROR = 300


class Addresses(Protocol):
    """What this needs of the configured channels."""

    def normalize(self, channel: str, address: str) -> str:
        """The canonical address; ValueError saying what is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class LineError:
    """Why a line of an import was left out. `line` counts from 1."""

    line: int
    msg: str


@dataclass(slots=True)
class Loaded:
    """What an import did. `rejected` counts every bad line; `errors` has the first 1,000 of them."""

    created: int = 0
    updated: int = 0
    rejected: int = 0
    errors: list[LineError] = field(default_factory=list)

    def reject(self, line: int, msg: str) -> None:
        self.rejected += 1
        if len(self.errors) < ERRORS_SHOWN:
            self.errors.append(LineError(line, msg[:_LONGEST_ERROR]))


def new_id() -> str:
    """96 random bits: opaque, and good in a URL."""
    return secrets.token_urlsafe(12)


class Subscribers:
    """`territory` is asked each time, since SIGHUP may change it."""

    def __init__(
        self,
        store: SubscriberStore,
        addresses: Addresses,
        clock: Clock,
        *,
        territory: Callable[[], Territory],
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._territory = territory
        self._clock = clock
        self._new_id = new_id

    async def add(self, form: SubscriberForm, *, actor: str, source: str = "api") -> Subscriber:
        """Store a new subscriber. Raises Invalid, Unavailable, Conflict (endpoint already taken)."""
        subscriber = self._settled(form, source)
        await self._refuse_taken(subscriber.endpoints, own=())
        await self._store.enrol([subscriber], actor=actor)
        try:
            return await self._store.get_subscriber(subscriber.id)
        except NotFound:  # somebody else stored the endpoint in between: the two became one
            raise Conflict("one of these endpoints was subscribed a moment ago") from None

    async def get(self, subscriber_id: str) -> Subscriber:
        """Raises NotFound."""
        return await self._store.get_subscriber(subscriber_id)

    async def page(self, *, limit: int, after: int = 0) -> tuple[Sequence[Subscriber], int | None]:
        """A page of subscribers, and where the next one starts."""
        return await self._store.list_subscribers(limit=limit, after=after)

    async def patch(self, subscriber_id: str, change: SubscriberPatch, *, actor: str) -> Subscriber:
        """Change what is given. Raises NotFound, Invalid, Conflict, Unavailable."""
        old = await self._store.get_subscriber(subscriber_id)
        endpoints = old.endpoints
        if change.endpoints is not None:
            endpoints = self._kept(self._endpoints(change.endpoints), old.endpoints)
            await self._refuse_taken(endpoints, own=old.endpoints)
        preference = Preference(
            language=change.language or old.preference.language,
            zones=old.preference.zones if change.zones is None else self._zones(change.zones),
            purposes=change.purposes or old.preference.purposes,
            min_severity=change.min_severity or old.preference.min_severity,
        )
        cohort = change.cohort or old.cohort
        if fault := page_fault(cohort, preference.purposes):
            raise Invalid(Problem(("purposes",), fault))
        new = replace(
            old,
            preference=preference,
            cohort=cohort,
            endpoints=endpoints,
            updated_at=self._clock.now(),
        )
        await self._store.replace(new, actor=actor)
        return await self._store.get_subscriber(subscriber_id)

    async def delete(self, subscriber_id: str, *, actor: str) -> None:
        """Raises NotFound."""
        await self._store.delete_subscriber(subscriber_id, actor=actor)

    async def load(self, rows: AsyncIterator[Row], *, actor: str, source: str = "import") -> Loaded:
        """Take the good lines in batches of 1,000, each one transaction; the bad ones are told and left out.

        Nothing is undone where it stops half-way (Unavailable): the same file may simply be sent again.
        """
        loaded = Loaded()
        batch: list[tuple[int, Subscriber]] = []
        count = 0
        async for row in rows:
            count += 1
            if not count % _BREATH:
                await asyncio.sleep(0)  # a long import must not hold up an alert
            try:
                batch.append((row.line, self._read(row, source)))
            except Invalid as error:
                loaded.reject(row.line, str(error))
            if len(batch) == BATCH:
                await self._flush(batch, loaded, actor)
        if batch:
            await self._flush(batch, loaded, actor)
        return loaded

    def export(self) -> AsyncIterator[Subscriber]:
        """All subscribers, streamed."""
        return self._store.export()

    async def enrol(self, form: SubscriberForm, *, source: str) -> int:
        """A citizen enrols a proved address: new, or known and then with these preferences from now on.

        Returns the endpoint's id, for its unsubscribe link. Raises Invalid, Unavailable.
        """
        now = self._clock.now()
        subscriber = replace(self._settled(form, source), consent=Consent(source, now, now))
        if fault := (await self._taken_by_officers([subscriber])).get(subscriber.id):
            raise Invalid(Problem(("endpoints", 0), fault))
        await self._store.enrol([subscriber], actor="citizen")
        endpoint = subscriber.endpoints[0]
        return await self._store.endpoint_id(endpoint.channel, endpoint.address) or 0

    async def unsubscribe(self, endpoint_id: int) -> bool:
        """Forget an endpoint, and its subscriber with the last one. False where it was not there."""
        return await self._store.unsubscribe_endpoint(endpoint_id)

    def check(self, form: SubscriberForm) -> Subscriber:
        """What the form would become; nothing is stored. Raises Invalid."""
        return self._settled(form, "web")

    # --- steps ---

    def _read(self, row: Row, source: str) -> Subscriber:
        if row.fields is None:
            raise Invalid(Problem((), row.error))
        return self._settled(read(SubscriberRow, row.fields), source)

    async def _flush(self, batch: list[tuple[int, Subscriber]], loaded: Loaded, actor: str) -> None:
        faults = await self._taken_by_officers([one for _, one in batch])
        for number, one in batch:
            if one.id in faults:
                loaded.reject(number, faults[one.id])
        good = [one for _, one in batch if one.id not in faults]
        batch.clear()
        if good:
            done = await self._store.enrol(good, actor=actor)
            loaded.created += done.created
            loaded.updated += done.updated

    async def _taken_by_officers(self, people: Sequence[Subscriber]) -> dict[str, str]:
        """By id, those who would take an address that pages go to, with what to say: else a citizen's form, or a list
        from the registry, would silently make a citizen of an officer, and nobody be paged any more."""
        others = [one for one in people if one.cohort is not Cohort.OFFICERS]
        held = await self._store.officers_among([(e.channel, e.address) for one in others for e in one.endpoints])
        return {
            one.id: f"an officer is paged at this address on {e.channel}: change that subscriber first, or use another"
            for one in others
            for e in one.endpoints
            if (e.channel, e.address) in held
        }

    def _settled(self, form: SubscriberForm, source: str) -> Subscriber:
        now = self._clock.now()
        given = form.consent
        return Subscriber(
            id=(form.id if isinstance(form, SubscriberRow) else None) or self._new_id(),
            preference=Preference(form.language, self._zones(form.zones), form.purposes, form.min_severity),
            cohort=form.cohort,
            endpoints=self._endpoints(form.endpoints),
            consent=given.value if given else Consent(source, now),
            created_at=now,
            updated_at=now,
        )

    def _zones(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Codes, each once, in the order given; `"*"` swallows the others."""
        territory = self._territory()
        codes: dict[str, None] = {}
        problems = []
        for i, name in enumerate(wanted):
            if name == WHOLE_TERRITORY:
                codes[WHOLE_TERRITORY] = None
            elif zone := territory.find(name):
                codes[zone.code] = None
            else:
                problems.append(Problem(("zones", i), f"no zone {name!r} is configured"))
        if problems:
            raise Invalid(*problems)
        return (WHOLE_TERRITORY,) if WHOLE_TERRITORY in codes else tuple(codes)

    def _endpoints(self, forms: Sequence[EndpointForm]) -> tuple[Endpoint, ...]:
        found: dict[tuple[str, str], Endpoint] = {}
        problems = []
        for i, form in enumerate(forms):
            try:
                address = self._addresses.normalize(form.channel, form.text)
            except ValueError as error:
                problems.append(Problem(("endpoints", i), str(error)))
            else:
                found.setdefault((form.channel, address), Endpoint(form.channel, address, state=form.state))
        if problems:
            raise Invalid(*problems)
        return tuple(found.values())

    async def _refuse_taken(self, endpoints: Iterable[Endpoint], own: Iterable[Endpoint]) -> None:
        mine = {(e.channel, e.address) for e in own}
        for i, endpoint in enumerate(endpoints):
            if (endpoint.channel, endpoint.address) in mine:
                continue
            if await self._store.endpoint_id(endpoint.channel, endpoint.address) is not None:
                raise Conflict(f"endpoints.{i}: this address on {endpoint.channel} is already subscribed")

    @staticmethod
    def _kept(new: Iterable[Endpoint], old: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
        """An endpoint that was there keeps its id, so that its unsubscribe link still works."""
        known = {(e.channel, e.address): e.id for e in old}
        return tuple(replace(e, id=known.get((e.channel, e.address), 0)) for e in new)
