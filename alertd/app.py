"""Where everything is built, once, from the settings. Nothing here decides anything about alerts."""

import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from fastapi import FastAPI

from alertd.clock import SystemClock
from alertd.core.access import Access
from alertd.core.approve import Approvals
from alertd.core.channels import Channels
from alertd.core.citizens.links import Links
from alertd.core.citizens.subscribe import Subscribers
from alertd.core.dispatch import Dispatcher
from alertd.core.fittings import Fittings
from alertd.core.handover import Handover
from alertd.core.intake import Intake, IntakeParts
from alertd.core.lanes import Lanes
from alertd.core.letters import Letters
from alertd.core.notices import Notices
from alertd.core.pager import Pager
from alertd.core.peers import Peers
from alertd.core.plan import Planner
from alertd.core.preview import Previews
from alertd.core.raising import Raising
from alertd.core.report import Reports
from alertd.core.settle import Settler
from alertd.core.sweep import Sweeper
from alertd.core.vigil import Vigil
from alertd.current import Current, starting, tell_fading, tell_left_out
from alertd.identity import kept_secret, new_id
from alertd.ingest.desk import Desk
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.silence import Silences
from alertd.ingest.supervisor import Supervisor
from alertd.ports.adapter import Tools
from alertd.ports.clock import Clock
from alertd.ports.failpoint import Failpoint, nothing
from alertd.settings import Settings
from alertd.storage.store import Store
from alertd.web.documents import Documents
from alertd.web.main import create_app
from alertd.web.services import Services


@dataclass(frozen=True, slots=True)
class House:
    """The built daemon, before it is told to live (see `alertd.daemon`)."""

    current: Current
    fittings: Fittings
    store: Store
    access: Access
    desk: Desk
    sources: Supervisor
    silences: Silences
    channels: Channels
    planner: Planner
    settler: Settler
    vigil: Vigil
    sweeper: Sweeper
    pager: Pager
    raising: Raising
    web: FastAPI


def open_store(settings: Settings, *, exclusive: bool = False) -> AbstractAsyncContextManager[Store]:
    """The store alone, for the commands that work on it directly, daemon running or not."""
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Store.open(settings.store.url, exclusive=exclusive)


@asynccontextmanager
async def build(
    settings: Settings, *, failpoint: Failpoint = nothing, clock: Clock | None = None
) -> AsyncIterator[House]:
    """Everything, wired, its store open and exclusively ours. Raises StoreBusy, ValueError, OSError."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings, exclusive=True))
        yield _wire(settings, store, failpoint, clock or SystemClock())


def _wire(settings: Settings, store: Store, failpoint: Failpoint, clock: Clock) -> House:
    fit = Fittings(clock, structlog.get_logger(), failpoint=failpoint)
    current = starting(settings)
    tell_left_out(fit, current.settings.left_out)
    tell_fading(fit, current.settings)
    links = Links(kept_secret(settings.state / "links.key"), settings.api.public_url, clock)
    settler = Settler(store, fit, chance=random.random, policy=lambda: current.retry)
    letters = Letters(store)
    handover = Handover(store, letters, fit)
    vigil = Vigil(store, fit)
    lanes = Lanes(store, Dispatcher(store, letters, settler, vigil, fit), handover, settler, fit)

    def tools_of(channel: str) -> Tools:
        return Tools(
            clock,
            fit.log.bind(channel=channel),
            current.service,
            settings.state,
            links.unsubscribe_url,
            roster=store.roster(channel),
            gauge=partial(fit.metrics.gauge, channel),
        )

    channels = Channels(
        lanes,
        fit,
        tools_of=tools_of,
        renderer=lambda: current.renderer,
        state=settings.state,
    )
    parts = IntakeParts(
        store=store,
        fittings=fit,
        new_id=new_id,
        service=lambda: current.service,
        territory=lambda: current.territory,
        carriers=channels.carriers,
        lifetimes=lambda: current.lifetimes,
        handover=handover,
    )
    intake = Intake(parts)
    access = Access(store, clock)
    raising = Raising(intake, store, clock, fit.bells)
    notices = Notices(parts)
    desk, sources = _ingest(store, raising, notices, current, fit)
    services = Services(
        clock=clock,
        service=lambda: current.service,
        territory=lambda: current.territory,
        intake=intake,
        peers=Peers(parts, store, intake),
        approvals=Approvals(store, clock, fit.bells, fit.revoked),
        reports=Reports(store, clock, fit.bells),
        previews=Previews(
            store,
            channels,
            clock,
            service=lambda: current.service,
            territory=lambda: current.territory,
            lifetimes=lambda: current.lifetimes,
        ),
        channels=channels,
        subscribers=Subscribers(store, channels, clock, territory=lambda: current.territory),
        access=access,
        links=links,
        metrics=fit.metrics,
        ready=fit.readiness.state,
        concerns=lambda: (*fit.readiness.concerns, *current.settings.cap.fading(clock.now())),
        trust_forwarded=settings.api.trust_forwarded,
        feeds=lambda: current.feeds,
        sources=sources,
        documents=Documents(current.seal, lambda: current.settings.cap.mark),
        trust=lambda: current.settings.cap.trust,
    )
    return House(
        current=current,
        fittings=fit,
        store=store,
        access=access,
        channels=channels,
        planner=Planner(store, fit),
        settler=settler,
        vigil=vigil,
        sweeper=Sweeper(store, store, fit, lambda: current.retention),
        pager=Pager(store, parts, lambda: current.reminding),
        raising=raising,
        desk=desk,
        sources=sources,
        silences=Silences(sources.pulses, store, notices, clock, fit.log),
        web=create_app(services),
    )


def _ingest(
    store: Store, raising: Raising, notices: Notices, current: Current, fit: Fittings
) -> tuple[Desk, Supervisor]:
    """What comes in by itself, and the desk where rules judge it."""
    gauges = Gauges(fit.metrics.registry)
    drafter = Drafter(
        service=lambda: current.service,
        territory=lambda: current.territory,
        templates=lambda: current.settings.ingest.templates,
    )
    desk = Desk(
        store,
        raising,
        drafter,
        fit.clock,
        fit.log,
        gauges,
        readiness=fit.readiness,
        notices=notices,
        new_key=lambda: secrets.token_urlsafe(16),
    )
    sources = Supervisor(
        desk,
        fit.clock,
        fit.log,
        gauges,
        territory=lambda: current.territory,
        chance=random.random,
        readiness=fit.readiness,
    )
    return desk, sources
