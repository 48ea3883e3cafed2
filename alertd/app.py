"""Where everything is built, once, from the settings. Nothing here decides anything about alerts."""

import random
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI

from alertd.clock import SystemClock
from alertd.core.access import Access
from alertd.core.approve import Approvals
from alertd.core.channels import Channels, ChannelSpec
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
from alertd.core.storm import Reminding
from alertd.core.sweep import Sweeper
from alertd.core.vigil import Vigil
from alertd.core.words.render import Renderer
from alertd.domain.alert import WHOLE_TERRITORY, Purpose
from alertd.domain.retry import RetryPolicy
from alertd.identity import kept_secret, new_id
from alertd.ingest.desk import Desk
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.rules import Rule
from alertd.ingest.silence import Silences
from alertd.ingest.supervisor import Supervisor
from alertd.ports.adapter import Service, Tools
from alertd.ports.clock import Clock
from alertd.ports.failpoint import Failpoint, nothing
from alertd.ports.stores.sweep import Retention
from alertd.ports.territory import Territory
from alertd.settings import ConfigError, ConfigProblem, Settings
from alertd.storage.store import Store
from alertd.territory import load_territory
from alertd.web.documents import Documents
from alertd.web.main import create_app
from alertd.web.services import FeedTerms, Services


@dataclass(slots=True)
class Current:
    """What a reload replaces, all at once."""

    settings: Settings
    territory: Territory
    renderer: Renderer

    @property
    def service(self) -> Service:
        return self.settings.speaker

    @property
    def feeds(self) -> FeedTerms:
        return FeedTerms(self.settings.feeds.past, self.settings.feeds.limit)

    def seal(self, document: bytes) -> bytes:
        return self.settings.cap.seal(document)

    @property
    def retention(self) -> Retention:
        kept = self.settings.retention
        return Retention(documents=kept.documents.total_seconds(), early=kept.early.total_seconds())

    @property
    def reminding(self) -> Reminding:
        officers = self.settings.officers
        return Reminding(officers.remind, officers.reminders, officers.one_by_one)

    @property
    def retry(self) -> RetryPolicy:
        r = self.settings.delivery.retry
        return RetryPolicy(r.base.total_seconds(), r.cap.total_seconds(), r.max_attempts)

    @property
    def lifetimes(self) -> Mapping[Purpose, timedelta]:
        return {purpose: self.settings.delivery.lifetime.of(purpose) for purpose in Purpose}


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


def current_of(settings: Settings) -> Current:
    """Read zones and templates. Raises ValueError naming the zone file and the fault.

    Templates are not tried here: at a start nothing may keep a daemon from warning people, and a template that
    fails is replaced by the alert's own words. `alertd check` and a reload try them.
    """
    current = starting(settings)
    if problems := current.settings.left_out:
        raise ConfigError(problems)
    return current


def starting(settings: Settings) -> Current:
    """As `current_of`, for a daemon that starts: rules that name no zone of ours are left out, and named in the
    settings' `left_out`."""
    territory = load_territory(settings.zones, name=settings.service.name)
    unknown = {rule.name: _unknown_zones(settings, rule, territory) for rule in settings.ingest.rules}
    rules = tuple(rule for rule in settings.ingest.rules if not unknown[rule.name])
    left_out = (*settings.left_out, *(problem for problems in unknown.values() for problem in problems))
    settings = replace(settings, ingest=replace(settings.ingest, rules=rules), left_out=left_out)
    return Current(settings, territory, Renderer(settings.speaker, template_folders=_template_folders(settings)))


def _unknown_zones(settings: Settings, rule: Rule, territory: Territory) -> list[ConfigProblem]:
    """A rule that names no zone of ours would be silent when it is needed."""
    problems = []
    for zone in sorted(rule.all_zones - {WHOLE_TERRITORY}):
        try:
            known = territory.find(zone) is not None
        except ValueError:  # several have this name
            known = False
        if not known:
            wrong = f"{zone!r} is the code or name of no configured zone, or the name of several"
            problems.append(ConfigProblem(str(settings.file or "the defaults"), f"rules.{rule.name}.zones", wrong))
    return problems


def tell_left_out(fit: Fittings, problems: Sequence[ConfigProblem]) -> None:
    """What does not work for a fault in the configuration, loudly; nothing once there is no such fault."""
    for problem in problems:
        fit.log.error("left out: the configuration of it is faulty", key=problem.key, problem=str(problem))
    faults = f"{len(problems)} faults in the configuration keep sources, rules, templates or signatures from working"
    fit.readiness.concern("configuration", faults if problems else None)


def tell_fading(fit: Fittings, settings: Settings) -> None:
    """Certificates that end soon, or have ended; the readiness board goes on saying it."""
    for fading in settings.cap.fading(fit.clock.now()):
        fit.log.warning("a certificate does not hold for long", what=fading)


def _template_folders(settings: Settings) -> list[Path]:
    """The operator's own beside the configuration file, then those shipped."""
    own = [settings.file.parent / "templates"] if settings.file else []
    return [folder for folder in (*own, settings.shipped / "templates") if folder.is_dir()]


def specs(settings: Settings) -> Sequence[ChannelSpec]:
    """The configured channels as the core knows them."""
    default = settings.service.languages[0]
    return [
        ChannelSpec(c.name, c.adapter, c.kind, c.config, c.language or default, c.exercise, c.purposes)
        for c in settings.channels.values()
    ]


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
