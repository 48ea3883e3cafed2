"""From a finding to the alert it asks for: the words of a template or of the CAP message itself, for the rule's zones.

Never widened: a CAP message that draws shapes is told only to those of the rule's zones that its shapes touch, and
one that was not meant for the public is not told at all. Its status stays what it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alertd.core.submission import Submission
from alertd.core.traced import info_from
from alertd.domain.alert import WHOLE_TERRITORY, Area, Info, MsgType, Purpose, Reference, ResponseType, Scope, Status
from alertd.domain.signal import Signal
from alertd.ingest.hearing import locate
from alertd.ingest.readers.cap import infos_about
from alertd.ingest.rules import Change, Clear, Fire, Rule
from alertd.ingest.wording import FORWARD, AlertTemplate, all_clear, cleared, infos
from alertd.ports.adapter import Service
from alertd.ports.territory import Territory

_CLEAR_HOLDS: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Drafter:
    """Asked each time: SIGHUP changes them. Raises ValueError where no alert can be made."""

    service: Callable[[], Service]
    territory: Callable[[], Territory]
    templates: Callable[[], Mapping[str, AlertTemplate]]

    def draft(self, rule: Rule, finding: Fire | Change | Clear, now: datetime, told: Sequence[Info] = ()) -> Submission:
        """What is to be sent or shown to an officer; the core adds the evidence to its note. `told` is what people were
        told of the matter before."""
        signal = finding.signals[-1]
        if signal.alert is not None and signal.alert.scope is not Scope.PUBLIC:
            raise ValueError(f"the source's message is {signal.alert.scope}: it is not meant for the public")
        match finding:
            case Fire():
                said = self._said(rule, signal, finding.zones, now)
            case Change():
                said = (
                    *self._said(rule, signal, finding.zones, now),
                    *self._left(rule, signal, finding.left, now, told),
                )
            case Clear():
                said = self._over(rule, signal, finding.zones, now, told)
        return Submission(
            purpose=Purpose.EMERGENCY if rule.template == FORWARD else self._template(rule).purpose,
            status=Status.ACTUAL if signal.alert is None else signal.alert.status,
            msg_type=MsgType.ALERT if isinstance(finding, Fire) else MsgType.UPDATE,
            scope=Scope.PUBLIC,
            info=said,
            channels=rule.channels,
            source=signal.alert.sender if rule.template == FORWARD and signal.alert else signal.source,
        )

    def _template(self, rule: Rule) -> AlertTemplate:
        template = self.templates().get(rule.template)
        if template is None:
            raise ValueError(f"there is no template {rule.template!r}")
        return template

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.service().timezone)

    def _said(self, rule: Rule, signal: Signal, zones: Sequence[str], now: datetime) -> tuple[Info, ...]:
        if rule.template == FORWARD:
            return tuple(replace(info, area=self._cut(info.area, zones)) for info in self._own(signal))
        drawn = [area for info in infos_about(signal) for area in info.area]
        return infos(self._template(rule), signal, self._cut(drawn, zones), now, self._zone())

    def _over(
        self, rule: Rule, signal: Signal, zones: Sequence[str], now: datetime, told: Sequence[Info]
    ) -> tuple[Info, ...]:
        """To those who were told, where they were told. Who ends a matter need not say again what it was."""
        if rule.template == FORWARD:
            return _cleared(told or self._own(signal), now)
        where = self._told_of(zones, told) or _zones(told) or zones
        return all_clear(self._template(rule), signal, _areas(where), now, self._zone())

    def _left(
        self, rule: Rule, signal: Signal, zones: Sequence[str], now: datetime, told: Sequence[Info]
    ) -> tuple[Info, ...]:
        """To the places it no longer concerns."""
        zones = self._told_of(zones, told)
        if not zones:
            return ()
        over = self._over(rule, signal, zones, now, told)
        return tuple(replace(info, area=_areas(zones)) for info in over)

    def _told_of(self, zones: Sequence[str], told: Sequence[Info]) -> Sequence[str]:
        """Those of the zones where something was told: where shapes left some out, nobody waits for an all-clear."""
        where = _zones(told)
        if not where or WHOLE_TERRITORY in where:
            return zones
        return where if WHOLE_TERRITORY in zones else tuple(zone for zone in where if zone in self._codes(zones))

    def _codes(self, zones: Sequence[str]) -> frozenset[str]:
        """By whatever name the territory knows them."""
        territory = self.territory()
        return frozenset({*zones, *(found.code for zone in zones if (found := territory.find(zone)))})

    def _own(self, signal: Signal) -> tuple[Info, ...]:
        """What the message itself says of this matter's places."""
        alert = signal.alert
        found = infos_about(signal) if alert else ()
        if alert is None or not found:
            raise ValueError("the source's message has no words of its own to forward")
        name = Reference(alert.sender, alert.identifier, alert.sent)
        spoken = (replace(info, sender_name=info.sender_name or alert.sender, resource=()) for info in found)
        return tuple(info_from(name, info) for info in spoken)

    def _cut(self, drawn: Sequence[Area], zones: Sequence[str]) -> tuple[Area, ...]:
        """Those of the zones that the shapes touch; all of them where there are no shapes."""
        if not any(area.polygons or area.circles for area in drawn):
            return _areas(zones)
        territory = self.territory()
        touched = tuple(dict.fromkeys(zone for area in drawn for zone in locate(territory)(area)))
        if WHOLE_TERRITORY in zones:
            kept = touched
        else:
            wanted = {found.code for zone in zones if (found := territory.find(zone))}
            kept = tuple(zone for zone in touched if zone in wanted)
        if not kept:
            raise ValueError("the message's shapes touch none of the rule's zones")
        return _areas(kept)


def _areas(zones: Sequence[str]) -> tuple[Area, ...]:
    return tuple(Area("", zones=(zone,)) for zone in zones)


def _zones(told: Sequence[Info]) -> tuple[str, ...]:
    """Where something was told that was no all-clear."""
    alarming = [info for info in told if ResponseType.ALL_CLEAR not in info.response_type]
    return tuple(sorted({zone for info in alarming for zone in info.zones}))


def _cleared(told: Sequence[Info], now: datetime) -> tuple[Info, ...]:
    """One all-clear for each thing that was told and was no all-clear itself."""
    said = [info for info in told if ResponseType.ALL_CLEAR not in info.response_type]
    return tuple(cleared(info, now, _CLEAR_HOLDS) for info in said or told)
