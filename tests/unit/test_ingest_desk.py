"""From what is said to what is raised: once, whatever dies in between."""

import pytest

from alertd.domain.alert import Alert, MsgType, Status
from alertd.domain.problems import Conflict, Invalid, Problem, Unavailable
from alertd.ingest.readers import cap
from alertd.ingest.readers.received import Received
from alertd.ingest.rules import Rule
from tests.support.clock import START
from tests.support.desk_stand import DeskStand, spec
from tests.unit.rules_stand import rule

GAUGE = {"above": 2.5, "clear": 2.0}


def gauge(**more: object) -> Rule:
    return rule(reading=GAUGE, **more)


def kinds(stand: DeskStand) -> list[str]:
    return [step[0] for step in stand.core.steps]


async def test_a_gauge_begins_and_ends_once() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    for value in (1.0, 2.6, 2.7, 2.8, 2.2, 1.9, 1.8):
        await stand.reads(value)
    assert kinds(stand) == ["raise", "clear"]
    _, _, submission, unattended = stand.core.steps[0]
    assert not unattended
    assert submission.info[0].headline == "pesa-1: 2.6 m"
    assert submission.status is Status.ACTUAL
    assert stand.core.steps[1][1] == "alert1"


async def test_a_restart_neither_fires_again_nor_forgets() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    await stand.reads(2.6)
    stand.reborn()
    await stand.start()
    await stand.reads(2.7)
    assert kinds(stand) == ["raise"]
    await stand.reads(1.0)
    assert kinds(stand) == ["raise", "clear"]
    assert stand.core.steps[1][1] == "alert1"


async def test_a_crash_right_after_raising_does_not_raise_twice() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.dies_after = True
    with pytest.raises(KeyboardInterrupt):
        await stand.reads(2.6)
    stand.core.dies_after = False
    stand.reborn()
    await stand.start()
    assert kinds(stand) == ["raise"]
    assert stand.core.asked == 2
    await stand.reads(1.0)
    assert stand.core.steps[1][:2] == ("clear", "alert1")


async def test_a_crash_right_before_raising_loses_nothing() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        await stand.reads(2.6)
    assert kinds(stand) == []
    stand.reborn()
    await stand.start()
    assert kinds(stand) == ["raise"]


async def test_a_store_that_takes_nothing_is_tried_again() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.store.broken = True
    assert not await stand.reads(2.6)
    assert kinds(stand) == []
    stand.store.broken = False
    stand.core.fails = [Unavailable("busy")]
    await stand.desk.tick()
    assert kinds(stand) == []
    await stand.desk.tick()
    assert kinds(stand) == ["raise"]


async def test_what_can_never_be_raised_is_counted_and_left() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [Invalid(Problem((), "nobody would get this"))]
    assert await stand.reads(2.6)
    await stand.reads(2.7)
    await stand.reads(1.0)
    assert kinds(stand) == []
    assert stand.gauges.refused.labels("prova")._value.get() == 1
    assert stand.readiness.concerns == ("1 findings of rules could not be made alerts",)


async def test_an_alert_that_ended_by_itself_is_raised_anew_while_it_goes_on() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    await stand.reads(2.6)
    await stand.clock.advance(13 * 3600)
    await stand.desk.tick()
    await stand.reads(2.7)
    assert kinds(stand) == ["raise", "raise"]


async def test_a_change_whose_original_was_taken_over_becomes_a_draft() -> None:
    stand = DeskStand(rule(match={"source": "pesa"}, change_by=0.5, action="send", unattended=True, hourly_cap=9))
    await stand.start()
    await stand.reads(1.0)
    stand.core.fails = [Conflict("anna has taken over alert1")]
    await stand.reads(2.0)
    assert [(step[0], step[3]) for step in stand.core.steps] == [("raise", True), ("raise", False)]
    await stand.reads(3.0)
    assert stand.core.steps[2][:2] == ("change", "alert2")
    assert not stand.core.steps[2][3]


