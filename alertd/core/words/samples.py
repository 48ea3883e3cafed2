"""Alerts that no one sent: templates are tried on them before they may speak for a real one."""

from datetime import UTC, datetime

from alertd.domain.alert import (
    Alert,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Pair,
    Purpose,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)

_MOMENT = datetime(2026, 11, 22, 6, tzinfo=UTC)

_FULL = Info(
    language="it-IT",
    category=(Category.MET,),
    event="Temporali forti",
    urgency=Urgency.EXPECTED,
    severity=Severity.SEVERE,
    certainty=Certainty.LIKELY,
    response_type=(ResponseType.PREPARE,),
    onset=_MOMENT,
    expires=_MOMENT.replace(hour=22),
    sender_name="Protezione Civile",
    headline="Allerta arancione per temporali <forti> & grandine",
    description="Prima riga.\n\nSeconda riga.",
    instruction="Restate in casa.\nNon scendete in cantina.",
    web="https://www.example.org/allerta?a=1&b=2",
    contact="055 000 000",
    parameter=(Pair("level", "orange"),),
    area=tuple(Area(f"Zona {i}", zones=(str(i),)) for i in range(20)),
)
_BARE = Info(
    language="en",
    category=(Category.OTHER,),
    event="Water supply",
    urgency=Urgency.UNKNOWN,
    severity=Severity.UNKNOWN,
    certainty=Certainty.UNKNOWN,
    area=(Area("Town", zones=("*",)),),
)


def sample_alerts() -> tuple[Alert, ...]:
    """Every status and message type once, with all fields, with the fewest, with several Infos and with none."""
    contents = ((_FULL,), (_BARE,), (_FULL, _BARE) * 5, ())
    kinds = (MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL)
    return tuple(
        _alert(status, kinds[(i + j) % len(kinds)], purpose, info)
        for i, (status, purpose) in enumerate(zip(Status, (*Purpose, *Purpose), strict=False))
        for j, info in enumerate(contents)
    )


def _alert(status: Status, msg_type: MsgType, purpose: Purpose, info: tuple[Info, ...]) -> Alert:
    return Alert(
        id="sample",
        identifier="sample",
        sender="sample@example.org",
        sent="2026-11-22T07:00:00+01:00",
        status=status,
        msg_type=msg_type,
        scope=Scope.PUBLIC,
        purpose=purpose,
        info=info,
        note="A note." if msg_type is not MsgType.ALERT else None,
        references=(Reference("sample@example.org", "earlier", "2026-11-22T06:00:00+01:00"),),
    )
