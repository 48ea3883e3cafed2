"""Blocks: translations go together, everything else apart, and nobody misses a warning."""

from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.alert import Area, Severity
from alertd.domain.blocks import blocks_of, infos_for
from tests.unit.domain_words import INFOS, alert, info

IT = info()
EN = info(language="en-GB", event="Severe thunderstorms")


def test_translations_are_one_block() -> None:
    (block,) = blocks_of(alert(IT, EN))
    assert block.infos == (IT, EN)
    assert block.in_language("en-US", ()) is EN
    assert block.in_language("de", ("it",)) is IT
    assert block.in_language("de", ()) is IT


def test_other_zones_or_severity_are_another_block() -> None:
    empoli = info(area=(Area("Empoli", zones=("048014",)),))
    worse = info(severity=Severity.EXTREME)
    assert [b.bit for b in blocks_of(alert(IT, empoli, worse))] == [1, 2, 4]


def test_two_events_in_two_languages_pair_in_their_order() -> None:
    wind, vento = info(language="en", event="Wind"), info(event="Vento")
    rain, pioggia = info(language="en", event="Rain"), info(event="Pioggia")
    assert [b.infos for b in blocks_of(alert(vento, pioggia, wind, rain))] == [(vento, wind), (pioggia, rain)]


def test_where_one_language_says_more_each_stands_alone() -> None:
    vento, pioggia, rain = info(event="Vento"), info(event="Pioggia"), info(language="en", event="Rain")
    told = infos_for(alert(vento, pioggia, rain), 0b111, "en", ("it",))
    assert set(told) == {vento, pioggia, rain}


def test_worst_first_and_only_what_the_mask_selects() -> None:
    mild = info(severity=Severity.MINOR, event="Mild")
    worst = info(severity=Severity.EXTREME, event="Worst")
    assert infos_for(alert(mild, worst), 0b11, "it", ()) == (worst, mild)
    assert infos_for(alert(mild, worst), 0b01, "it", ()) == (mild,)


@given(st.lists(INFOS, max_size=12), st.sampled_from(["it", "en-GB", "zz"]))
def test_every_info_is_in_exactly_one_block_and_no_event_is_lost(infos, language) -> None:
    blocks = blocks_of(alert(*infos))
    assert sorted(id(i) for b in blocks for i in b.infos) == sorted(id(i) for i in infos)
    assert [b.bit for b in blocks] == [1 << i for i in range(len(blocks))]
    assert len(infos_for(alert(*infos), (1 << 60) - 1, language, ())) == len(blocks)
    for block in blocks:
        languages = [i.language.lower() for i in block.infos]
        assert len(set(languages)) == len(languages)
        assert {(i.zones, i.severity, i.urgency, i.certainty) for i in block.infos} == {
            (block.zones, block.infos[0].severity, block.infos[0].urgency, block.infos[0].certainty)
        }
