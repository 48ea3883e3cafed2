"""Render: whatever the alert and whatever the templates, people read whether it is real, who, what, where,
until when and what to do."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.core.words.compose import title_lead
from alertd.core.words.facts import MAX_TEXT, MAX_TITLE, gather
from alertd.core.words.fragment import fragment_text
from alertd.core.words.phrases import PHRASES, phrases_for
from alertd.core.words.render import Mishap, Renderer, thread_tag
from alertd.core.words.samples import sample_alerts
from alertd.core.words.wording import line, squash
from alertd.domain.alert import Alert, Area, MsgType, Pair, Purpose, Reference, ResponseType, Severity, Status
from alertd.domain.blocks import infos_for
from alertd.ports.adapter import Notice, Service
from tests.unit.domain_words import ALERTS, NOW, alert, info

SHIPPED = Path(__file__).parents[2] / "config" / "templates"
SERVICE = Service(
    "Comune di Montelupo Fiorentino", "pc@comune.example.it", ("it-IT", "en-GB"), "Europe/Rome", "https://a.example.it"
)
ROME = ZoneInfo("Europe/Rome")
EVERY_BLOCK = (1 << 60) - 1
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def notice(
    renderer: Renderer, one: Alert, language: str = "it-IT", *, channel: str = "push", blocks: int = EVERY_BLOCK
) -> Notice:
    return renderer.notice(
        one, channel=channel, adapter="webpush", language=language, blocks=blocks, deadline=NOW, root=one.identifier
    )


@pytest.fixture(scope="module")
def shipped() -> Renderer:
    return Renderer(SERVICE, [SHIPPED])


def templates(folder: Path, **parts: str) -> Path:
    """A folder of default templates for every language: templates(tmp, title="…", text="…", html="…")."""
    place = folder / "default"
    place.mkdir(exist_ok=True)
    for language in ("it", "en", "de", "fr", "es"):
        for part, source in parts.items():
            (place / f"{language}.{part}.j2").write_text(source)
    return folder


def assert_says_all(n: Notice, one: Alert, language: str) -> None:
    """The promise of this file, checked on what a citizen would see."""
    phrases = phrases_for(language, SERVICE.languages)
    facts = gather(
        one,
        infos_for(one, EVERY_BLOCK, language, SERVICE.languages),
        service=SERVICE,
        phrases=phrases,
        zone=ROME,
        url=f"https://a.example.it/alerts/{one.id}" if one.status.is_real else "",
    )
    mark = phrases.marks.get(one.status, "")
    assert bool(mark) is not one.status.is_real
    assert n.title.startswith(f"{mark} - {SERVICE.name}: " if mark else f"{SERVICE.name}: ")
    assert n.text.startswith(f"{mark}\n{SERVICE.name}" if mark else SERVICE.name)
    change = {MsgType.UPDATE: phrases.update, MsgType.CANCEL: phrases.cancelled}.get(one.msg_type, "")
    assert change in n.title
    html = fragment_text(n.html)
    for body in (squash(n.text), squash(html)):
        assert body.startswith(squash(f"{mark} {SERVICE.name} {change}"))
        for block in facts.blocks:
            for said in (block.what, *block.where, block.until, block.do, block.web, block.contact):
                assert squash(said) in body
        assert facts.url in body.replace("\n", " ") or squash(facts.url) in body
        assert squash(facts.mark_note) in body
        assert squash(facts.change_note) in body
    assert len(n.text) <= MAX_TEXT
    assert len(n.title) <= MAX_TITLE
    assert "\n" not in n.title
    assert not FORBIDDEN.search(n.title + n.text + n.html)


HOSTILE = [
    {},
    {"title": "", "text": "", "html": ""},
    {"title": "hello", "text": "hello", "html": "<p>hello</p>"},
    {"title": "{{ what }} {{ name }}", "text": "{{ blocks[0].what }}", "html": "<p>{{ mark }}</p>"},
    {"title": "{{ 1/0 }}", "text": "{{ nothing }}", "html": "{{ blocks[99].what }}"},
    {"title": "{{ 'a' * 10**9 }}", "text": "{{ '%99999999999d' % 1 }}", "html": "{{ 9**9**9 }}"},
    {"title": "\x00\u202e\n\n", "text": "\x00\u202e" * 50, "html": "\x00"},
    {"title": "x" * 15_000, "text": "x " * 7_900, "html": "x " * 7_900},
    {"title": "ok", "text": "ok", "html": "<script>alert(1)</script>"},
    {"title": "ok", "text": "ok", "html": "<p>{{ what }}<!-- "},
    {"title": "ok", "text": "ok", "html": '<p>{{ what }}</p><a href="'},
    {"title": "ESERCITAZIONE", "text": "Comune di Montelupo Fiorentino", "html": "<h2>EXERCISE</h2>"},
    {
        "text": "{% for b in blocks %}{% for w in b.where %}{% for l in b.do|lines %}{{ b.description }}{% endfor %}{% endfor %}{% endfor %}"
    },
    {
        "text": "{{ what.__class__.__mro__ }}",
        "html": "{{ labels.__init__.__globals__ }}",
        "title": "{{ blocks.__class__ }}",
    },
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[Renderer]:
    return [
        Renderer(SERVICE, [templates(tmp_path_factory.mktemp("t"), **parts)], on_mishap=lambda _: None)
        for parts in HOSTILE
    ]


# --- the promise ------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(one=ALERTS, language=st.sampled_from(["it-IT", "en", "de-DE", "fr", "es", "xx", ""]))
def test_any_alert_says_all_by_the_shipped_templates(shipped: Renderer, one: Alert, language: str) -> None:
    assert_says_all(notice(shipped, one, language), one, language)


@settings(max_examples=150, deadline=None)
@given(one=ALERTS, language=st.sampled_from(["it-IT", "en", "de"]), which=st.integers(0, len(HOSTILE) - 1))
def test_any_alert_says_all_whatever_the_templates(
    hostile: list[Renderer], one: Alert, language: str, which: int
) -> None:
    assert_says_all(notice(hostile[which], one, language), one, language)


@pytest.mark.parametrize("which", range(len(HOSTILE)))
def test_every_sample_says_all_whatever_the_templates(hostile: list[Renderer], which: int) -> None:
    for one in sample_alerts():
        assert_says_all(notice(hostile[which], one), one, "it-IT")


# --- the words ---------------------------------------------------------------------------------------------------


def test_an_italian_emergency_in_full(shipped: Renderer) -> None:
    one = alert(info(onset=datetime(2026, 11, 22, 5, tzinfo=UTC), contact="055 000", web="https://example.org/x"))
    n = notice(shipped, one)
    assert n.title == "Comune di Montelupo Fiorentino: Allerta arancione per temporali"
    assert n.text == (
        "Comune di Montelupo Fiorentino\n\n"
        "Allerta arancione per temporali\n"
        "Temporali forti\n"
        "Dove: Montelupo Fiorentino\n"
        "Dal: domenica 22 novembre 2026, ore 06:00\n"
        "Fino a: lunedì 23 novembre 2026, ore 00:00\n"
        "Gravità: elevata - agire nelle prossime ore\n\n"
        "Che cosa fare: Restate in casa.\n\n"
        "Informazioni: https://example.org/x\n"
        "Contatti: 055 000\n\n"
        "Avviso completo: https://a.example.it/alerts/01A"
    )
    assert n.url == "https://a.example.it/alerts/01A"
    assert (n.language, n.infos, n.deadline) == ("it-IT", one.info, NOW)


@pytest.mark.parametrize(
    ("language", "marks"),
    [
        ("it-IT", ("ESERCITAZIONE", "TEST / PROVA", "TEST DI SISTEMA", "BOZZA / PROVA")),
        ("en-GB", ("EXERCISE", "TEST", "SYSTEM TEST", "DRAFT")),
        ("pl", ("ESERCITAZIONE", "TEST / PROVA", "TEST DI SISTEMA", "BOZZA / PROVA")),
    ],
)
def test_drill_marks(shipped: Renderer, language: str, marks: tuple[str, ...]) -> None:
    for status, mark in zip((Status.EXERCISE, Status.TEST, Status.SYSTEM, Status.DRAFT), marks, strict=True):
        n = notice(shipped, alert(info(), status=status), language)
        assert n.title.startswith(f"{mark} - ")
        assert n.text.startswith(f"{mark}\n")


def test_without_any_known_language_english_speaks() -> None:
    renderer = Renderer(replace(SERVICE, languages=("pl",)), [])
    assert notice(renderer, alert(info(), status=Status.EXERCISE), "cs").title.startswith("EXERCISE - ")


def test_times_are_the_town_s(shipped: Renderer) -> None:
    summer = alert(info(expires=datetime(2026, 7, 1, 22, 30, tzinfo=UTC)))
    assert "giovedì 2 luglio 2026, ore 00:30" in notice(shipped, summer).text
    assert "Thursday 2 July 2026, 00:30" in notice(shipped, summer, "en").text
    assert "Donnerstag, 2. Juli 2026, 00:30 Uhr" in notice(shipped, summer, "de").text


def test_without_an_end_it_says_so(shipped: Renderer) -> None:
    assert "Fino a: nuovo avviso" in notice(shipped, alert(info(expires=None))).text


def test_many_areas_are_bounded(shipped: Renderer) -> None:
    many = info(area=tuple(Area(f"Zona {i}", zones=(str(i),)) for i in range(50)))
    text = notice(shipped, alert(many)).text
    assert "Zona 11, e altre 38 zone" in text
    assert "Zona 12" not in text


def test_what_to_do_comes_from_the_response_types_where_there_are_no_words(shipped: Renderer) -> None:
    one = info(instruction=None, response_type=(ResponseType.EVACUATE, ResponseType.NONE))
    assert "Che cosa fare: Allontanatevi dalla zona." in notice(shipped, alert(one)).text
    silent = info(instruction=None)
    assert "Seguite le indicazioni delle autorità." in notice(shipped, alert(silent)).text
    assert "Che cosa fare" not in notice(shipped, alert(silent, purpose=Purpose.EVENT)).text


def test_severity_is_for_emergencies(shipped: Renderer) -> None:
    assert "Gravità: elevata" in notice(shipped, alert(info())).text
    assert "Gravità" not in notice(shipped, alert(info(), purpose=Purpose.SERVICE)).text


def test_several_blocks_worst_first_and_only_those_selected(shipped: Renderer) -> None:
    mild = info(event="Vento", headline="Vento moderato", severity=Severity.MINOR)
    worst = info(event="Piena", headline="Piena del Pesa", severity=Severity.EXTREME)
    n = notice(shipped, alert(mild, worst))
    assert n.title.endswith("Piena del Pesa (+1)")
    assert n.text.index("Piena del Pesa") < n.text.index("Vento moderato")
    assert n.infos == (worst, mild)
    assert "Piena" not in notice(shipped, alert(mild, worst), blocks=0b01).text


def test_update_and_cancel_are_marked(shipped: Renderer) -> None:
    assert "Fiorentino: AGGIORNAMENTO - " in notice(shipped, alert(info(), msg_type=MsgType.UPDATE)).title
    cancel = alert(info(instruction=None, expires=None), msg_type=MsgType.CANCEL, note="Falso allarme.")
    n = notice(shipped, cancel)
    assert n.title.startswith("Comune di Montelupo Fiorentino: ANNULLATO - ")
    assert "Questo avviso è annullato e non è più valido. Annullato: domenica 22 novembre 2026, ore 06:00." in n.text
    assert "Nota: Falso allarme." in n.text
    assert "Le indicazioni date in precedenza non valgono più." in n.text
    assert "CANCELLED - " in notice(shipped, cancel, "en").title


def test_a_cancel_with_nothing_speaks_by_note_and_reference(shipped: Renderer) -> None:
    reference = Reference("pc@comune.example.it", "01EARLIER", "2026-11-22T05:00:00+01:00")
    n = notice(shipped, alert(msg_type=MsgType.CANCEL, references=(reference,), note="Falso allarme."))
    assert "Falso allarme." in n.title
    assert "Riferimento: 01EARLIER" in n.text
    assert notice(shipped, alert(msg_type=MsgType.CANCEL)).title.endswith("ANNULLATO - Avviso di emergenza")


def test_html_escapes_what_people_wrote(shipped: Renderer) -> None:
    n = notice(shipped, alert(info(headline='<img src=x onerror="a()"> & co', description="<script>")))
    assert "<img" not in n.html
    assert "<script>" not in n.html
    assert '<img src=x onerror="a()"> & co' in unescape(n.html)
    assert '<img src=x onerror="a()"> & co' in n.text


def test_a_link_that_is_no_web_address_is_not_shown(shipped: Renderer) -> None:
    n = notice(shipped, alert(info(web="javascript:alert(1)")))
    assert "javascript" not in n.text + n.html


def test_without_a_public_url_there_is_no_link() -> None:
    n = notice(Renderer(replace(SERVICE, public_url=""), [SHIPPED]), alert(info()))
    assert n.url == ""
    assert "Avviso completo" not in n.text


def test_the_sender_is_never_nobody() -> None:
    assert notice(Renderer(replace(SERVICE, name=" \x00"), []), alert(info())).text.startswith("pc@comune.example.it\n")


def test_tags_name_the_thread() -> None:
    tags = {thread_tag(root) for root in ("01A", "01B", "è\ud800", "")}
    assert len(tags) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", tag) for tag in tags)


@given(st.sampled_from(sorted(PHRASES)), st.datetimes(timezones=st.just(UTC)))
def test_every_language_can_say_any_moment(tag: str, moment: datetime) -> None:
    assert line(PHRASES[tag].when(moment, ROME))


# --- templates ---------------------------------------------------------------------------------------------------


def test_the_shipped_templates_are_sound_and_add_nothing_twice(shipped: Renderer) -> None:
    assert shipped.check() == ()
    for one in sample_alerts():
        n = notice(shipped, one)
        assert n.text.count(SERVICE.name) == 1
        assert n.text.count("Avviso completo") == one.status.is_real, "a drill has no public page"
        facts = gather(one, one.info[:1], service=SERVICE, phrases=PHRASES["it"], zone=ROME, url="")
        assert n.title.startswith(title_lead(facts))


def test_the_nearest_template_speaks(tmp_path: Path) -> None:
    for name in ("default/it", "webpush/it", "canale/it", "webpush/it-IT", "default/en"):
        file = tmp_path / f"{name}.title.j2"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{{{{ lead }}}}{{{{ what }}}} [{name}]")
    own, beside = tmp_path, tmp_path / "second"
    (beside / "canale").mkdir(parents=True)
    (beside / "canale" / "it.title.j2").write_text("{{ what }} [second]")
    renderer = Renderer(SERVICE, [own, beside])

    def spoke(channel: str, language: str) -> str:
        return notice(renderer, alert(info()), language, channel=channel).title.rpartition(" ")[2]

    assert spoke("canale", "it-IT") == "[canale/it]"
    assert spoke("push", "it-IT") == "[webpush/it-IT]"
    assert spoke("push", "it-CH") == "[webpush/it]"
    assert spoke("push", "en-US") == "[default/en]"
    assert spoke("push", "pl") == "[webpush/it]"  # the language whose fixed words are used
    assert spoke("../../etc", "de") == "temporali"


def test_a_failing_template_is_told_and_the_alert_goes_out(tmp_path: Path) -> None:
    told: list[Mishap] = []
    renderer = Renderer(SERVICE, [templates(tmp_path, text="{{ nothing }}")], on_mishap=told.append)
    n = notice(renderer, alert(info()))
    assert "Allerta arancione per temporali" in n.text
    assert [Path(m.file).name for m in told] == ["it.text.j2"]
    assert "nothing" in told[0].error
    assert any("it.text.j2: fails on a sample alert" in problem for problem in renderer.check())


def test_autoescape_is_for_html_alone(tmp_path: Path) -> None:
    renderer = Renderer(SERVICE, [templates(tmp_path, title="{{ what }}", text="{{ what }}", html="<p>{{ what }}</p>")])
    n = notice(renderer, alert(info(headline="A & B")))
    assert "A & B" in n.title
    assert "A & B" in n.text
    assert "<p>A &amp; B</p>" in n.html


BAD_TEMPLATES = [
    ("text", "{% if %}", "line 1"),
    ("text", "\n{{ what", "line 2"),
    ("text", "{{ what|center(1000000000) }}", "No filter named 'center'"),
    ("text", "{{ what.ljust(1000000000) }}", "Call has no place"),
    ("text", "{{ range(10) }}", "Call has no place"),
    ("text", "{% set a = 1 %}", "Assign has no place"),
    ("text", "{% macro m() %}{% endmacro %}", "Macro has no place"),
    ("text", "{% include 'x' %}", "Include has no place"),
    ("text", "{% extends 'x' %}", "Extends has no place"),
    ("text", "{% import 'x' as y %}", "Import has no place"),
    ("text", "{% for c in what %}{% endfor %}", "a loop runs over"),
    (
        "text",
        "{% for a in blocks %}{% for b in blocks %}{% for c in blocks %}{% for d in blocks %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        "at most 3 deep",
    ),
    ("text", "x" * 16_001, "longer than 16000"),
    ("text", "{{ what|join('x') }}", "only a list can be joined"),
    ("text", "{{ 'a' * 1000000000 }}", "may not use"),
    ("text", "{{ 2 ** 2 }}", "may not use"),
    ("text", "{{ nothing }}", "undefined"),
    ("text", "{{ what.__class__ }}", "unsafe"),
    (
        "text",
        "{% for a in blocks %}{% for b in blocks %}{{ b.description }}" + "x" * 1000 + "{% endfor %}{% endfor %}",
        None,
    ),
    (
        "text",
        "{% for a in blocks %}{% for b in blocks %}{% for c in blocks %}"
        + "x" * 1000
        + "{% endfor %}{% endfor %}{% endfor %}",
        "writes more than",
    ),
    ("html", "<p>{{ what }}", "leaves <p> open"),
    ("html", "<b><i>{{ what }}</b></i>", "out of order"),
    ("html", "<script></script>", "uses <script>"),
    ("html", '<p style="x">a</p>', "attribute 'style'"),
    ("html", '<a href="javascript:x">a</a>', "links to"),
    ("html", "<!-- x -->", "opens no complete tag"),
    ("html", "a < b", "opens no complete tag"),
    ("html", "x" * 15_000 + "{% for b in blocks %}" + "x" * 900 + "{% endfor %}", None),
]


@pytest.mark.parametrize(("part", "source", "why"), BAD_TEMPLATES)
def test_check_names_file_and_fault(tmp_path: Path, part: str, source: str, why: str | None) -> None:
    renderer = Renderer(SERVICE, [templates(tmp_path, **{part: source})], on_mishap=lambda _: None)
    problems = renderer.check()
    if why is None:
        assert problems == ()
    else:
        assert len(problems) == 5
        assert all(f".{part}.j2: " in p and why in p for p in problems), problems
    assert_says_all(notice(renderer, alert(info())), alert(info()), "it-IT")


@pytest.mark.parametrize("name", ["it.j2", "it.txt.j2", "italiano.text.j2", "..text.j2"])
def test_a_misnamed_template_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / name).write_text("x")
    assert "a template is named" in Renderer(SERVICE, [tmp_path]).check()[0]


def test_a_template_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "it.text.j2").write_bytes(b"\xff\xfe")
    assert "cannot be read" in Renderer(SERVICE, [tmp_path]).check()[0]


def test_no_template_folder_is_no_fault(tmp_path: Path) -> None:
    renderer = Renderer(SERVICE, [tmp_path / "none"])
    assert renderer.check() == ()
    one = alert(info(), status=Status.EXERCISE)
    assert_says_all(notice(renderer, one), one, "it-IT")


def test_templates_see_the_parameters_of_an_info(tmp_path: Path) -> None:
    renderer = Renderer(
        SERVICE, [templates(tmp_path, text="{{ blocks[0].parameters['colore']|default('?') if blocks }}")]
    )
    assert "arancione" in notice(renderer, alert(info(parameter=(Pair("colore", "arancione"),)))).text
    assert renderer.check() == (), "an absent one has a default"
