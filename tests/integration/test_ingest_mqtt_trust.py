"""Whom the MQTT source believes and who believes it: TLS under an authority of the town's own, passwords, certificates.

Against Debian's mosquitto where it is installed; TLS also against amqtt.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from tests.integration.fake_house import CHANNELS, FakeHouse, fake_house
from tests.integration.test_ingest_mqtt import RULES, heard, says, source, until
from tests.support.broker import (
    PASSWORD,
    USER,
    Certificates,
    amqtt_broker,
    mosquitto,
    mosquitto_program,
    password_file,
)

needs_mosquitto = pytest.mark.skipif(mosquitto_program() is None, reason="mosquitto is not installed")


def house(url: str, *lines: str) -> str:
    """A configuration whose source listens there, with these lines more."""
    plain = 'url = "mqtt://127.0.0.1:{port}"'
    assert plain in RULES
    return CHANNELS + RULES.replace(plain, "\n".join((f'url = "{url}"', *lines))).format()


async def hears(town: FakeHouse, gauge: aiomqtt.Client) -> None:
    """A reading that is published arrives."""
    number = 0

    async def so() -> bool:
        nonlocal number
        number += 1
        await says(gauge, number, 1.0)
        return await heard(town)

    await until(so)


async def unheard(town: FakeHouse, why: str) -> None:
    """The source is not ready and says why; the readiness board says that there is such a one, and no name."""

    async def so() -> bool:
        status = await source(town)
        return not status["ready"] and why in status["detail"]

    await until(so)

    async def told() -> bool:
        _, board = await town.call("GET", "/readyz")
        return "1 of 1 sources are not heard" in board["concerns"]

    await until(told)


@asynccontextmanager
async def over_tls(kind: str, folder: Path, trust: Certificates) -> AsyncIterator[int]:
    if kind == "amqtt":
        async with amqtt_broker(trust=trust) as port:
            yield port
        return
    if mosquitto_program() is None:
        pytest.skip("mosquitto is not installed")
    async with mosquitto(folder, "allow_anonymous true", *trust.settings()) as broker:
        yield broker.port


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("trust"))


@pytest.mark.parametrize("kind", ["amqtt", "mosquitto"])
async def test_readings_come_over_tls_under_an_authority_of_ones_own(
    kind: str, tmp_path: Path, trust: Certificates
) -> None:
    async with over_tls(kind, tmp_path, trust) as port:
        told = house(f"mqtts://localhost:{port}", f'ca_file = "{trust.ca_file}"')
        async with (
            fake_house(tmp_path, told) as town,
            aiomqtt.Client("localhost", port, tls_context=trust.context()) as gauge,
        ):
            await hears(town, gauge)


@pytest.mark.parametrize(
    ("host", "anchored", "why"),
    [("127.0.0.1", True, "IP address mismatch"), ("localhost", False, "signed certificate in certificate chain")],
)
@needs_mosquitto
async def test_a_broker_that_cannot_prove_its_name_is_not_listened_to(
    host: str, *, anchored: bool, why: str, tmp_path: Path, trust: Certificates
) -> None:
    lines = [f'ca_file = "{trust.ca_file}"'] if anchored else []
    async with (
        mosquitto(tmp_path, "allow_anonymous true", *trust.settings()) as broker,
        fake_house(tmp_path, house(f"mqtts://{host}:{broker.port}", *lines)) as town,
    ):
        await unheard(town, "the broker's certificate is not believed: ")
        assert why in (await source(town))["detail"]


@needs_mosquitto
async def test_a_broker_that_asks_for_a_certificate_is_shown_ours(tmp_path: Path, trust: Certificates) -> None:
    chain, key = trust.client
    async with mosquitto(tmp_path, "allow_anonymous true", *trust.settings(ask=True)) as broker:
        url, ours = f"mqtts://localhost:{broker.port}", f'ca_file = "{trust.ca_file}"'
        async with fake_house(tmp_path, house(url, ours)) as town:
            await unheard(town, "the broker")
        async with (
            fake_house(tmp_path, house(url, ours, f'cert_file = "{chain}"', f'key_file = "{key}"')) as town,
            aiomqtt.Client("localhost", broker.port, tls_context=trust.context()) as gauge,
        ):
            await hears(town, gauge)


@needs_mosquitto
async def test_a_certificate_that_is_not_there_is_said(tmp_path: Path, trust: Certificates) -> None:
    lines = (f'ca_file = "{trust.ca_file}"', 'cert_file = "gone.pem"', 'key_file = "gone.key"')
    async with (
        mosquitto(tmp_path, "allow_anonymous true", *trust.settings()) as broker,
        fake_house(tmp_path, house(f"mqtts://localhost:{broker.port}", *lines)) as town,
    ):
        await unheard(town, "No such file")


@needs_mosquitto
async def test_a_password_opens_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    lines = ("allow_anonymous false", f"password_file {password_file(tmp_path)}")
    async with mosquitto(tmp_path, *lines) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        for given in ("wrong", PASSWORD):
            secret = tmp_path / f"{len(given)}.password"
            secret.write_text(given)
            secret.chmod(0o600)
            told = house(url, f'username = "{USER}"', f'password = {{{{ file = "{secret}" }}}}')
            async with fake_house(tmp_path, told) as town:
                if given != PASSWORD:
                    await unheard(town, "it refuses the connection: not authorised")
                    continue
                async with aiomqtt.Client("127.0.0.1", broker.port, username=USER, password=PASSWORD) as gauge:
                    await hears(town, gauge)


@needs_mosquitto
async def test_a_broker_without_tls_is_not_taken_for_one(tmp_path: Path, trust: Certificates) -> None:
    async with (
        mosquitto(tmp_path) as broker,
        fake_house(tmp_path, house(f"mqtts://localhost:{broker.port}", f'ca_file = "{trust.ca_file}"')) as town,
    ):
        await unheard(town, "the broker")


def test_the_context_of_a_gauge_is_strict(trust: Certificates) -> None:
    """Else the tests above would show nothing of the name."""
    assert trust.context().verify_mode is ssl.CERT_REQUIRED
