"""The suite itself is tested: an adapter that breaks one rule fails the test of that rule."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract import test_manners, test_page, test_verdicts
from tests.contract.guests import FAKE, TIMEOUT
from tests.contract.stand import Stand, stand_for

Check = Callable[[Stand], Awaitable[None]]

CASES: list[tuple[str, Check]] = [
    ("SettlesTwice", test_verdicts.test_a_good_answer_is_accepted_and_arrives_once),
    ("ForgetsTheLast", test_verdicts.test_a_good_answer_is_accepted_and_arrives_once),
    ("SwallowsCancellation", test_page.test_cancellation_comes_through_at_once_and_leaves_nothing),
    ("LeavesATask", test_verdicts.test_a_good_answer_is_accepted_and_arrives_once),
    ("LogsTheAddress", test_manners.test_no_address_and_no_secret_is_logged),
    ("TakesAllAtOnce", test_page.test_a_page_that_closes_midway_sends_no_more),
    ("TakesAllAtOnce", test_page.test_a_closed_page_sends_nothing),
    ("CutsTheSender", test_manners.test_render_keeps_the_sender),
    ("RaisesInCheck", test_manners.test_check_is_ready_and_sends_nothing),
]


@pytest.mark.parametrize(("saboteur", "check"), CASES, ids=[f"{name}-{c.__name__}" for name, c in CASES])
async def test_a_broken_rule_is_noticed(saboteur: str, check: Check, folder: Path) -> None:
    guest = replace(FAKE, adapter=f"tests.contract.saboteurs:{saboteur}")
    with pytest.raises((AssertionError, OSError, pytest.fail.Exception, ExceptionGroup)):
        async with stand_for(guest, folder, timeout=TIMEOUT) as stand:
            await check(stand)
