"""Alerts and Infos for the unit tests: a good one to change, and Hypothesis strategies for any."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

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

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)


def info(**changes: object) -> Info:
    fields: dict = {
        "language": "it-IT",
        "category": (Category.MET,),
        "event": "Temporali forti",
        "urgency": Urgency.EXPECTED,
        "severity": Severity.SEVERE,
        "certainty": Certainty.LIKELY,
        "expires": NOW + timedelta(hours=18),
        "headline": "Allerta arancione per temporali",
        "instruction": "Restate in casa.",
        "area": (Area("Montelupo Fiorentino", zones=("048028",)),),
    }
    return Info(**{**fields, **changes})


def alert(*infos: Info, **changes: object) -> Alert:
    fields: dict = {
        "id": "01A",
        "identifier": "01A",
        "sender": "pc@comune.example.it",
        "sent": "2026-11-22T06:00:00+01:00",
        "status": Status.ACTUAL,
        "msg_type": MsgType.ALERT,
        "scope": Scope.PUBLIC,
        "purpose": Purpose.EMERGENCY,
        "info": infos,
    }
    return Alert(**{**fields, **changes})


TEXTS = st.text(max_size=80) | st.sampled_from(
    ["", " ", "<b>&", "{{ 7*7 }}", "a\x00b\u202ec", "riga\nriga", "x" * 3000]
)
MOMENTS = st.datetimes(timezones=st.just(UTC))
INFOS = st.builds(
    Info,
    language=st.sampled_from(["it-IT", "it", "en-GB", "de", "xx", "fr-CA"]),
    category=st.just((Category.MET,)),
    event=TEXTS,
    urgency=st.sampled_from(Urgency),
    severity=st.sampled_from(Severity),
    certainty=st.sampled_from(Certainty),
    response_type=st.lists(st.sampled_from(ResponseType), max_size=3).map(tuple),
    onset=st.none() | MOMENTS,
    expires=st.none() | MOMENTS,
    headline=st.none() | TEXTS,
    description=st.none() | TEXTS,
    instruction=st.none() | TEXTS,
    web=st.none() | st.sampled_from(["https://example.org/a?b=1&c=2", "javascript:alert(1)", "x y"]),
    contact=st.none() | TEXTS,
    parameter=st.lists(st.builds(Pair, TEXTS, TEXTS), max_size=2).map(tuple),
    area=st.lists(st.builds(Area, TEXTS, zones=st.just(("*",))), max_size=20).map(tuple),
)
ALERTS = st.builds(
    Alert,
    id=st.just("01A"),
    identifier=st.just("01A"),
    sender=st.just("pc@comune.example.it"),
    sent=st.sampled_from(["2026-11-22T06:00:00+01:00", "nonsense"]),
    status=st.sampled_from(Status),
    msg_type=st.sampled_from(MsgType),
    scope=st.just(Scope.PUBLIC),
    purpose=st.sampled_from(Purpose),
    info=st.lists(INFOS, max_size=12).map(tuple),
    note=st.none() | TEXTS,
    references=st.lists(st.builds(Reference, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
)
