"""What CAP asks for and a schema cannot say: each rule, its message and its line."""

import hashlib
from base64 import b64encode

import pytest

from alertd.cap.check import checked
from alertd.cap.crossing import Sweeps
from alertd.cap.reader import read
from alertd.cap.rules import check
from alertd.domain.geo import Polygon
from tests.unit.cap_samples import AREA, HEAD, SQUARE, WORDS, alert, info
from tests.unit.test_cap_writer import PLAIN, changed

BOW = "43.7,11.0 43.8,11.1 43.8,11.0 43.7,11.1 43.7,11.0"


def said(head: str = HEAD, infos: str | None = None) -> list[str]:
    (found,) = read(alert(head, infos)).found
    assert found.alert is not None
    return [f"{v.where}: {v.message}" for v in checked(found)]


def _file(*, data: bytes = b"hi", digest: str | None = None, size: str = "2", base64: str | None = None) -> str:
    digest = hashlib.sha1(data).hexdigest() if digest is None else digest
    text = b64encode(data).decode() if base64 is None else base64
    return f"<resource><resourceDesc>a</resourceDesc><mimeType>image/png</mimeType><size>{size}</size><derefUri>{text}</derefUri><digest>{digest}</digest></resource>"


def _area(inside: str) -> str:
    return f"<area><areaDesc>x</areaDesc>{inside}</area>"


GOOD = {
    "an update": HEAD.replace(">Alert<", ">Update<") + "<references>a@b,1,2026-11-22T05:00:00-00:00</references>",
    "restricted": HEAD.replace("<scope>Public</scope>", "<scope>Restricted</scope><restriction>firemen</restriction>"),
    "private": HEAD.replace("<scope>Public</scope>", "<scope>Private</scope><addresses>a@b</addresses>"),
    "a profile": HEAD + "<code>profile:CAP-CP:0.4</code>",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_heads_break_nothing(name: str) -> None:
    assert said(GOOD[name]) == []


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (HEAD.replace(">Alert<", ">Update<"), "line 2: msgType Update needs references"),
        (HEAD.replace(">Alert<", ">Cancel<"), "line 2: msgType Cancel needs references"),
        (HEAD.replace(">Alert<", ">Ack<"), "line 2: msgType Ack needs references"),
        (HEAD.replace(">Alert<", ">Error<"), "line 2: msgType Error needs references"),
        (
            HEAD + "<references>pc@comune.example.it,i-1,2026-11-22T06:00:00+01:00</references>",
            "line 9: the alert references itself",
        ),
        (HEAD + "<references>a@b,1,yesterday</references>", "line 9: the reference's time 'yesterday' is none"),
        (HEAD.replace("Public", "Restricted"), "line 8: scope Restricted needs a restriction"),
        (HEAD.replace("Public", "Private"), "line 8: scope Private needs addresses"),
        (HEAD + "<restriction>x</restriction>", "line 9: restriction belongs to scope Restricted"),
        (HEAD.replace("i-1", "i 1"), "line 3: identifier 'i 1' must be one word"),
        (HEAD.replace("pc@", "a,pc@"), "line 4: sender 'a,pc@comune.example.it' must be one word"),
        (HEAD + "<code/>", "line 9: code is empty"),
        (HEAD + "<code>alertd:purpose=party</code>", "line 9: code 'alertd:purpose=party' names no purpose"),
    ],
)
def test_rules_of_the_alert(head: str, says: str) -> None:
    assert any(one.startswith(says) for one in said(head)), said(head)


