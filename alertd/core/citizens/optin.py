"""Double opt-in: before an address is stored, its owner is asked, and the asking says who asks and why.

Whoever types an address learns nothing of it: known or not, the same mail goes out, at most one in ten
minutes to each address.
"""

import html
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from alertd.core.citizens.links import CONFIRM_SECONDS, Links, Wish
from alertd.core.citizens.throttle import Throttle
from alertd.domain.alert import (
    Alert,
    Category,
    Certainty,
    Info,
    MsgType,
    Purpose,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.delivery import Accepted, Delivered, Verdict
from alertd.domain.times import cap_time
from alertd.ports.adapter import Notice, Service
from alertd.ports.clock import Clock

ADDRESS_SECONDS: Final = 600.0
ALL_SECONDS: Final = 1.0
ALL_BURST: Final = 60

_WORDS: Final = {
    "it": (
        "Conferma l'iscrizione agli avvisi",
        """\
Qualcuno, probabilmente Lei, ha chiesto di ricevere a questo indirizzo gli avvisi di {name}.

Per confermare, apra questa pagina entro 48 ore e prema il pulsante:
{url}

Se non l'ha chiesto, non faccia nulla: questo indirizzo non è stato registrato e non riceverà altro.""",
    ),
    "en": (
        "Confirm your subscription to alerts",
        """\
Somebody, probably you, asked to receive the alerts of {name} at this address.

To confirm, open this page within 48 hours and press the button:
{url}

If you did not ask, do nothing: this address was not stored and will get nothing else.""",
    ),
}


class Mailer(Protocol):
    """What this needs of the channels."""

    async def send_single(self, channel: str, notice: Notice, endpoint_id: int, address: str) -> Verdict: ...


class OptIn:
    """`service` is asked each time, since SIGHUP may change it."""

    def __init__(
        self,
        *,
        mailer: Mailer,
        links: Links,
        service: Callable[[], Service],
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._mailer = mailer
        self._links = links
        self._service = service
        self._clock = clock
        self._log = log
        self._all = Throttle(clock, interval=ALL_SECONDS, burst=ALL_BURST, keys=1)
        self._addresses = Throttle(clock, interval=ADDRESS_SECONDS, burst=1, keys=50_000)

    def crowded(self) -> float:
        """0.0 where one more mail may be asked for (and counts), else the seconds to wait.

        It is the same for every address, so it may be told: strangers must not fill the mail server that
        carries the alerts.
        """
        return self._all.wait("")

    async def invite(self, wish: Wish) -> None:
        """Send the mail that asks, unless this address was asked within ten minutes. A failure is only logged.

        `wish.address` must be canonical, since the throttle counts by it.
        """
        if self._addresses.wait(f"{wish.channel} {wish.address}"):
            return
        verdict = await self._mailer.send_single(wish.channel, self._notice(wish), 0, wish.address)
        if not isinstance(verdict, Accepted | Delivered):
            self._log.warning("confirmation mail not sent", channel=wish.channel, verdict=str(verdict))

    def _notice(self, wish: Wish) -> Notice:
        service, now = self._service(), self._clock.now()
        url = self._links.confirm_url(wish)
        headline, body = _WORDS["it" if wish.language.lower().startswith("it") else "en"]
        text = body.format(name=service.name, url=url)
        alert = self._request(service, wish.language, headline, text)
        return Notice(
            alert=alert,
            infos=alert.info,
            language=wish.language,
            title=f"{service.name}: {headline}",
            text=text,
            html=_as_html(text, url),
            url=url,
            tag=alert.id,
            root=alert.identifier,
            deadline=now + timedelta(seconds=CONFIRM_SECONDS),
        )

    def _request(self, service: Service, language: str, headline: str, text: str) -> Alert:
        """The question in the form adapters read; it is nobody's alert, is never stored and never public."""
        name = uuid.uuid4().hex
        info = Info(
            language=language,
            category=(Category.OTHER,),
            event=headline,
            urgency=Urgency.UNKNOWN,
            severity=Severity.MINOR,
            certainty=Certainty.UNKNOWN,
            sender_name=service.name,
            headline=headline,
            description=text,
        )
        return Alert(
            id=name,
            identifier=name,
            sender=service.sender,
            sent=cap_time(self._clock.now()),
            status=Status.ACTUAL,
            msg_type=MsgType.ALERT,
            scope=Scope.PRIVATE,
            purpose=Purpose.SERVICE,
            info=(info,),
            addresses="-",
        )


def _as_html(text: str, url: str) -> str:
    """The text as paragraphs, its link as a link."""
    link = html.escape(url)
    escaped = html.escape(text).replace(link, f'<a href="{link}">{link}</a>')
    return "".join(f"<p>{part.replace(chr(10), '<br>')}</p>" for part in escaped.split("\n\n"))
