"""Which CAP messages belong together, in whatever order they are heard."""

import itertools

import pytest

from alertd.domain.signal import Signal
from alertd.ingest.readers import cap
from alertd.ingest.readers.received import Received
from alertd.ingest.threads import Threads
from tests.support.clock import START
from tests.support.desk_stand import DeskStand
from tests.unit.rules_stand import rule
from tests.unit.test_ingest_desk import CODE, document, forward, hears, kinds

CONFIG = cap.Config(exercises=True)
REAL = cap.Config()

A = document("a", 0)
U1 = document("u1", 5, kind="Update", severity="Extreme", of=("a", 0))
U2 = document("u2", 9, kind="Update", severity="Moderate", of=("u1", 5))
CANCEL_A = document("c", 12, kind="Cancel", of=("a", 0), bare=True)
CANCEL_U1 = document("c", 12, kind="Cancel", of=("u1", 5), bare=True)
CANCEL_U2 = document("c", 12, kind="Cancel", of=("u2", 9), bare=True)


def signals(*documents: bytes, config: cap.Config = CONFIG) -> list[Signal]:
    return [signal for one in documents for signal in cap.read(one, config, Received("regione", START)).signals]


def told(threads: Threads, *documents: bytes, known: tuple[str, ...] = ()) -> list[str]:
    found = threads.follow_all(signals(*documents), known)
    return [f"{signal.revision.split(',')[1]}{' over' if signal.ended else ''}" for signal in found]


def keys(threads: Threads, *documents: bytes) -> tuple[str, ...]:
    return tuple(signal.key for signal in threads.follow_all(signals(*documents), ()))


async def test_a_cancel_of_an_update_not_heard_yet_ends_the_matter_once_it_is() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, A, CANCEL_U1)
    assert kinds(stand) == ["raise"]
    await hears(stand, U1, A, U1)
    assert kinds(stand) == ["raise", "clear"]
    assert stand.core.steps[1][1] == "alert1"


async def test_a_cancel_of_an_update_heard_first_of_all_lets_nothing_be_raised() -> None:
    for order in itertools.permutations((A, U1)):
        stand = forward()
        await stand.start()
        await hears(stand, CANCEL_U1, U1, *order)
        assert kinds(stand) == []


async def test_a_cancel_of_an_earlier_poll_lets_its_alert_not_be_raised_after_a_restart_either() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, CANCEL_A)
    await stand.desk.tick()
    await hears(stand, A)
    stand.reborn()
    await stand.start()
    await hears(stand, A, U1)
    assert kinds(stand) == []


async def test_what_is_forwarded_names_the_message_it_was_taken_from() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, A)
    said = signals(A)[0].alert
    assert said is not None
    info = stand.core.steps[0][2].info[0]
    origins = [pair.value for pair in info.parameter if pair.value_name == "alertd:origin"]
    assert origins == [f"{said.sender},{said.identifier},{said.sent}"]


async def test_a_chain_heard_backwards_is_one_matter_with_its_last_text() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, U2, U1, A, U1, U2)
    assert kinds(stand) == ["raise"]
    assert stand.core.steps[0][2].info[0].severity == "Moderate"
    await hears(stand, CANCEL_A)
    assert kinds(stand) == ["raise", "clear"]


async def test_an_update_between_two_that_stand_is_superseded_and_a_cancel_ends_both() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, A, U2, U1, A, U1, U2)
    assert [step[2].info[0].severity for step in stand.core.steps] == ["Severe", "Moderate"]
    await hears(stand, CANCEL_U2)
    assert [step[:2] for step in stand.core.steps[2:]] == [("clear", "alert2")]
    assert list(stand.core.also.values()) == [("alert1",)]


@pytest.mark.parametrize("died", [False, True])
async def test_two_alerts_of_what_turns_out_to_be_one_matter_are_followed_together(died: bool) -> None:
    stand = forward()
    await stand.start()
    await hears(stand, A, U2, U1)
    if died:
        stand.reborn()
        await stand.start()
    await hears(stand, document("u3", 11, kind="Update", of=("u2", 9)))
    assert [step[:2] for step in stand.core.steps[2:]] == [("change", "alert2")]
    assert list(stand.core.also.values()) == [("alert1",)]
    await hears(stand, document("u4", 13, kind="Update", severity="Minor", of=("u3", 11)))
    assert [step[:2] for step in stand.core.steps[3:]] == [("clear", "alert3")]
    assert list(stand.core.also.values())[1:] == [("alert1",)]  # the Update was a draft, and may never have been sent
    await hears(stand, A, U1, U2)
    assert len(stand.core.steps) == 4


