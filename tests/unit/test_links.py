"""Links say what they say, for one purpose, and nobody else can make one."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.citizens.links import CONFIRM_SECONDS, Links, Wish
from tests.support.citizens import KEY
from tests.support.clock import ManualClock

URL = "https://allerta.example.it"
WISH = Wish("mail", "anna@example.org", "it-IT", ("048028", "048014"), ("emergency", "event"), "Minor")


def links(clock: ManualClock | None = None, key: bytes = KEY, url: str = URL) -> Links:
    return Links(key, url, clock or ManualClock())


@given(st.integers(1, 2**63 - 1))
def test_unsubscribe_link_names_its_endpoint(endpoint_id: int) -> None:
    ours = links()
    url = ours.unsubscribe_url(endpoint_id)
    assert url.startswith(f"{URL}/unsubscribe/")
    token = url.rpartition("/")[2]
    assert ours.unsubscribed(token) == endpoint_id
    assert links(key=KEY[::-1]).unsubscribed(token) is None
    assert ours.confirmed(token) is None


async def test_unsubscribe_link_never_ends() -> None:
    clock = ManualClock()
    token = links(clock).unsubscribe_token(7)
    await clock.advance(20 * 365 * 86_400)
    assert links(clock).unsubscribed(token) == 7


async def test_confirm_link_lasts_48_hours() -> None:
    clock = ManualClock()
    ours = links(clock)
    token = ours.confirm_url(WISH).rpartition("/")[2]
    await clock.advance(CONFIRM_SECONDS - 1)
    assert ours.confirmed(token) == WISH
    await clock.advance(1)
    assert ours.confirmed(token) is None


def test_confirm_link_hides_the_address_and_differs_each_time() -> None:
    ours = links()
    one, other = ours.confirm_token(WISH), ours.confirm_token(WISH)
    assert one != other
    raw = base64.urlsafe_b64decode(one + "=" * (-len(one) % 4))
    assert b"anna" not in raw
    assert b"example" not in raw
    assert ours.unsubscribed(one) is None
    assert links(key=KEY[::-1]).confirmed(one) is None


@given(st.data())
def test_no_bit_may_change(data: st.DataObject) -> None:
    ours = links()
    token = data.draw(st.sampled_from([ours.unsubscribe_token(1234), ours.confirm_token(WISH)]))
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCxyz019-_"))
    changed = token[:at] + letter + token[at + 1 :]
    if changed != token:
        assert ours.unsubscribed(changed) is None
        assert ours.confirmed(changed) is None


@given(st.text(max_size=300))
def test_any_text_is_answered(text: str) -> None:
    assert links().unsubscribed(text) is None
    assert links().confirmed(text) is None


def test_long_and_padded_tokens_are_not_ours() -> None:
    ours = links()
    assert ours.unsubscribed("A" * 100_000) is None
    assert ours.unsubscribed(ours.unsubscribe_token(1) + "=") is None


def test_without_public_url_there_are_no_links() -> None:
    assert links(url="").unsubscribe_url(1) == ""
    assert links(url="").confirm_url(WISH) == ""
    assert links().unsubscribe_url(0) == ""


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 are needed"):
        links(key=b"short")


def test_a_link_for_twenty_zones_fits_a_line_of_mail() -> None:
    wish = replace(
        WISH, address="a" * 64 + "@" + "b" * 100 + ".example.org", zones=tuple(f"{n:06d}" for n in range(20))
    )
    assert len(links().confirm_url(wish)) < 998
