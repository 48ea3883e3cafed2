"""The rest of the contract: rendering, health, addresses, silence about secrets."""

from datetime import timedelta

import pytest

from alertd.domain.alert import MsgType, Status
from alertd.ports.adapter import Health, Notice
from alertd.sandbox.faults import Fault, Faults, Kind
from tests.contract.guests import TIMEOUT
from tests.contract.stand import Stand
from tests.support import notices
from tests.support.notices import DRILL_MARK, ISSUER

LINK = "https://allerta.comune.example.it/alerts/a1"
LONG = {
    "plain": "Restare lontani dagli argini. " * 700,
    "entities": "<&>\"' " * 3_000,
    "accents": "àèìòù’ " * 3_000,
    "astral": "⛈🌊🚨 " * 3_000,
    "one-word": "x" * 20_000,
}
FAILURES = (
    Fault(Kind.STATUS, status=400),
    Fault(Kind.STATUS, status=401),
    Fault(Kind.STATUS, status=500),
    Fault(Kind.RESET),
    Fault(Kind.HALF),
    Fault(Kind.HANG),
)


# --- render ---------------------------------------------------------------------------------------------------


async def test_render_is_pure(stand: Stand) -> None:
    notice = notices.notice()
    once, again = stand.adapter.render(notice), stand.adapter.render(notice)
    assert once.notice is notice
    assert once.preview == again.preview
    assert once.payload == again.payload


async def test_render_keeps_the_sender(stand: Stand) -> None:
    await _assert_whole(stand, notices.notice(text=LONG["plain"]))


@pytest.mark.parametrize("kind", LONG)
async def test_a_long_text_keeps_drill_mark_sender_and_link(stand: Stand, kind: str) -> None:
    await _assert_whole(stand, notices.notice(text=LONG[kind]))


@pytest.mark.parametrize("status", [Status.EXERCISE, Status.TEST])
@pytest.mark.parametrize("msg_type", [MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL])
async def test_every_kind_of_notice_goes_out(stand: Stand, status: Status, msg_type: MsgType) -> None:
    infos = () if msg_type is MsgType.CANCEL else None
    await _assert_whole(stand, notices.notice(notices.alert(status=status, msg_type=msg_type, infos=infos)))


async def _assert_whole(stand: Stand, notice: Notice) -> None:
    """Taken by the provider as it is, and what arrived names drill, sender and link."""
    message = stand.adapter.render(notice)
    limit = stand.adapter.traits.max_length
    assert limit is None or len(message.preview) <= limit
    assert DRILL_MARK in message.preview
    assert ISSUER in message.preview
    parcels = stand.parcels(1)
    verdicts = await stand.send(stand.page(message, parcels))
    assert type(verdicts[parcels[0].delivery_id]).__name__ in ("Accepted", "Delivered")
    if stand.guest.name == "fake":
        assert LINK in message.preview
        return
    said = str(stand.provider.read(stand.guest.recipient(0)))  # type: ignore[union-attr]
    for kept in (DRILL_MARK, ISSUER, LINK):
        assert kept in said


async def test_nothing_waits_longer_than_the_deadline(stand: Stand) -> None:
    """A TTL, where there is one, ends with the alert: the stand-in refuses a bad one."""
    parcels = stand.parcels(1)
    soon = notices.notice(lasts=timedelta(seconds=30))
    await stand.send(stand.page(stand.adapter.render(soon), parcels))
    assert stand.provider.ledger.messages == 1


# --- health ---------------------------------------------------------------------------------------------------


async def test_check_is_ready_and_sends_nothing(stand: Stand) -> None:
    health = await stand.adapter.check()
    assert health.ready, health.detail
    assert stand.provider.ledger.messages == 0


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_check_never_raises(hasty: Stand, fault: Fault) -> None:
    for phase in ("connect", "data"):
        hasty.provider.faults = Faults((Fault(fault.kind, phase=phase, status=fault.status),))  # type: ignore[arg-type]
        assert isinstance(await hasty.adapter.check(), Health)


async def test_check_says_so_where_nobody_listens(stand: Stand) -> None:
    await stand.stop_provider()
    health = await stand.adapter.check()
    assert health.detail
    if stand.guest.asks_before_sending:
        assert not health.ready


# --- addresses ------------------------------------------------------------------------------------------------


async def test_addresses(stand: Stand) -> None:
    kind, config = stand.guest.type(), stand.guest.config(stand.sandbox, stand.provider)  # type: ignore[arg-type]
    if stand.guest.addressed:
        address = kind.normalize(config, stand.guest.address(3, stand.sandbox))
        assert kind.normalize(config, address) == address
        assert stand.adapter.origin(address)
    for bad in stand.guest.bad_addresses:
        with pytest.raises(ValueError, match=r"."):
            kind.normalize(config, bad)


async def test_traits_are_known_before_opening(stand: Stand) -> None:
    kind, config = stand.guest.type(), stand.guest.config(stand.sandbox, stand.provider)  # type: ignore[arg-type]
    assert kind.traits_of(config) == stand.adapter.traits
    assert stand.adapter.traits.addressed is stand.guest.addressed
    assert kind.public_facts(config, stand.sandbox._folder) is not None


# --- silence --------------------------------------------------------------------------------------------------


async def test_no_address_and_no_secret_is_logged(hasty: Stand) -> None:
    parcels = hasty.parcels(2)
    for fault in FAILURES:
        hasty.provider.faults = Faults((fault,))
        await hasty.send(hasty.page(parcels=parcels[:1]))
    hasty.provider.faults = Faults(gone=frozenset({hasty.guest.recipient(0)}))
    await hasty.send(hasty.page(parcels=parcels))
    await hasty.stop_provider()
    await hasty.send(hasty.page(parcels=parcels))
    await hasty.adapter.check()
    said = "\n".join(hasty.logged)
    secrets = [hasty.sandbox.bot.token, hasty.sandbox.hook.secret]
    addresses = [parcel.address for parcel in parcels if parcel.address]
    for hidden in (*secrets, *addresses, *(a.partition('","')[0][13:] for a in addresses if a.startswith("{"))):
        assert hidden not in said


def test_timeout_is_small() -> None:
    assert TIMEOUT < 1.0
