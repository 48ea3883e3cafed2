"""The pages in a real browser: without JavaScript, under their own CSP, with a push that becomes a notification."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright

from alertd.domain.alert import AlertState, MsgType, Status
from tests.support.citizens import PUSH, Hall, make_hall
from tests.support.clock import RealClock
from tests.support.notices import SERVICE, alert, info

CHROMIUM = Path("/usr/bin/chromium")
Deliver = Callable[[str], Awaitable[None]]
ARGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium")


@dataclass
class Open:
    """A town hall listening, and a browser in front of it."""

    hall: Hall
    url: str
    browser: Browser


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all: what a test keeps in it (cookies, storage, service workers) is its context's, which ends with it."""
    async with async_playwright() as play:
        started = await play.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=ARGS)
        yield started
        await started.close()


@contextlib.asynccontextmanager
async def opened(browser: Browser) -> AsyncIterator[Open]:
    socket = _socket()
    url = f"http://localhost:{socket.getsockname()[1]}"
    hall = make_hall(replace(SERVICE, public_url=url), clock=RealClock())
    server = uvicorn.Server(uvicorn.Config(hall.app, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server._serve([socket]))
    try:
        yield Open(hall, url, browser)
    finally:
        for context in browser.contexts:
            await context.close()
        server.should_exit = True
        await serving


def _socket() -> Any:
    import socket

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


async def visit(browser: Browser, **options: Any) -> tuple[BrowserContext, Page, list[str]]:
    """A page and what the console and the CSP complained of."""
    context = await browser.new_context(locale="it-IT", **options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda r: None if _left(r) else complaints.append(f"failed: {r.url}"))
    return context, page, complaints


def _left(request: Request) -> bool:
    """The browser itself asks for the icon, no page waits for it, and the page was left before it had come."""
    return request.failure == "net::ERR_ABORTED" and request.url.endswith("/icon.svg")


async def photograph(page: Page, name: str) -> None:
    """Kept only where somebody wants to look: ALERTD_SCREENSHOTS=folder."""
    if folder := os.environ.get("ALERTD_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fill(hall: Hall) -> None:
    real = replace(alert("a1", status=Status.ACTUAL), sent="2026-11-21T11:00:00+01:00")
    old = replace(real, id="a0", identifier="i-a0", info=(info(headline="Allerta gialla per vento"),))
    cancel = replace(real, id="a2", identifier="i-a2", msg_type=MsgType.CANCEL)
    hall.board.put(old, AlertState.CANCELLED, followed_by="a2")
    hall.board.put(cancel, ancestors=("a0",))
    hall.board.put(real)
    hall.board.put(
        replace(real, id="a3", identifier="i-a3", info=(info(headline="Scuole chiuse"),)),
        AlertState.EXPIRED,
        deadline=datetime.now(UTC) - timedelta(days=1),
    )


async def test_pages_are_read_without_javascript(browser: Browser) -> None:
    async with opened(browser) as town:
        fill(town.hall)
        _, page, complaints = await visit(town.browser, java_script_enabled=False)
        await page.goto(f"{town.url}/")
        await photograph(page, "home")
        await page.get_by_role("link", name="Allerta arancione per temporali").click()
        assert await page.get_by_role("heading", level=1).inner_text() == "Allerta arancione per temporali"
        assert await page.get_by_text("Restare lontani dagli argini.").is_visible()
        await photograph(page, "alert")
        await page.goto(f"{town.url}/alerts/a0")
        await photograph(page, "cancelled")
        await page.get_by_role("link", name="Leggi il messaggio che segue").click()
        assert await page.get_by_text("revoca un avviso precedente").is_visible()
        await page.goto(f"{town.url}/")
        await page.get_by_role("link", name="English").click()
        assert await page.locator("html").get_attribute("lang") == "en"
        assert complaints == []


async def test_mail_subscription_and_leaving_without_javascript(browser: Browser) -> None:
    async with opened(browser) as town:
        _, page, complaints = await visit(town.browser, java_script_enabled=False)
        await page.goto(f"{town.url}/subscribe")
        assert await page.get_by_text("hanno bisogno di JavaScript").is_visible()
        await photograph(page, "subscribe")
        await page.get_by_role("button", name="Iscriviti per posta elettronica").click()
        await page.get_by_role("alert").wait_for()
        await photograph(page, "subscribe-faults")
        assert len(complaints) == 1, "a 422 is told on the console"
        complaints.clear()
        await page.get_by_label("Montelupo Fiorentino").check()
        await page.get_by_label("Indirizzo di posta elettronica").fill("anna@example.org")
        await page.get_by_role("button", name="Iscriviti per posta elettronica").click()
        assert await page.get_by_role("heading", name="Controlla la posta").is_visible()
        ((_, notice, _),) = town.hall.post.sent
        await page.goto(notice.url)
        await photograph(page, "confirm")
        assert not town.hall.people.held
        await page.get_by_role("button", name="Conferma").click()
        assert await page.get_by_role("heading", name="Iscrizione confermata").is_visible()
        (subscriber,) = town.hall.people.held.values()
        await page.goto(town.hall.links.unsubscribe_url(subscriber.endpoints[0].id))
        await page.get_by_role("button", name="Non ricevere più").click()
        assert await page.get_by_role("heading", name="Fatto").is_visible()
        assert not town.hall.people.held
        assert complaints == []


async def test_a_push_becomes_a_notification_and_the_next_replaces_it(browser: Browser) -> None:
    async with opened(browser) as town:
        context, page, complaints = await visit(town.browser, permissions=["notifications"])
        await page.goto(f"{town.url}/subscribe")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        deliver = await _pusher(context, page, town.url)

        old = _message("Comune: allerta", "Temporali", sent="2026-11-21T11:00:00+01:00")
        first = await _shown(page, deliver, old, "Comune: allerta")
        assert first == [
            {
                "title": "Comune: allerta",
                "body": "Temporali",
                "tag": "t1",
                "lang": "it-IT",
                "url": f"{town.url}/alerts/a1",
            }
        ]

        newer = _message("Comune: revoca", "Falso allarme", sent="2026-11-21T11:05:00+01:00", id="a2")
        assert [n["title"] for n in await _shown(page, deliver, newer, "Comune: revoca")] == ["Comune: revoca"]

        both = await _shown(page, deliver, _message("Comune: altro", "", tag="t2"), "Comune: altro")
        assert sorted(n["tag"] for n in both) == ["t1", "t2"]

        await deliver(old)
        late = await _shown(page, deliver, "not JSON at all", "localhost")
        assert sorted(n["title"] for n in late) == ["Comune: altro", "Comune: revoca", "localhost"]
        assert complaints == []


async def test_the_button_subscribes_this_device_and_stops_it(browser: Browser) -> None:
    async with opened(browser) as town:
        _, page, complaints = await visit(town.browser, permissions=["notifications"])
        await page.add_init_script(_PRETEND_PUSH_SERVICE % json.dumps(PUSH))
        await page.goto(f"{town.url}/subscribe")
        button = page.get_by_role("button", name="Ricevi notifiche su questo dispositivo")
        says = page.get_by_role("status")
        await button.click()
        await says.get_by_text("Scegli almeno una zona").wait_for()
        await page.get_by_label("Empoli").check()
        await button.click()
        await says.get_by_text("gli avvisi arriveranno").wait_for()
        await photograph(page, "push")
        (subscriber,) = town.hall.people.held.values()
        assert subscriber.preference.zones == ("048014",)
        assert subscriber.endpoints[0].channel == "push"
        assert await page.evaluate("window.askedKey") == "BKey"
        await page.reload()
        await page.get_by_role("button", name="Non ricevere più su questo dispositivo").click()
        await says.get_by_text("non arriverà più nulla").wait_for()
        assert not town.hall.people.held
        assert complaints == []


async def test_the_policy_really_forbids_inline_scripts(browser: Browser) -> None:
    async with opened(browser) as town:
        _, page, complaints = await visit(town.browser)
        await page.goto(f"{town.url}/")
        await page.evaluate(
            "document.body.appendChild(Object.assign(document.createElement('script'), {textContent: 'window.owned = 1'}))"
        )
        assert await page.evaluate("window.owned") is None
        assert any("Content Security Policy" in complaint for complaint in complaints)


async def test_pages_fit_a_small_screen_and_print(browser: Browser) -> None:
    async with opened(browser) as town:
        fill(town.hall)
        _, page, _ = await visit(town.browser, viewport={"width": 320, "height": 640})
        for path in ("/", "/alerts/a1", "/subscribe"):
            await page.goto(f"{town.url}{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320, path
        await photograph(page, "small")
        await page.goto(f"{town.url}/alerts/a1")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await photograph(page, "focus")
        await page.emulate_media(media="print")
        assert not await page.get_by_role("navigation").is_visible()
        await photograph(page, "print")


_PRETEND_PUSH_SERVICE = """
(() => {
  const made = %s;
  const subscription = { toJSON: () => made, unsubscribe: async () => { localStorage.removeItem("on"); return true; } };
  PushManager.prototype.subscribe = async (options) => {
    window.askedKey = options.applicationServerKey;
    localStorage.setItem("on", "1");
    return subscription;
  };
  PushManager.prototype.getSubscription = async () => (localStorage.getItem("on") ? subscription : null);
})();
"""


def _message(title: str, body: str, *, tag: str = "t1", sent: str = "2026-11-21T11:10:00+01:00", id: str = "a1") -> str:  # noqa: A002
    return json.dumps(
        {
            "title": title,
            "body": body,
            "tag": tag,
            "url": "/alerts/a1",
            "lang": "it-IT",
            "kind": "Alert",
            "renotify": True,
            "purpose": "emergency",
            "id": id,
            "sent": sent,
        }
    )


_AWAKE = """async () => {
    const { active } = await navigator.serviceWorker.ready;
    while (active.state !== "activated") {
        await new Promise((later) => active.addEventListener("statechange", later, { once: true }));
    }
}"""
"""A message that is delivered before is lost."""


async def _pusher(context: BrowserContext, page: Page, url: str) -> Any:
    """Deliver a push message to the site's service worker through DevTools."""
    tools = await context.new_cdp_session(page)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        for registration in event["registrations"]:
            if registration["scopeURL"] == f"{url}/" and not found.done():
                found.set_result(registration["registrationId"])

    tools.on("ServiceWorker.workerRegistrationUpdated", registered)
    await tools.send("ServiceWorker.enable")
    async with asyncio.timeout(180):
        registration = await found
        await page.evaluate(_AWAKE)

    async def deliver(data: str) -> None:
        await tools.send(
            "ServiceWorker.deliverPushMessage", {"origin": url, "registrationId": registration, "data": data}
        )

    return deliver


async def _shown(page: Page, deliver: Deliver, message: str, wanted: str) -> list[dict[str, str]]:
    """What is shown once a notification of that title is. DevTools now and then lose a message, as when the browser
    has just put the worker to sleep: then it is delivered again."""
    script = """async (wanted) => {
        const registration = await navigator.serviceWorker.ready;
        for (let tries = 0; tries < 1500; tries++) {
            const shown = await registration.getNotifications();
            if (shown.some((n) => n.title === wanted)) {
                return shown.map(({ title, body, tag, lang, data }) => (
                    { title, body, tag, lang, url: new URL(data.url, location).href }));
            }
            await new Promise((later) => setTimeout(later, 20));
        }
        return null;
    }"""
    async with asyncio.timeout(180):
        while True:
            await deliver(message)
            shown: list[dict[str, str]] | None = await page.evaluate(script, wanted)
            if shown is not None:
                return shown
