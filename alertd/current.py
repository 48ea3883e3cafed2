"""What the configuration says now: read, held where a reload replaces it, and told of where it is faulty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from alertd.core.channels import ChannelSpec
from alertd.core.fittings import Fittings
from alertd.core.pager import Reminding
from alertd.core.words.render import Renderer
from alertd.domain.alert import WHOLE_TERRITORY, Purpose
from alertd.domain.retry import RetryPolicy
from alertd.ingest.rules import Rule
from alertd.ports.adapter import Service
from alertd.ports.stores.sweep import Retention
from alertd.ports.territory import Territory
from alertd.settings import ConfigError, ConfigProblem, Settings
from alertd.territory import load_territory
from alertd.web.services import FeedTerms


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
        return Reminding(self.settings.officers.remind, self.settings.officers.reminders)

    @property
    def retry(self) -> RetryPolicy:
        r = self.settings.delivery.retry
        return RetryPolicy(r.base.total_seconds(), r.cap.total_seconds(), r.max_attempts)

    @property
    def lifetimes(self) -> Mapping[Purpose, timedelta]:
        return {purpose: self.settings.delivery.lifetime.of(purpose) for purpose in Purpose}


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