@pytest.mark.parametrize(
    ("infos", "says"),
    [
        (
            info(rest="<expires>2026-11-22T05:59:59+01:00</expires>"),
            "line 16: expires 2026-11-22T05:59:59+01:00 is not after sent",
        ),
        (
            info(rest="<effective>2026-11-22T08:00:00+01:00</effective><expires>2026-11-22T07:00:00-00:00</expires>"),
            "line 17: expires 2026-11-22T07:00:00+00:00 is not after effective",
        ),
        (
            info(rest="<onset>2026-11-22T09:00:00+01:00</onset><expires>2026-11-22T09:00:00+01:00</expires>"),
            "line 17: expires 2026-11-22T09:00:00+01:00 is not after onset",
        ),
        (info().replace("it-IT", "it_IT"), "line 10: language 'it_IT' is not a language tag"),
        (info(area=_area("")), "line 16: area is empty"),
        (info(area=_area(f"<polygon>{SQUARE}</polygon><ceiling>5</ceiling>")), "line 19: ceiling needs an altitude"),
        (
            info(area=_area(f"<polygon>{SQUARE}</polygon><altitude>9</altitude><ceiling>5</ceiling>")),
            "line 20: ceiling 5.0 lies below",
        ),
        (
            info(area=_area(f"<polygon>{SQUARE}</polygon><altitude>9000000</altitude>")),
            "line 19: altitude 9000000.0 is no height",
        ),
        (info(area=_area(f"<polygon>{BOW}</polygon>")), "line 16: the polygon's outline crosses itself"),
        (info(area=_area("<polygon>1,1 1,1 2,2 1,1</polygon>")), "line 16: the polygon at 1.0,1.0 has no inside"),
        (info(rest=_file(digest="0" * 40)), "line 21: digest is not that of the file"),
        (info(rest=_file(base64="a*b")), "line 20: derefUri is not base64"),
        (info(rest=_file(size="-1")), "line 19: size -1 is no number"),
        (info(rest=_file().replace("image/png", "picture")), "line 18: mimeType 'picture' is none"),
        (
            info(area=_area("<geocode><valueName>profile:CAP-CP:Location:0.3</valueName><value>1</value></geocode>")),
            "line 9: uses values of profile 'CAP-CP'",
        ),
        (
            info(rest="<headline>H</headline>") + info(rest="<headline>H</headline>").replace("it-IT", "en-GB"),
            "line 22: says in en-GB the very words that info 1 says in it-IT",
        ),
    ],
)
def test_rules_of_the_info(infos: str, says: str) -> None:
    assert any(one.startswith(says) for one in said(infos=infos)), said(infos=infos)


def test_a_cancel_may_end_what_is_past() -> None:
    head = HEAD.replace(">Alert<", ">Cancel<") + "<references>a@b,1,2026-11-22T05:00:00-00:00</references>"
    assert said(head, info(rest="<expires>2026-11-22T05:30:00+01:00</expires>")) == []


def test_translations_that_differ_and_repeats_in_one_language_are_no_fault() -> None:
    assert (
        said(infos=info(rest="<headline>H</headline>") + info(rest="<headline>K</headline>").replace("it-IT", "en-GB"))
        == []
    )
    assert said(infos=info(rest="<headline>H</headline>") * 2) == []
    assert said(infos=info() + info().replace("it-IT", "en-GB")) == []


def test_a_good_file_and_words_and_area_break_nothing() -> None:
    assert said(infos=info(WORDS, _file(), AREA)) == []


def test_an_alert_of_ours_is_checked_without_a_document() -> None:
    assert list(check(PLAIN)) == []
    assert [fault.path for fault in check(changed(PLAIN, identifier="a b"))] == [("identifier",)]


@pytest.mark.parametrize(
    ("ring", "crosses"),
    [
        (SQUARE, False),
        (BOW, True),
        ("0,0 0,4 4,4 4,0 2,0 2,2 1,2 1,0 0,0", False),
        ("0,0 0,4 4,4 4,0 -1,2 0,0", True),
        ("0,0 2,2 4,0 2,2 0,4 0,0", False),
        ("89,-180 89,180 -89,180 -89,-180 89,-180", False),
    ],
)
def test_crossing(ring: str, crosses: bool) -> None:
    points = Polygon.parse(ring).points
    assert (Sweeps().crossing(points) is not None) is crosses
    assert (Sweeps().crossing(points[::-1]) is not None) is crosses
