import math
import socket
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from adapters.exchange import Failure, Reply, open_session, post, retry_after, tls_context
from adapters.guard import GuardedResolver, HostList, Permit, guarded_connector, only_listed, public_or_listed
from adapters.untrusted import clean_ref, wait_of
from alertd.domain.delivery import Reason, Refused, Retry
from tests.unit import adapter_stand as stand

FORBIDDEN = [
    "127.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "2001:0:1234::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2002:c0a8:101::1",
]
PUBLIC = [
    "142.250.180.10",
    "2a00:1450:4002:402::200a",
    "::ffff:142.250.180.10",
    "64:ff9b::8efa:b40a",
    "2002:8efa:b40a::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_that_are_not_the_public_internet_are_refused(address: str) -> None:
    assert not public_or_listed(())(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted_also_behind_a_translator(address: str) -> None:
    assert public_or_listed(())(ip_address(address))


def test_a_listed_network_is_permitted_and_nothing_beside_it() -> None:
    permit = public_or_listed([ip_network("127.0.0.0/8"), ip_network("fd00::/8")])
    assert all(permit(ip_address(a)) for a in ("127.9.9.9", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1"))
    assert not any(permit(ip_address(a)) for a in ("10.0.0.1", "::1", "fc00::1"))


def test_only_listed_refuses_even_the_public_internet() -> None:
    permit = only_listed([ip_network("10.0.0.0/8")])
    assert permit(ip_address("10.0.0.1"))
    assert not permit(ip_address("142.250.180.10"))


def test_host_patterns() -> None:
    hosts = HostList(["FCM.googleapis.com", "push.example.it:8443", "*.push.apple.com", "[::1]:9", "*.a.it:81"])
    allowed = [
        "fcm.googleapis.com:443",
        "push.example.it:8443",
        "web.push.apple.com:443",
        "a.b.push.apple.com:443",
        "[::1]:9",
        "x.a.it:81",
    ]
    refused = [
        "fcm.googleapis.com:8443",
        "push.example.it:443",
        "push.apple.com:443",
        "evilpush.apple.com:443",
        "x.push.apple.com.evil.it:443",
        "fcm.googleapis.com.evil.it:443",
        "x.a.it:443",
        "",
    ]
    assert len(hosts) == 5
    assert [o for o in allowed if not hosts.allows(o)] == []
    assert [o for o in refused if hosts.allows(o)] == []


@pytest.mark.parametrize("pattern", ["", "*", "*.", "https://a.it", "a.it/x", "a.it:0", "a.it:70000", "u@a.it", "a b"])
def test_unreadable_host_patterns_are_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        HostList([pattern])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 400, 86_400.0),
        ("Sun, 22 Nov 2026 10:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2099 09:00:00 GMT", 86_400.0),
        ("Sun, 22 Nov 2026 10:02:00 -0000", 120.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        ("9" * 8_000, 86_400.0),
        ("0" * 100 + "7", 7.0),
        ("inf", None),
        ("nan", None),
        ("1e300", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("Mon, 01 Jan 2024 00:00:00 -99999999", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("Mon, 01 Jan " + "9" * 5_000 + " 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("\udcff\udcfe", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, stand.NOW) == seconds
    assert retry_after({}, stand.NOW + timedelta(1)) is None


_DATES = st.from_regex(
    r"\A([A-Z][a-z]{2},? )?[0-9]{1,25} ?(Jan|Dec|[a-z]*) ?[0-9]{0,25}[ :0-9]{0,20} ?[+-]?[0-9]{0,25}\Z"
)


@given(st.text(max_size=60) | _DATES)
def test_no_retry_after_raises_or_asks_for_more_than_a_day(value: str) -> None:
    seconds = retry_after({"Retry-After": value}, stand.NOW)
    assert seconds is None or 0 <= seconds <= 86_400


_NUMBERS: list[tuple[object, float | None]] = [
    (7, 7.0),
    (0.5, 0.5),
    (1e300, 86_400.0),
    (math.inf, 86_400.0),
    (10**400, 86_400.0),
    (0, None),
    (-1, None),
    (-(10**400), None),
    (-math.inf, None),
    (math.nan, None),
    (True, None),
    ("7", None),
    (None, None),
    ([7], None),
]


@pytest.mark.parametrize(("value", "seconds"), _NUMBERS)
def test_a_wait_out_of_json(value: object, seconds: float | None) -> None:
    assert wait_of(value) == seconds


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("/m/1", "/m/1"),
        ("/perché/🌊 1", "/perché/🌊 1"),
        ("x" * 500, "x" * 500),
        ("x" * 501, None),
        ("", None),
        (None, None),
        *[(f"a{odd}b", None) for odd in "\x00\t\r\n\x1b\x7f\x85\u200b\u2028\u202e\ud800\udcff\ufeff"],
    ],
)
def test_a_ref_is_clean_or_none(text: str | None, ref: str | None) -> None:
    assert clean_ref(text) == ref


class Names(AbstractResolver):
    """Answers one list of addresses after the other, staying with the last: a name that is being rebound."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=0) for a in answer]

    async def close(self) -> None:
        pass


class Counting:
    """A server on every loopback address that counts whom it served."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        self.seen.append(request.transport.get_extra_info("sockname")[0])
        return web.Response(status=201, headers={"Connection": "close"})


async def fetch(connector: aiohttp.TCPConnector, url: str, times: int = 1) -> list[Reply | Failure]:
    answers = []
    async with open_session(connector) as session:
        for _ in range(times):
            answers.append(await post(session, URL(url), body=b"x", headers={}, within=60))
            connector.clear_dns_cache()
    return answers


def statuses(answers: list[Reply | Failure]) -> list[object]:
    return [a.status if isinstance(a, Reply) else a for a in answers]


LOOPBACK_1 = public_or_listed([ip_network("127.0.0.1/32")])
NOWHERE = public_or_listed(())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
@pytest.mark.parametrize(
    ("permit", "expected"), [(NOWHERE, Refused(Reason.BLOCKED)), (LOOPBACK_1, 201)], ids=["default", "listed"]
)
async def test_loopback_is_reached_only_where_listed(
    host: str, permit: Permit, expected: object, tmp_path: Path
) -> None:
    ca, server = stand.authority(tmp_path, "localhost", "127.0.0.1", "::ffff:127.0.0.1"), Counting()
    async with stand.web_server(server, ca.server) as port:
        answers = await fetch(guarded_connector(permit, tls_context(ca.file)), f"https://{host}:{port}/")
    assert statuses(answers) == [expected]
    assert len(server.seen) == (expected == 201)


async def test_a_name_bound_anew_to_a_forbidden_address_is_not_followed(tmp_path: Path) -> None:
    ca, server = stand.authority(tmp_path, "push.example"), Counting()
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with stand.web_server(server, ca.server, host="0.0.0.0") as port:
        connector = guarded_connector(LOOPBACK_1, tls_context(ca.file), resolver=names)
        answers = await fetch(connector, f"https://push.example:{port}/", times=2)
    assert statuses(answers) == [201, Refused(Reason.BLOCKED)]
    assert server.seen == ["127.0.0.1"]


async def test_the_address_is_checked_at_the_connect_itself_not_only_at_the_look_up(tmp_path: Path) -> None:
    ca, server = stand.authority(tmp_path, "push.example"), Counting()
    async with stand.web_server(server, ca.server, host="0.0.0.0") as port:
        connector = guarded_connector(LOOPBACK_1, tls_context(ca.file))
        connector._resolver = Names(["127.0.0.2"])  # as if the first gate had been got round
        answers = await fetch(connector, f"https://push.example:{port}/")
    assert statuses(answers) == [Refused(Reason.BLOCKED)]
    assert server.seen == []


async def test_a_name_with_a_good_and_a_bad_address_is_reached_through_the_good_one(tmp_path: Path) -> None:
    ca, server = stand.authority(tmp_path, "push.example"), Counting()
    names = Names(["127.0.0.2", "127.0.0.1", "169.254.169.254"])
    async with stand.web_server(server, ca.server, host="0.0.0.0") as port:
        connector = guarded_connector(LOOPBACK_1, tls_context(ca.file), resolver=names)
        answers = await fetch(connector, f"https://push.example:{port}/")
    assert statuses(answers) == [201]
    assert server.seen == ["127.0.0.1"]


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f000001/", "https://127.1/"])
async def test_odd_spellings_of_an_address_reach_nothing(url: str) -> None:
    [answer] = await fetch(guarded_connector(NOWHERE, tls_context("")), url)
    assert isinstance(answer, Refused)


async def test_a_redirect_is_an_answer_not_a_way() -> None:
    server = Counting()

    async def redirecting(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": f"http://127.0.0.1:{target}/"})

    async with stand.web_server(server, None) as target, stand.web_server(redirecting, None) as port:
        answers = await fetch(guarded_connector(LOOPBACK_1, tls_context("")), f"http://127.0.0.1:{port}/")
    assert statuses(answers) == [307]
    assert server.seen == []


async def test_a_certificate_of_an_unknown_authority_means_nothing_was_sent(tmp_path: Path) -> None:
    ca, server = stand.authority(tmp_path), Counting()
    async with stand.web_server(server, ca.server) as port:
        answers = await fetch(guarded_connector(LOOPBACK_1, tls_context("")), f"https://127.0.0.1:{port}/")
    assert answers == [Retry(Reason.CONNECT)]
    assert server.seen == []


async def test_the_resolver_passes_on_what_is_permitted() -> None:
    found = await GuardedResolver(LOOPBACK_1, Names(["127.0.0.1", "127.0.0.2"])).resolve("x", 443)
    assert [each["host"] for each in found] == ["127.0.0.1"]