async def test_what_waits_for_the_store_is_raised_once_where_it_is_one_matter() -> None:
    stand = forward()
    await stand.start()
    stand.store.broken = True
    await hears(stand, A, U2, U1)
    stand.store.broken = False
    await stand.desk.tick()
    assert [step[:2] for step in stand.core.steps] == [("raise", ""), ("change", "alert1")]
    assert stand.core.steps[1][2].info[0].severity == "Moderate"


async def test_each_rule_follows_what_it_raised_itself() -> None:
    stand = DeskStand(
        rule(match={"source": "regione", "min_severity": "Severe"}, template="forward", name="gravi"),
        rule(match={"source": "regione", "min_severity": "Moderate"}, template="forward", name="tutti"),
    )
    await stand.start()
    await hears(stand, A, U2, U1)
    assert kinds(stand) == ["raise", "raise", "raise"]  # U2 is not severe
    await hears(stand, document("u3", 11, kind="Update", severity="Extreme", of=("u2", 9)))
    assert sorted(step[:2] for step in stand.core.steps[3:]) == [("change", "alert1"), ("change", "alert3")]
    assert sorted(stand.core.also.values()) == [(), ("alert2",)]


async def test_a_cancel_of_the_first_ends_what_was_heard_before_its_root_was_known() -> None:
    stand = forward()
    await stand.start()
    await hears(stand, U2, CANCEL_A)
    assert kinds(stand) == ["raise"]
    await hears(stand, U1)
    assert kinds(stand) == ["raise", "clear"]


@pytest.mark.parametrize("order", list(itertools.permutations((A, U1, U2, CANCEL_U2))))
async def test_nothing_stands_after_a_chain_and_its_cancel_in_any_order(order: tuple[bytes, ...]) -> None:
    stand = forward()
    await stand.start()
    await hears(stand, *order)
    together = sum(len(also) for also in stand.core.also.values())
    assert kinds(stand).count("raise") == kinds(stand).count("clear") + together
    before = len(stand.core.steps)
    await hears(stand, *order)
    assert len(stand.core.steps) == before


def test_what_comes_together_is_entered_before_anything_is_told() -> None:
    for order in itertools.permutations((A, CANCEL_A)):
        assert told(Threads(), *order) == []
    assert told(Threads(), A, U1, U2) == ["u2"]
    assert told(Threads(), CANCEL_U2, U2, A, U1) == []
    late = document("u3", 20, kind="Update", of=("a", 0))
    assert told(Threads(), A, CANCEL_A, late) == ["u3"]


def test_a_cancel_in_one_batch_ends_what_stands_and_an_update_what_it_no_longer_names() -> None:
    threads = Threads()
    known = keys(threads, A)
    assert told(threads, A, CANCEL_A, known=known) == ["c over"]
    threads = Threads()
    known = keys(threads, A)
    other = document("u1", 5, kind="Update", of=("a", 0), area=CODE.replace("A4", "B1"))
    assert told(threads, other, known=known) == ["u1", "u1 over"]


def test_what_is_simulated_ends_nothing_and_supersedes_nothing() -> None:
    threads = Threads()
    drill = [document("c", 12, kind=kind, status="Exercise", of=("a", 0)) for kind in ("Cancel", "Update")]
    found = threads.follow_all(signals(*drill, config=REAL), keys(Threads(), A))
    assert [signal.simulated for signal in found] == [True, True]
    assert not threads.changed
    assert told(threads, A) == ["a"]


def test_an_exercise_has_a_matter_of_its_own() -> None:
    threads = Threads()
    drill = document("e", 3, kind="Update", status="Exercise", of=("a", 0))
    over = document("c", 12, kind="Cancel", status="Exercise", of=("a", 0), bare=True)
    real = keys(threads, A)
    mock = keys(threads, drill)
    assert mock != real
    assert told(threads, over, known=(*real, *mock)) == ["c over"]
    assert threads.follow_all(signals(over), (*real, *mock))[0].key == mock[0]
    assert told(threads, U1, known=real) == ["u1"]


def test_what_was_followed_is_kept() -> None:
    threads, later = Threads(), Threads()
    told(threads, CANCEL_U1)
    later.load(threads.dump())
    assert told(later, U1, A) == []
    with pytest.raises(ValueError, match="no threads"):
        later.load(b"[]")
