"""Render: an alert into words, once per channel, language and selection of its Infos, never per recipient."""

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from alertd.core.words.compose import (
    html_lead,
    own_html,
    own_text,
    text_lead,
    title_lead,
    whole_html,
    whole_text,
    whole_title,
)
from alertd.core.words.facts import Facts, gather
from alertd.core.words.phrases import phrases_for
from alertd.core.words.phrasing import Phrases
from alertd.core.words.samples import sample_alerts
from alertd.core.words.templates import PARTS, Part, Templates, Wording
from alertd.core.words.wording import plain
from alertd.domain.alert import Alert
from alertd.domain.blocks import infos_for
from alertd.ports.adapter import Notice, Service

_MOST_SAID = 64


@dataclass(frozen=True, slots=True)
class Mishap:
    """A template failed on a real alert; the alert's own words were sent in its place."""

    file: str
    error: str


def log_mishap(mishap: Mishap) -> None:
    structlog.get_logger().error(
        "a template failed; the alert's own words were used", template=mishap.file, error=mishap.error
    )


class Renderer:
    """The words of one configuration. Pure: no disk, no clock. A reload makes another."""

    def __init__(
        self,
        service: Service,
        template_folders: Sequence[Path],
        *,
        on_mishap: Callable[[Mishap], None] = log_mishap,
    ) -> None:
        """Read and compile every template of the folders, the first folder winning. Never raises for a broken
        one: `check()` tells."""
        self._service = service
        self._zone = ZoneInfo(service.timezone)
        self._templates = Templates(template_folders)
        self._on_mishap = on_mishap
        self._said: OrderedDict[tuple[object, ...], Notice] = OrderedDict()

    def notice(
        self, alert: Alert, *, channel: str, adapter: str, language: str, blocks: int, deadline: datetime, root: str
    ) -> Notice:
        """The alert in words. Whatever the templates do, it says who sends, what, where, until when and what to
        do, opens with the mark of what is not real, and never raises.

        Channels for which the same templates speak are given the same notice.
        """
        phrases = phrases_for(language, self._service.languages)
        tags = _tags(language, phrases.tag)
        wordings = {part: self._templates.find((channel, adapter), tags, part) for part in PARTS}
        saying = (id(alert), language, blocks, deadline, root, tuple(wordings.values()))
        said = self._said.get(saying)
        if said is None or said.alert is not alert:
            said = self._said[saying] = self._say(alert, wordings, phrases, language, blocks, deadline, root)
            if len(self._said) > _MOST_SAID:
                self._said.popitem(last=False)
        return said

    def _say(
        self,
        alert: Alert,
        wordings: Mapping[Part, Wording | None],
        phrases: Phrases,
        language: str,
        blocks: int,
        deadline: datetime,
        root: str,
    ) -> Notice:
        infos = infos_for(alert, blocks, language, self._service.languages)
        public = self._service.public_url
        url = f"{public}/alerts/{alert.id}" if public and alert.status.is_real else ""  # drills have no public page
        facts = gather(alert, infos, service=self._service, phrases=phrases, zone=self._zone, url=url)
        speaker = _Speaker(wordings, facts, self._on_mishap)
        return Notice(
            alert=alert,
            infos=infos,
            language=language,
            title=speaker.title(),
            text=speaker.text(),
            html=speaker.html(),
            url=url,
            tag=thread_tag(root),
            root=root,
            deadline=deadline,
        )

    def check(self) -> tuple[str, ...]:
        """What is wrong with the templates, a line each: every one is compiled and tried on alerts of every kind.

        Takes tenths of a second.
        """
        return (*self._templates.faults, *(p for wording in self._templates for p in self._trials(wording)))

    def _trials(self, wording: Wording) -> Iterator[str]:
        for alert in sample_alerts():
            phrases = phrases_for(wording.file.name.partition(".")[0], self._service.languages)
            facts = gather(
                alert, alert.info, service=self._service, phrases=phrases, zone=self._zone, url="https://example.org/a"
            )
            try:
                _finish(wording, facts)
            except Exception as error:  # noqa: BLE001  whatever a template can do wrong is a fault to report
                yield f"{wording.file}: fails on a sample alert: {error}"
                return


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Says one set of facts, part by part, by the nearest template or in the alert's own words."""

    wordings: Mapping[Part, Wording | None]
    facts: Facts
    on_mishap: Callable[[Mishap], None]

    def title(self) -> str:
        return self._by_template("title") or whole_title("", self.facts)

    def text(self) -> str:
        return self._by_template("text") or whole_text(own_text(self.facts), self.facts)

    def html(self) -> str:
        return self._by_template("html") or str(own_html(self.facts))

    def _by_template(self, part: Part) -> str | None:
        wording = self.wordings[part]
        if wording is None:
            return None
        try:
            return _finish(wording, self.facts)
        except Exception as error:  # noqa: BLE001  an officer's alert goes out whatever a template does
            self.on_mishap(Mishap(str(wording.file), f"{type(error).__name__}: {error}"[:500]))
            return None


def thread_tag(root: str) -> str:
    """32 base64url characters that name a thread: a Web Push Topic (RFC 8030, 5.4) and a notification's tag."""
    return base64.urlsafe_b64encode(hashlib.sha256(root.encode(errors="replace")).digest())[:32].decode()


def _finish(wording: Wording, facts: Facts) -> str:
    match wording.part:
        case "title":
            return whole_title(wording.write(_values(facts, title_lead(facts))), facts)
        case "text":
            return whole_text(wording.write(_values(facts, text_lead(facts))), facts)
        case "html":
            return whole_html(plain(wording.write(_values(facts, html_lead(facts)))), facts)


def _values(facts: Facts, lead: str) -> Mapping[str, object]:
    """What a template sees: the facts by name, and the lead as this part writes it."""
    return {**{f.name: getattr(facts, f.name) for f in fields(facts)}, "lead": lead}


def _tags(language: str, resolved: str) -> tuple[str, ...]:
    """The language asked for, its primary subtag, and the one whose fixed words are used."""
    return tuple(dict.fromkeys((language, language.partition("-")[0], resolved)))