async def test_only_what_a_rule_may_send_goes_out_alone() -> None:
    stand = DeskStand(gauge(action="send", unattended=True, hourly_cap=1))
    await stand.start()
    await stand.reads(2.6)
    await stand.reads(1.0)
    await stand.reads(2.6)
    assert [(step[0], step[3]) for step in stand.core.steps] == [("raise", True), ("clear", True), ("raise", False)]


async def test_a_rule_that_is_configured_no_more_says_nothing_and_remembers_when_it_is_back() -> None:
    one = gauge()
    stand = DeskStand(one)
    await stand.start()
    await stand.reads(2.6)
    stand.desk.apply([])
    await stand.reads(2.7)
    stand.desk.apply([one])
    await stand.reads(2.8)
    assert kinds(stand) == ["raise"]


# --- CAP ---


DOCUMENT = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier>
<sender>regione@example.it</sender><sent>2026-11-21T10:{minute:02}:00+00:00</sent><status>{status}</status>
<msgType>{kind}</msgType><scope>{scope}</scope>{references}{info}</alert>"""
INFO = """<info><language>it-IT</language><category>Met</category><event>Temporali</event><urgency>Expected</urgency>
<severity>{severity}</severity><certainty>Likely</certainty><expires>2026-11-22T10:00:00+00:00</expires>
<headline>Temporali forti</headline><area><areaDesc>Valdelsa</areaDesc>{area}</area></info>"""
CODE = "<geocode><valueName>zona</valueName><value>A4</value></geocode>"
SQUARE = "<polygon>43.71,11.00 43.73,11.00 43.73,11.03 43.71,11.03 43.71,11.00</polygon>"
FEED = spec("regione", "cap", exercises=True)


def document(
    identifier: str,
    minute: int,
    *,
    kind: str = "Alert",
    status: str = "Actual",
    severity: str = "Severe",
    of: tuple[str, int] | None = None,
    area: str = CODE,
    bare: bool = False,
    scope: str = "Public",
) -> bytes:
    references = ""
    if of is not None:
        references = f"<references>regione@example.it,{of[0]},2026-11-21T10:{of[1]:02}:00+00:00</references>"
    info = "" if bare else INFO.format(severity=severity, area=area)
    text = DOCUMENT.format(
        identifier=identifier, minute=minute, kind=kind, status=status, references=references, info=info, scope=scope
    )
    return text.encode()


async def hears(stand: DeskStand, *documents: bytes) -> None:
    from alertd.ingest.hearing import Hearing
    from tests.support.desk_stand import territory

    hearing = Hearing(FEED, territory)
    for one in documents:
        heard = hearing.heard(one, stand.clock.now())
        assert not [violation for violation in heard.violations if violation.fatal], heard.violations
        await stand.desk.take(hearing, heard)


def forward(**more: object) -> DeskStand:
    return DeskStand(rule(match={"source": "regione", "min_severity": "Moderate"}, template="forward", **more))


async def test_an_update_of_an_update_is_the_same_matter_and_a_bare_cancel_ends_it() -> None:
    stand = forward()
    await stand.start()
    await hears(
        stand,
        document("a", 0),
        document("b", 5, kind="Update", severity="Extreme", of=("a", 0)),
        document("b", 5, kind="Update", severity="Extreme", of=("a", 0)),
        document("c", 9, kind="Update", severity="Moderate", of=("b", 5)),
        document("d", 12, kind="Cancel", of=("c", 9), bare=True),
    )
    assert kinds(stand) == ["raise", "change", "change", "clear"]
    assert [step[2].info[0].severity for step in stand.core.steps[:3]] == ["Severe", "Extreme", "Moderate"]


async def test_a_cancel_that_comes_first_keeps_the_alert_from_being_raised() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, document("d", 12, kind="Cancel", of=("a", 0), bare=True), document("a", 0))
    assert kinds(stand) == []


async def test_an_update_that_no_longer_names_a_place_ends_it_there() -> None:
    stand = forward()
    await stand.start()
    other = CODE.replace("A4", "B1")
    await hears(stand, document("a", 0), document("b", 5, kind="Update", of=("a", 0), area=other))
    assert sorted(kinds(stand)) == ["clear", "raise", "raise"]


async def test_an_exercise_stays_one() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, document("a", 0, status="Exercise"), document("s", 1, status="System"))
    assert [step[2].status for step in stand.core.steps] == [Status.EXERCISE]
    assert stand.core.steps[0][2].source == "regione@example.it"


async def test_forwarding_goes_nowhere_its_shapes_do_not_touch() -> None:
    """The rule names two municipalities, the polygon lies in one of them."""
    stand = forward(zones=["048028", "048017"])
    await stand.start()
    await hears(stand, document("a", 0, area=SQUARE))
    (step,) = stand.core.steps
    assert step[2].info[0].zones == {"048028"}
    assert step[2].msg_type is MsgType.ALERT


@pytest.mark.parametrize(("area", "doubtful"), [(CODE, False), (CODE + "<polygon>43.7,11.0 43.8</polygon>", True)])
def test_a_message_read_in_part_is_doubtful(area: str, doubtful: bool) -> None:
    heard = cap.read(document("a", 0, area=area), cap.Config(), Received("regione", START))
    assert [signal.doubtful for signal in heard.signals] == [doubtful]


@pytest.mark.parametrize("scope", ["Restricted", "Private"])
@pytest.mark.parametrize("template", ["forward", "piena"])
async def test_what_is_not_for_the_public_is_never_told(scope: str, template: str) -> None:
    more = {"Restricted": "<restriction>uffici</restriction>", "Private": "<addresses>a@b.it</addresses>"}[scope]
    stand = DeskStand(rule(match={"source": "regione"}, template=template))
    await stand.start()
    text = document("a", 0, scope=scope).replace(b"</scope>", f"</scope>{more}".encode())
    await hears(stand, text)
    assert kinds(stand) == []
    assert stand.gauges.refused.labels("prova")._value.get() == 1
    assert stand.readiness.concerns == ("1 findings of rules could not be made alerts",)


async def test_a_template_too_goes_nowhere_the_shapes_do_not_touch() -> None:
    stand = DeskStand(rule(match={"source": "regione"}, zones=["048028", "048017"]))
    await stand.start()
    await hears(stand, document("a", 0, area=SQUARE), document("c", 5, kind="Cancel", of=("a", 0), bare=True))
    assert kinds(stand) == ["raise", "clear"]
    assert [step[2].info[0].zones for step in stand.core.steps] == [{"048028"}, {"048028"}]


async def test_where_shapes_touch_none_of_the_rules_zones_a_template_is_not_used() -> None:
    stand = DeskStand(rule(match={"source": "regione"}, zones=["048017"]))
    await stand.start()
    await hears(stand, document("a", 0, area=SQUARE))
    assert kinds(stand) == []


async def test_an_exercise_and_what_is_real_never_touch_each_other() -> None:
    stand = forward()
    await stand.start()
    await hears(
        stand,
        document("a", 0),
        document("u", 3, kind="Update", status="Exercise", severity="Extreme", of=("a", 0)),
        document("c", 5, kind="Cancel", status="Exercise", of=("a", 0), bare=True),
    )
    assert [(step[0], step[1], step[2].status) for step in stand.core.steps] == [
        ("raise", "", Status.ACTUAL),
        ("raise", "", Status.EXERCISE),
        ("clear", "alert2", Status.EXERCISE),
    ]


def test_a_place_is_as_bad_as_what_is_said_of_it() -> None:
    """Two infos of one message: the milder place does not get the worse one's severity."""
    worse = INFO.format(severity="Extreme", area=CODE)
    milder = INFO.format(severity="Minor", area=CODE.replace("A4", "B1"))
    text = DOCUMENT.format(
        identifier="a", minute=0, kind="Alert", status="Actual", references="", info=worse + milder, scope="Public"
    )
    heard = cap.read(text.encode(), cap.Config(), Received("regione", START))
    assert [(signal.zones, signal.severity) for signal in heard.signals] == [(("A4",), "Extreme"), (("B1",), "Minor")]
    assert isinstance(heard.signals[0].alert, Alert)
