"""Documents that were damaged in every way do not make the reader, the rules or the writer fall."""

import random
from collections.abc import Iterator

import pytest

from alertd.cap.check import checked
from alertd.cap.document import Refused
from alertd.cap.reader import read
from alertd.cap.signature import Seal, verify
from alertd.cap.writer import write
from alertd.domain.alert import Status
from tests.support.cap_signers import AT
from tests.unit.cap_samples import SAMPLES, alert, info

_BITS = (
    *(
        b"<",
        b">",
        b"&",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"-->",
        b"<?x?>",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xf0\x9f\x92",
    ),
    *(
        b"&lt;",
        b"&#0;",
        b"&#xD800;",
        b"&#10;",
        b"&amp;amp;",
        b"<!DOCTYPE x>",
        b" xmlns=''",
        b" xml:lang='it'",
        b" Id='a'",
    ),
    *(
        b"Actual",
        b"Update",
        b"Cancel",
        b"Private",
        b"-00:00",
        b"T24:00:00",
        b"9999-12-31T23:59:59-14:00",
        b"0000",
        b"1e999",
    ),
    *(
        b"-",
        b",",
        b" ",
        b"nan",
        b"90,180",
        b"99999999999999999999",
        b"<alert>",
        b"</alert>",
        b"<info>",
        b"</info>",
        b"<area/>",
    ),
    *(b"<polygon>1,1 1,2 2,2 1,1</polygon>", b"<references>a,b,c</references>", b"<code>alertd:purpose=event</code>"),
)


def documents() -> list[bytes]:
    """The shared samples that are not long, where they are, and our own."""
    found = [file.read_bytes() for file in sorted(SAMPLES.glob("*/*")) if file.stat().st_size < 30_000]
    return [*found, alert(), alert(infos=info() * 2)]


def mutated(seed: int, seeds: list[bytes]) -> bytes:
    """One of the documents, damaged one to five times; the same for the same seed."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 5)):
        _damage(chance, data, seeds)
    return bytes(data)


def _damage(chance: random.Random, data: bytearray, seeds: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 1, 2, 8, 60, 500)))
    match chance.randrange(16):  # most leave the document well-formed, or little else would be tried
        case 0:
            del data[at:end]
        case 1:
            data[at:at] = chance.choice(_BITS)
        case 2:
            data[at:end] = chance.choice(_BITS)
        case 3:
            data[at:at] = data[at:end]
        case 4 if at < len(data):
            data[at] = chance.randrange(256)
        case 5:
            other = chance.choice(seeds)
            start = chance.randrange(len(other))
            data[at:at] = other[start : start + 200]
        case 6 | 7 | 8:
            _swap_elements(chance, data)
        case _:
            _another_word(chance, data)


def _swap_elements(chance: random.Random, data: bytearray) -> None:
    """Two lines change places: mostly whole elements, so that the document stays well-formed."""
    lines = bytes(data).split(b"\n")
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    data[:] = b"\n".join(lines)


def _another_word(chance: random.Random, data: bytearray) -> None:
    """The text of some element becomes another."""
    starts = [at for at in range(len(data) - 1) if data[at : at + 1] == b">" and data[at + 1 : at + 2] not in b"<\n"]
    if starts:
        at = chance.choice(starts) + 1
        end = data.find(b"<", at)
        data[at : end if end > 0 else at] = chance.choice(_BITS).replace(b"<", b"")


def survives(seeds: list[bytes], numbers: range) -> Iterator[bool]:
    """Reads each mutation with all that follows reading; says whether an alert came out."""
    for seed in numbers:
        data = mutated(seed, seeds)
        try:
            reading = read(data)
            for found in reading.found:
                violations = checked(found)
                assert found.alert is not None or any(violation.fatal for violation in violations)
                if found.alert is not None:
                    assert isinstance(found.alert.status, Status)
                    _written(found.alert)
            if not seed % 10:
                assert verify(data, trusted=(), at=AT).seal is not Seal.VALID
        except (AssertionError, Refused, Exception) as error:
            raise AssertionError(f"seed {seed}: {error!r}\n{data[:3000]!r}") from error
        assert reading.alerts or any(violation.fatal for violation in reading.every_violation())
        yield bool(reading.alerts)


def _written(alert_: object) -> None:
    """The writer may refuse what it cannot hold, by name; what it writes is read as what it was."""
    try:
        document = write(alert_)  # type: ignore[arg-type]
    except ValueError:
        return
    assert read(document).alerts[0].identifier


def test_a_thousand_mutations() -> None:
    read_ = sum(survives(documents(), range(1_000)))
    assert 100 < read_ < 1_000  # the mutator neither destroys everything nor nothing


@pytest.mark.campaign
def test_ten_thousand_mutations() -> None:
    assert sum(survives(documents(), range(1_000, 11_000))) > 1_000
