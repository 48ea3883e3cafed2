"""Documents made to read files, reach hosts or cost dear, by name."""

from collections.abc import Callable

from alertd.cap.document import STANDARD
from tests.unit.cap_samples import AREA, HEAD, SQUARE, WORDS, alert, info

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_PART = alert().partition(b"\n")[2]


def _doctype(inside: str, where: str = "&x;") -> bytes:
    body = alert(infos=info(rest=f"<headline>{where}</headline>")).partition(b"\n")[2]
    return f"<!DOCTYPE alert {inside}>".encode() + body


def _ring(points: int) -> bytes:
    return alert(infos=info(area=AREA.replace(SQUARE, "43.7,11.0 " * points)))


REFUSED: dict[str, Callable[[], bytes]] = {
    "billion laughs": lambda: _doctype(f'[<!ENTITY l0 "lol">{_LAUGHS}<!ENTITY x "&l9;">]'),
    "a file": lambda: _doctype('[<!ENTITY x SYSTEM "file:///etc/passwd">]'),
    "a host": lambda: _doctype('[<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]'),
    "an external subset": lambda: _doctype('SYSTEM "http://127.0.0.1:9/x.dtd"', ""),
    "after a comment and an instruction": lambda: b"<!-- x --> <?p?>" + _doctype('[<!ENTITY x "y">]'),
    "after a declaration": lambda: b'<?xml version="1.0"?>\n' + _doctype("", ""),
    "in UTF-16": lambda: _doctype('[<!ENTITY x "y">]').decode().encode("utf-16"),
    "in UTF-16 without its mark": lambda: _doctype('[<!ENTITY x "y">]').decode().encode("utf-16-le"),
    "in UTF-32": lambda: alert().decode().replace("UTF-8", "utf-32").encode("utf-32"),
    "in EBCDIC": lambda: alert().decode().replace("UTF-8", "cp037").encode("cp037"),
    "in UTF-7": lambda: b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-' + _PART,
    "in an encoding nobody knows": lambda: b'<?xml version="1.0" encoding="x-mine"?>' + _PART,
    "declared as what it is not": lambda: b'<?xml version="1.0" encoding="UTF-16"?>' + _PART,
    "a declaration without its end": lambda: b'<?xml version="1.0" ' + b" " * 1_000 + _PART,
    "an entity nobody declared": lambda: alert(infos=info(rest="<headline>&x;</headline>")),
    "NULs": lambda: alert().replace(b"Temporali", b"Tem\0porali"),
    "only NULs": lambda: b"\0" * 100_000,
    "nothing": lambda: b"",
    "blanks": lambda: b" " * 1_000_000,
    "no XML": lambda: b"%PDF-1.4 " + bytes(range(256)) * 10,
    "HTML": lambda: b"<html><body><p>502 Bad Gateway<br></body></html>",
    "half a document": lambda: alert()[:-40],
    "two roots": lambda: alert() + _PART,
    "deep": lambda: alert(end="<x>" * 5_000 + "</x>" * 5_000),
    "deeper than we go": lambda: alert(end="<x>" * 100 + "</x>" * 100),
    "a deep envelope": lambda: b"<e>" * 100 + _PART + b"</e>" * 100,
    "a million elements": lambda: alert(end="<x/>" * 700_000),
    "a hundred thousand attributes": lambda: b"<alert " + b"".join(b"a%d='' " % n for n in range(100_000)) + b"/>",
    "a hundred thousand namespaces": lambda: (
        b"<alert " + b"".join(b"xmlns:a%d='u' " % n for n in range(100_000)) + b"/>"
    ),
    "too much base64": lambda: alert(infos=info(rest=_file("A" * 4_000_000))),
    "a long name": lambda: b"<" + b"a" * 2_000_000 + b"/>",
    "a long comment that has no end": lambda: b"<!--" + b"- " * 1_000_000,
    "too long for what is beyond the plane": lambda: alert(
        infos=info(rest=f"<description>{'x' * 2_900_000}😀</description>")
    ),
    "too long for what is named by number": lambda: alert(
        infos=info(rest=f"<headline>{'&#233;' * 400_000}</headline>")
    ),
    "instructions without end": lambda: b"<?x?>" * 300_000,
}
READ: dict[str, Callable[[], bytes]] = {
    "a million points": lambda: _ring(10**6 // 4),
    "commas": lambda: alert(infos=info(area=AREA.replace(SQUARE, "," * 2_900_000))),
    "blanks for a polygon": lambda: alert(infos=info(area=AREA.replace(SQUARE, "1 " * 1_400_000))),
    "numbers without end": lambda: alert(infos=info(area=AREA.replace(SQUARE, "1" * 2_000_000 + ",1"))),
    "as many polygons as fit": lambda: alert(
        infos=info(
            area="<area><areaDesc>x</areaDesc>"
            + "".join(f"<polygon>{SQUARE} </polygon>".replace("43.70", f"43.{n:05}") for n in range(7_000))
            + "</area>"
        )
    ),
    "a large file": lambda: alert(infos=info(rest=_file("QUJD" * 600_000))),
    "XInclude": lambda: alert(
        end="<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd' parse='text'/>"
    ),
    "a schema elsewhere": lambda: alert().replace(
        b"<alert ",
        b"<alert xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='urn:x http://127.0.0.1:9/x.xsd' ",
    ),
    "a style sheet elsewhere": lambda: b"<?xml-stylesheet href='http://127.0.0.1:9/x.xsl' type='text/xsl'?>" + _PART,
    "thousands of times the same fault": lambda: alert(infos=info(rest="<z/>" * 9_000)),
    "thousands of references": lambda: alert(HEAD + "<references>" + "x " * 200_000 + "</references>"),
    "long digits": lambda: alert(
        infos=info(
            rest="<resource><resourceDesc>a</resourceDesc><mimeType>a/b</mimeType><size>"
            + "9" * 500_000
            + "</size></resource>"
        )
    ),
    "a long height": lambda: alert(
        infos=info(area=AREA.replace("</area>", "<altitude>" + "9" * 500_000 + "</altitude></area>"))
    ),
    "a long word": lambda: alert(infos=info(WORDS.replace("Severe", "S" * 2_000_000))),
    "very many infos": lambda: alert(infos=info(area="") * 900),
}


def _file(base64: str) -> str:
    return f"<resource><resourceDesc>a</resourceDesc><mimeType>a/b</mimeType><derefUri>{base64}</derefUri></resource>"


def _areas(area: str, count: int) -> bytes:
    return alert(infos=info(area=area * count))


def polygons(rings: list[str]) -> bytes:
    inside = "".join(f"<polygon>{ring}</polygon>" for ring in rings)
    return alert(infos=info(area=f"<area><areaDesc>x</areaDesc>{inside}</area>"))


def comb(points: int, shift: int = 0) -> str:
    """The worst outline there is for a sweep: all edges side by side over the same longitudes."""
    at = [f"{40 + shift / 1_000 + n / 100_000:.5f},{11 + n % 2}" for n in range(points)]
    return " ".join([*at, at[0]])


def meander(turns: int) -> str:
    """Nearly as bad, but it does not cross itself."""
    at = [*(f"{40 + n / 100_000:.5f},{11 + n % 2}" for n in range(turns)), "41,13", "39,13"]
    return " ".join([*at, at[0]])


_MARKS = STANDARD.marks - 200
WORST: dict[str, Callable[[], bytes]] = {
    "unknown elements": lambda: alert(end="<z/>" * _MARKS),
    "unknown elements side by side in one": lambda: alert(end=f"<z>{'<z/>' * _MARKS}</z>"),
    "unknown attributes": lambda: alert().replace(
        b"<info>", b"<info %s>" % b" ".join(b"a%d=''" % n for n in range(_MARKS)), 1
    ),
    "namespaces": lambda: alert().replace(
        b"<info>", b"<info %s>" % b" ".join(b"xmlns:a%d='u'" % n for n in range(_MARKS)), 1
    ),
    "empty codes": lambda: alert(HEAD + "<code/>" * _MARKS),
    "empty areas": lambda: _areas("<area/>", _MARKS),
    "areas with a name": lambda: _areas("<area><areaDesc>x</areaDesc></area>", _MARKS // 4),
    "parameters without a name": lambda: alert(infos=info(rest="<parameter/>" * _MARKS)),
    "parameters with a name": lambda: alert(
        infos=info(rest="<parameter><valueName>a</valueName><value>b</value></parameter>" * (_MARKS // 6))
    ),
    "profiles": lambda: alert(
        infos=info(
            rest="".join(
                f"<parameter><valueName>profile:p{n}:x</valueName><value>b</value></parameter>"
                for n in range(_MARKS // 6)
            ).replace("parameter", "eventCode")
        )
    ),
    "resources without a type": lambda: alert(infos=info(rest="<resource/>" * _MARKS)),
    "infos that are empty": lambda: alert(infos="<info/>" * _MARKS),
    "headlines with elements": lambda: alert(infos=info(rest="<headline><b/></headline>" * (_MARKS // 3))),
    "combs": lambda: polygons([comb(990, n) for n in range(30)]),
    "one comb": lambda: polygons([comb(9_000)]),
    "references": lambda: alert(HEAD + f"<references>{'a,b,c ' * 400_000}</references>"),
    "alerts": lambda: b"<e>" + (_PART * 200) + b"</e>",
    "alerts that are empty": lambda: (
        b"<e xmlns='urn:oasis:names:tc:emergency:cap:1.2'>" + b"<alert/>" * _MARKS + b"</e>"
    ),
    "alerts in one another": lambda: (
        b"<e>" + alert(end=("<alert>" * 40 + "</alert>" * 40) * (_MARKS // 90)).partition(b"\n")[2] + b"</e>"
    ),
    "a text of characters named by number": lambda: alert(
        infos=info(rest=f"<headline>{'&#233;' * 240_000}</headline>")
    ),
    "a long text": lambda: alert(infos=info(rest=f"<description>{'x' * 3_000_000}</description>")),
    "a long text beyond ASCII": lambda: alert(infos=info(rest=f"<description>{'è' * 1_500_000}</description>")),
    "a long text beyond the plane": lambda: alert(infos=info(rest=f"<description>{'x' * 1_500_000}😀</description>")),
    "alerts with combs": lambda: (
        b"<e>" + b"".join(polygons([comb(990, n)]).partition(b"\n")[2] for n in range(190)) + b"</e>"
    ),
    "alerts of faults": lambda: b"<e>" + alert(end="<z/>" * 36).partition(b"\n")[2] * 190 + b"</e>",
    "a long identifier": lambda: alert(HEAD.replace("i-1", "x " * 1_400_000)),
    "a long language": lambda: alert(infos=info().replace("it-IT", "it-" * 900_000)),
    "a long code": lambda: alert(HEAD + f"<code>profile:{'x' * 2_900_000}</code>"),
    "a long time": lambda: alert(infos=info(rest=f"<expires>2026-11-22T06:00:00.{'0' * 2_900_000}Z</expires>")),
    "a long type of file": lambda: alert(infos=info(rest=_file("QUJD").replace("a/b", "a/" + "b " * 1_400_000))),
    "a long circle": lambda: alert(
        infos=info(area=f"<area><areaDesc>x</areaDesc><circle>{'1' * 1_400_000},1 {'1' * 1_400_000}</circle></area>")
    ),
    "blanks for words": lambda: alert(infos=info(WORDS.replace("Severe", "S " * 1_400_000))),
    "polygons of one point": lambda: polygons(["1,1"] * (_MARKS // 2)),
    "different polygons of one point": lambda: polygons([f"1,{n}" for n in range(_MARKS // 2)]),
    "triangles": lambda: polygons([f"{n / 1_000},1 2,2 3,3 {n / 1_000},1" for n in range(_MARKS // 2)]),
}
