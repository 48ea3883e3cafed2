"""Alerts and notices as the core would hand them to an adapter."""

from datetime import UTC, datetime, timedelta

from alertd.domain.alert import (
    Alert,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Purpose,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.ports.adapter import Notice, Service

SERVICE = Service(
    name="Comune di Montelupo Fiorentino",
    sender="protezionecivile@comune.example.it",
    languages=("it-IT", "en-GB"),
    timezone="Europe/Rome",
    public_url="https://allerta.comune.example.it",
)
DRILL_MARK = "ESERCITAZIONE"
ISSUER = "Comune di Montelupo Fiorentino"
TEXT = "Temporali forti a Montelupo Fiorentino fino alle 23:59.\nRestare lontani dagli argini & dai sottopassi <5 m."


def info(language: str = "it-IT", **changes: object) -> Info:
    fields: dict[str, object] = {
        "language": language,
        "category": (Category.MET,),
        "event": "Temporali forti",
        "urgency": Urgency.EXPECTED,
        "severity": Severity.SEVERE,
        "certainty": Certainty.LIKELY,
        "response_type": (ResponseType.PREPARE,),
        "expires": datetime.now(UTC).replace(microsecond=0) + timedelta(hours=6),
        "headline": "Allerta arancione per temporali",
        "description": "Temporali forti e grandine.",
        "instruction": "Restare lontani dagli argini.",
        "area": (Area("Montelupo Fiorentino", zones=("048028",)),),
    }
    return Info(**(fields | changes))  # type: ignore[arg-type]


def alert(
    alert_id: str = "a1",
    *,
    status: Status = Status.EXERCISE,
    msg_type: MsgType = MsgType.ALERT,
    purpose: Purpose = Purpose.EMERGENCY,
    infos: tuple[Info, ...] | None = None,
    references: tuple[Reference, ...] = (),
) -> Alert:
    return Alert(
        id=alert_id,
        identifier=f"it-montelupo-{alert_id}",
        sender=SERVICE.sender,
        sent="2026-11-21T11:00:00+01:00",
        status=status,
        msg_type=msg_type,
        scope=Scope.PUBLIC,
        purpose=purpose,
        info=(info(),) if infos is None else infos,
        references=references,
    )


def notice(
    of: Alert | None = None,
    *,
    text: str = TEXT,
    html: str | None = None,
    language: str = "it-IT",
    tag: str = "thread-a1",
    lasts: timedelta = timedelta(hours=6),
    url: str = "https://allerta.comune.example.it/alerts/a1",
) -> Notice:
    """What the renderer makes: the title begins with the drill mark, then who sends."""
    of = of or alert()
    mark = "" if of.status.is_real else f"{DRILL_MARK} – "
    return Notice(
        alert=of,
        infos=of.info,
        language=language,
        title=f"{mark}{ISSUER}: Allerta arancione per temporali",
        text=text,
        html=_html(text) if html is None else html,
        url=url,
        tag=tag,
        root=of.references[0].identifier if of.references else of.identifier,
        deadline=datetime.now(UTC) + lasts,
    )


def _html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"<p>{line}</p>" for line in escaped.split("\n"))
