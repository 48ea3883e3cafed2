"""A request for an alert before it has an identity, and how it becomes one."""

from dataclasses import dataclass, replace
from datetime import datetime

from alertd.domain.alert import (
    WHOLE_TERRITORY,
    Alert,
    AlertState,
    Info,
    MsgType,
    Purpose,
    Reference,
    Scope,
    Status,
)
from alertd.domain.lint import lint, lint_texts
from alertd.domain.problems import Invalid, Problem
from alertd.ports.territory import Territory


@dataclass(frozen=True, slots=True)
class Submission:
    """`Area.zones` hold codes or names as the caller wrote them, or `"*"`; everything else is as in Alert."""

    purpose: Purpose
    status: Status
    msg_type: MsgType
    scope: Scope
    info: tuple[Info, ...]
    channels: tuple[str, ...] | None = None
    source: str | None = None
    restriction: str | None = None
    addresses: str | None = None
    note: str | None = None
    incidents: str | None = None
    code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server gives an alert; `sent` in CAP's format."""

    id: str
    sender: str
    sent: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the caller is told once the alert is durable."""

    id: str
    identifier: str
    sender: str
    sent: str
    state: AlertState
    channels: tuple[str, ...]


def checked(submission: Submission, territory: Territory, now: datetime) -> Submission:
    """The submission with every area settled on the territory. Raises Invalid with all that is wrong at once."""
    problems = list(
        lint(
            msg_type=submission.msg_type,
            scope=submission.scope,
            status=submission.status,
            info=submission.info,
            now=now,
        )
    )
    problems += lint_texts(
        {
            "source": submission.source,
            "restriction": submission.restriction,
            "addresses": submission.addresses,
            "note": submission.note,
            "incidents": submission.incidents,
            **{f"code.{n}": code for n, code in enumerate(submission.code)},
        }
    )
    infos = []
    for i, info in enumerate(submission.info):
        areas = []
        for j, area in enumerate(info.area):
            try:
                areas.append(territory.settle(area))
            except ValueError as error:
                problems.append(Problem(("info", i, "area", j), str(error)))
        infos.append(replace(info, area=tuple(areas)))
    if problems:
        raise Invalid(*problems)
    return replace(submission, info=tuple(infos))


def identified(submission: Submission, identity: Identity, references: tuple[Reference, ...] = ()) -> Alert:
    """The alert this submission becomes."""
    return Alert(
        id=identity.id,
        identifier=identity.id,
        sender=identity.sender,
        sent=identity.sent,
        status=submission.status,
        msg_type=submission.msg_type,
        scope=submission.scope,
        purpose=submission.purpose,
        info=submission.info,
        channels=submission.channels,
        source=submission.source,
        restriction=submission.restriction,
        addresses=submission.addresses,
        code=submission.code,
        note=submission.note,
        references=references,
        incidents=submission.incidents,
    )


def zone_names(submission: Submission, territory: Territory) -> tuple[str, ...]:
    """The names of every zone a checked submission selects, so that overspill shows."""
    codes = frozenset(zone for info in submission.info for zone in info.zones)
    if WHOLE_TERRITORY in codes:
        return tuple(zone.name for zone in territory.zones)
    return tuple(zone.name for zone in territory.zones if zone.code in codes)
