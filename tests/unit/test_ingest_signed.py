"""Signed messages on the road of feeds: what proves itself may act alone, what does not is a draft and touches nothing."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alertd.cap import proving
from alertd.cap.trust import NOBODY, Trust
from alertd.cli import app
from alertd.core.raising import Raised
from alertd.domain.signal import Heard
from alertd.ingest.hearing import Hearing
from alertd.ingest.rules import Rule
from tests.support.cap_signers import Signer, classic, elliptic, now
from tests.support.clock import START
from tests.support.desk_stand import ROOT, Core, DeskStand, spec, territory
from tests.support.dpc import ORANGE, bulletin_zip, row
from tests.unit.rules_stand import rule
from tests.unit.test_ingest_desk import document

SEND = {"action": "send", "unattended": True, "hourly_cap": 9}


@pytest.fixture(scope="module")
def region() -> Signer:
    return elliptic("Regione", at=START)


@pytest.fixture(scope="module")
def stranger() -> Signer:
    return classic("Somebody", at=START)


def forward(**more: object) -> Rule:
    return rule(match={"source": "regione"}, template="forward", **(more or SEND))


def ear(trust: Trust) -> Hearing:
    return Hearing(replace(spec("regione", "cap"), trust=trust), territory)


async def begun() -> DeskStand:
    stand = DeskStand(forward())
    await stand.start()
    return stand


async def hears(stand: DeskStand, hearing: Hearing, *documents: bytes) -> Heard:
    heard = Heard(())
    for one in documents:
        heard = await hearing.hear(one, stand.clock.now())
        assert await stand.desk.take(hearing, heard)
    return heard


def steps(stand: DeskStand) -> list[tuple[str, bool]]:
    """What was done, and whether unattended."""
    return [(kind, unattended) for kind, _, _, unattended in stand.core.steps]


def broken(signer: Signer, data: bytes) -> bytes:
    """One octet of what was signed is another."""
    signed = signer.sign(data)
    altered = signed.replace(b"qui", b"qua") if b"qui" in signed else signed.replace(b"<sender>r", b"<sender>s")
    assert len(altered) == len(signed)
    assert altered != signed
    return altered


async def test_what_the_authority_signed_acts_alone(region: Signer) -> None:
    stand = await begun()
    heard = await hears(stand, ear(region.trust(required=True)), region.sign(document("a", 0)))
    assert heard.violations == ()
    [signal] = heard.signals
    assert (signal.signature, signal.unproven) == ("valid: CN=Regione", False)
    assert steps(stand) == [("raise", True)]


class Noting(Core):
    """And what each step was grounded on."""

    said = ""

    async def raise_alert(self, *args: Any, evidence: Sequence[str], **terms: Any) -> Raised:
        self.said += "; ".join(evidence)
        return await super().raise_alert(*args, evidence=evidence, **terms)


async def test_the_evidence_says_what_the_signature_is_worth(region: Signer, stranger: Signer) -> None:
    for one, says in (
        (region.sign(document("a", 0)), "signature valid: CN=Regione"),
        (stranger.sign(document("a", 0)), "signature unverifiable: nobody who is trusted"),
        (broken(region, document("a", 0)), "signature invalid: "),
    ):
        stand = DeskStand(forward())
        stand.core = Noting()
        stand.reborn()
        await stand.start()
        await hears(stand, ear(region.trust()), one)
        assert says in stand.core.said


@pytest.mark.parametrize("trusting", [True, False])
async def test_what_was_altered_is_a_draft_whoever_is_trusted(region: Signer, trusting: bool) -> None:
    stand = await begun()
    heard = await hears(stand, ear(region.trust() if trusting else NOBODY), broken(region, document("a", 0)))
    assert steps(stand) == [("raise", False)]
    assert [(one.where, one.fatal) for one in heard.violations] == [("signature", False)]
    assert "invalid" in heard.violations[0].message


async def test_where_it_is_required_nothing_else_acts_alone(region: Signer, stranger: Signer) -> None:
    required = ear(region.trust(required=True))
    for unproven in (document("a", 0), stranger.sign(document("a", 0))):
        stand = await begun()
        heard = await hears(stand, required, unproven)
        assert steps(stand) == [("raise", False)]
        assert "a valid signature is required" in heard.violations[0].message


async def test_where_it_is_not_required_the_unsigned_acts_as_before(region: Signer, stranger: Signer) -> None:
    for accepted in (document("a", 0), stranger.sign(document("a", 0))):
        stand = await begun()
        assert (await hears(stand, ear(region.trust()), accepted)).violations == ()
        assert steps(stand) == [("raise", True)]


@pytest.mark.parametrize("kind", ["Cancel", "Update"])
async def test_what_proves_nothing_neither_ends_nor_changes_what_was_told(region: Signer, kind: str) -> None:
    stand = await begun()
    required = ear(region.trust(required=True))
    await hears(stand, required, region.sign(document("a", 0)))
    forged = document("b", 1, kind=kind, of=("a", 0), severity="Minor", bare=kind == "Cancel")
    await hears(stand, required, forged)
    assert ("clear", True) not in steps(stand)
    assert [step for step in steps(stand) if step[1]] == [("raise", True)]
    assert {about for _, about, _, _ in stand.core.steps} <= {""}
    await hears(stand, required, region.sign(document("c", 2, kind="Cancel", of=("a", 0), bare=True)))
    assert steps(stand)[-1] == ("clear", True)
    assert stand.core.steps[-1][1] == "alert1"


@pytest.mark.parametrize("kind", ["Cancel", "Update"])
async def test_a_forgery_that_comes_first_keeps_nothing_from_being_told(region: Signer, kind: str) -> None:
    stand = await begun()
    required = ear(region.trust(required=True))
    await hears(stand, required, document("b", 1, kind=kind, of=("a", 0), bare=kind == "Cancel"))
    await hears(stand, required, region.sign(document("a", 0)))
    assert ("raise", True) in steps(stand)


async def test_the_genuine_message_is_told_though_its_forgery_came_first(region: Signer) -> None:
    """Under the same name: it is neither a repeat of it nor an update, nor does what ends the one end the other."""
    stand = await begun()
    required = ear(region.trust(required=True))
    await hears(stand, required, document("a", 0), region.sign(document("a", 0)))
    assert [(kind, about, alone) for kind, about, _, alone in stand.core.steps] == [
        ("raise", "", False),
        ("raise", "", True),
    ]
    await hears(stand, required, document("b", 1, kind="Cancel", of=("a", 0), bare=True))
    assert [(kind, about) for kind, about, _, _ in stand.core.steps[2:]] == [("clear", "alert1")]


async def test_an_unproven_matter_is_ended_by_unproven_words_and_never_alone(region: Signer) -> None:
    stand = await begun()
    required = ear(region.trust(required=True))
    await hears(stand, required, document("a", 0), document("b", 1, kind="Cancel", of=("a", 0), bare=True))
    assert steps(stand) == [("raise", False), ("clear", False)]


async def test_a_signature_is_verified_in_a_thread_and_only_where_there_is_one(
    region: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[threading.Thread] = []
    real = proving.verify

    def noted(*args: object, **more: object) -> object:
        asked.append(threading.current_thread())
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(proving, "verify", noted)
    required = ear(region.trust(required=True))
    await required.hear(document("a", 0), START)
    assert asked == []
    await required.hear(region.sign(document("a", 0)), START)
    assert len(asked) == 1
    assert asked[0] is not threading.main_thread()


async def test_a_bulletin_in_a_zip_carries_no_signature(region: Signer) -> None:
    payload = bulletin_zip("20261121_1515", [row("Tosc-A1", ORANGE)], [row("Tosc-A1")])
    plain = spec("dpc", "dpc", zones=("Tosc-A1",), each="overall")
    for trust, unproven in ((region.trust(), False), (region.trust(required=True), True)):
        heard = await Hearing(replace(plain, trust=trust), territory).hear(payload, START.replace(hour=15))
        assert heard.signals
        assert {signal.unproven for signal in heard.signals} == {unproven}
        assert all(signal.key.startswith("unproven ") is unproven for signal in heard.signals)
        assert [violation.where for violation in heard.violations] == (["signature"] if unproven else [])


CONFIG = """
[service]
sender = "prova@comune.example.it"
languages = ["it-IT"]
zones = ["{root}/config/zones/*.geojson"]
state = "{state}"
[sources.regione]
reader = "cap"
trusted = "cap.pem"
signed = "required"
[[rules]]
name = "inoltro"
template = "forward"
zones = ["048028"]
match = {{source = "regione"}}
action = "send"
unattended = true
hourly_cap = 3
"""


def test_the_dry_run_and_the_check_say_it_too(tmp_path: Path) -> None:
    region = elliptic("Regione", at=now())
    _, certificate = region.write(tmp_path)
    config = tmp_path / "alertd.toml"
    config.write_text(CONFIG.format(root=ROOT, state=tmp_path / "state"))
    signed, plain, bad = (tmp_path / name for name in ("signed.xml", "plain.xml", "bad.xml"))
    expires = b"2026-11-22T10:00:00+00:00"
    standing = document("a", 0).replace(expires, f"{now() + timedelta(days=1):%Y-%m-%dT%H:%M:%S+00:00}".encode())
    assert expires not in standing
    signed.write_bytes(region.sign(standing))
    plain.write_bytes(standing)
    bad.write_bytes(broken(region, standing))
    for file, says, checks in (
        (signed, "signature: valid: CN=Regione", "signature: valid: CN=Regione"),
        (plain, "a valid signature is required, and it has none", "no violation"),
        (bad, "its signature is invalid", "signature: error: its signature is invalid"),
    ):
        done = CliRunner().invoke(app, ["ingest", "test", "regione", str(file), "--config", str(config)])
        assert says in done.stdout
        assert f"a new alert ({'send' if file is signed else 'draft'})" in done.stdout
        checked = CliRunner().invoke(app, ["cap", "check", "--trusted", str(certificate), str(file)])
        assert checks in checked.stdout
        assert (checked.exit_code != 0) is (file is bad)
    nobody = CliRunner().invoke(app, ["cap", "check", str(signed)])
    assert "signature: unverifiable: nobody who is trusted vouches" in nobody.stdout
    assert nobody.exit_code == 0
    assert CliRunner().invoke(app, ["cap", "check", "--trusted", str(plain), str(signed)]).exit_code != 0
