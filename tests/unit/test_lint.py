"""The lint: each fault named with its path, in words that say what would be right; a good alert has none."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.words.phrases import PHRASES
from alertd.domain.alert import Area, Info, MsgType, Pair, Resource, Scope, Status
from alertd.domain.geo import Circle, Point, Polygon
from alertd.domain.lint import advise, lint, lint_texts
from alertd.domain.problems import Problem
from alertd.domain.texts import LIMITS, identifier_fault, language_fault, text_fault, url_fault
from tests.unit.domain_words import INFOS, NOW, info

TRIANGLE = Polygon.parse("43.73,11.01 43.74,11.03 43.72,11.04 43.73,11.01")
LATER = NOW + timedelta(hours=1)


def faults(
    *infos: Info,
    msg_type: MsgType = MsgType.ALERT,
    scope: Scope = Scope.PUBLIC,
    status: Status = Status.ACTUAL,
) -> tuple[Problem, ...]:
    return lint(msg_type=msg_type, scope=scope, status=status, info=infos, now=NOW)


def only(problems: tuple[Problem, ...]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def test_a_good_alert_has_no_fault() -> None:
    shapes = Area("Argine", polygons=(TRIANGLE,), circles=(Circle(Point(43.7, 11), 1),), altitude=10, ceiling=20)
    full = info(
        language="en-GB",
        web="https://example.org/a?b=c#d",
        onset=LATER,
        area=(shapes,),
        resource=(Resource("Map", "image/png", 10, "https://example.org/a.png"),),
        parameter=(Pair("a", "b"),),
    )
    assert faults(info(), full) == ()


@pytest.mark.parametrize("msg_type", [MsgType.ALERT, MsgType.UPDATE])
def test_no_info(msg_type: MsgType) -> None:
    assert only(faults(msg_type=msg_type)).loc == ("info",)


def test_a_cancel_needs_no_info() -> None:
    assert faults(msg_type=MsgType.CANCEL) == ()


@pytest.mark.parametrize("msg_type", [MsgType.ACK, MsgType.ERROR])
def test_answers_are_not_sent(msg_type: MsgType) -> None:
    assert only(faults(info(), msg_type=msg_type)).loc == ("msg_type",)


@pytest.mark.parametrize("scope", [Scope.RESTRICTED, Scope.PRIVATE])
def test_what_is_not_public_is_refused_and_never_widened(scope: Scope) -> None:
    problem = only(faults(info(), scope=scope))
    assert problem.loc == ("scope",)
    assert scope in problem.msg


BAD_INFOS = [
    ({"area": ()}, ("area",)),
    ({"area": (Area("Somewhere"),)}, ("area", 0)),
    ({"area": (Area("Somewhere", zones=(" ",)),)}, ("area", 0)),
    ({"area": (Area("x", zones=("1",)), Area("y", geocodes=(Pair("a", "b"),)))}, ("area", 1)),
    ({"area": (Area("x", zones=("1",), ceiling=100.0),)}, ("area", 0, "ceiling")),
    ({"area": (Area("x", zones=("1",), altitude=200.0, ceiling=100.0),)}, ("area", 0, "ceiling")),
    ({"area": (Area("x", zones=("1",), altitude=float("nan")),)}, ("area", 0, "altitude")),
    ({"area": (Area("x" * 1001, zones=("1",)),)}, ("area", 0, "area_desc")),
    ({"area": (Area("x", zones=("1\x00",)),)}, ("area", 0, "zone")),
    ({"area": (Area("x", zones=("1",), geocodes=(Pair("a", "\x07"),)),)}, ("area", 0, "geocode", 0, "value")),
    ({"area": (Area("x", zones=("1",)),) * 501}, ("area",)),
    ({"language": ""}, ("language",)),
    ({"language": "italiano"}, ("language",)),
    ({"language": "it_IT"}, ("language",)),
    ({"category": ()}, ("category",)),
    ({"event": " \n"}, ("event",)),
    ({"event": "x" * 201}, ("event",)),
    ({"headline": "x" * 501}, ("headline",)),
    ({"description": "x" * 10_001}, ("description",)),
    ({"description": "bell \x07"}, ("description",)),
    ({"instruction": "half \ud800"}, ("instruction",)),
    ({"contact": "\ufffe"}, ("contact",)),
    ({"web": "www.example.org"}, ("web",)),
    ({"web": "javascript:alert(1)"}, ("web",)),
    ({"web": "https://"}, ("web",)),
    ({"web": "https://exa mple.org"}, ("web",)),
    ({"web": "https://[::1"}, ("web",)),
    ({"expires": NOW}, ("expires",)),
    ({"expires": NOW - timedelta(days=365)}, ("expires",)),
    ({"expires": LATER, "onset": LATER}, ("expires",)),
    ({"expires": LATER, "effective": LATER + timedelta(hours=1)}, ("expires",)),
    ({"expires": NOW + timedelta(days=4000)}, ("expires",)),
    ({"expires": None, "effective": datetime.max.replace(tzinfo=NOW.tzinfo)}, ("effective",)),
    ({"expires": None, "onset": NOW + timedelta(days=4000)}, ("onset",)),
    ({"expires": datetime(2026, 11, 23, 6)}, ("expires",)),  # noqa: DTZ001
    ({"resource": (Resource("", "image/png"),)}, ("resource", 0, "resource_desc")),
    ({"resource": (Resource("Map", "png"),)}, ("resource", 0, "mime_type")),
    ({"resource": (Resource("Map", "image/png", -1),)}, ("resource", 0, "size")),
    ({"resource": (Resource("Map", "image/png", 1, "file:///etc/passwd"),)}, ("resource", 0, "uri")),
    ({"resource": (Resource("Map", "image/png"),) * 21}, ("resource",)),
    ({"parameter": (Pair("ok", "ok"), Pair("\x1b[2J", "v"))}, ("parameter", 1, "value_name")),
    ({"headline": "ESERCITAZIONE: evacuazione"}, ("headline",)),
    ({"event": "TEST"}, ("event",)),
]


@pytest.mark.parametrize(("changes", "path"), BAD_INFOS)
def test_a_fault_is_named_where_it_is(changes: dict, path: tuple) -> None:
    problem = only(faults(info(), info(language="en"), info(**{"language": "de", **changes})))
    assert problem.loc == ("info", 2, *path)
    assert problem.msg


@pytest.mark.parametrize("phrases", PHRASES.values(), ids=list(PHRASES))
def test_every_mark_is_reserved_for_what_is_not_real(phrases) -> None:
    for status, mark in phrases.marks.items():
        bad = info(headline=f"{mark}: allagamenti in centro")
        assert only(faults(bad)).loc == ("info", 0, "headline")
        assert faults(bad, status=status) == ()


@pytest.mark.parametrize(
    "headline", ["Esercitazione sabato: nessun allarme", "TEST HIV gratuiti in piazza", "Prova generale della banda"]
)
def test_speaking_of_a_drill_is_no_drill(headline: str) -> None:
    assert faults(info(headline=headline)) == ()


def test_the_same_language_twice_about_the_same() -> None:
    other = info(headline="Allerta rossa per temporali")
    problem = only(faults(info(), info(language="en"), other))
    assert problem.loc == ("info", 2)
    assert "info 0" in problem.msg


@pytest.mark.parametrize(
    "changes",
    [
        {"language": "it-CH"},
        {"event": "Vento forte"},
        {"expires": NOW + timedelta(hours=30), "onset": LATER},
        {"area": (Area("Empoli", zones=("048014",)),)},
        {"area": (Area("Argine", polygons=(TRIANGLE,)),)},
    ],
)
def test_another_language_event_time_or_area_is_no_repetition(changes: dict) -> None:
    assert faults(info(), info(**changes)) == ()


def test_too_much_of_everything() -> None:
    many = tuple(info(event=f"Evento {i}") for i in range(61))
    assert only(faults(*many)).loc == ("info",)
    long = tuple(info(event=f"Evento {i}", description="x" * 9_999) for i in range(21))
    assert "characters in all" in only(faults(*long)).msg
    ring = Polygon((*(Point(0, i / 10_000) for i in range(1_999)), Point(0, 0)))
    wide = tuple(info(event=f"Evento {i}", area=(Area("x", polygons=(ring,)),)) for i in range(11))
    assert "points in all" in only(faults(*wide)).msg


def test_all_faults_are_named_at_once() -> None:
    bad = info(language="?", event="", area=(), web="x", expires=NOW)
    problems = faults(bad, scope=Scope.PRIVATE, msg_type=MsgType.ACK)
    assert len({p.loc for p in problems}) == 7


@given(st.lists(INFOS, max_size=4), st.sampled_from(MsgType), st.sampled_from(Scope), st.sampled_from(Status))
def test_the_lint_never_fails_itself(infos, msg_type, scope, status) -> None:
    for problem in lint(msg_type=msg_type, scope=scope, status=status, info=infos, now=NOW):
        assert problem.msg.isprintable()
        assert problem.loc


def test_the_alert_s_own_texts() -> None:
    assert lint_texts({"note": "fine", "source": None}) == ()
    problems = lint_texts({"note": "\x00", "incidents": "x" * 1001})
    assert [p.loc for p in problems] == [("note",), ("incidents",)]


def test_advice_refuses_nothing_and_says_what_could_be_better() -> None:
    assert advise([info()], NOW) == ()
    poor = replace(info(), headline="x" * 161, instruction=None, expires=None, effective=LATER)
    assert [p.loc[-1] for p in advise([poor], NOW)] == ["headline", "instruction", "expires", "effective"]
    assert advise([info(headline=None)], NOW)[0].loc == ("info", 0, "headline")


@pytest.mark.parametrize("text", ["a", "urn:oid:2.49.0.1.380", "pc@comune.example.it"])
def test_identifiers(text: str) -> None:
    assert identifier_fault(text) is None


@pytest.mark.parametrize("text", ["", "a b", "a,b", "a<b", "a&b", "a\nb", "a\x00"])
def test_what_is_no_identifier(text: str) -> None:
    assert identifier_fault(text)


@pytest.mark.parametrize("tag", ["it", "it-IT", "en", "sr-Latn-RS", "fil"])
def test_languages(tag: str) -> None:
    assert language_fault(tag) is None


def test_limits_hold_exactly() -> None:
    assert text_fault("x" * LIMITS["event"], LIMITS["event"]) is None
    assert text_fault("x" * (LIMITS["event"] + 1), LIMITS["event"])
    assert text_fault("tab\tand\r\nline, emoji 🌧, àèìòù", 100) is None


def test_urls() -> None:
    assert url_fault("http://localhost:8470/a") is None
    assert url_fault('https://e.org/"onclick=') is not None
