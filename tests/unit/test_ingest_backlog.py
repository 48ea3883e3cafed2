"""The backlog: bounded, fair to topics, and never without the newest of each."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from alertd.ingest.backlog import BATCH, Backlog


@dataclass
class Message:
    topic: str
    payload: int


class Dropped:
    count = 0

    def __call__(self) -> None:
        self.count += 1


@given(st.lists(st.sampled_from("abc"), max_size=400), st.integers(3, 20))
async def test_nothing_is_lost_uncounted_and_each_topic_keeps_its_newest_in_order(topics: list[str], most: int) -> None:
    dropped = Dropped()
    backlog = Backlog(most, dropped)
    for number, topic in enumerate(topics):
        backlog.put_nowait(Message(topic, number))
    assert backlog.qsize() == min(len(topics), most)
    assert dropped.count == max(0, len(topics) - most)
    read: list[Message] = []
    while not backlog.empty():
        read += await backlog.get()
    for topic in set(topics):
        numbers = [message.payload for message in read if message.topic == topic]
        assert numbers == sorted(numbers)
        if numbers:
            assert numbers[-1] == max(number for number, name in enumerate(topics) if name == topic)


async def test_one_loud_topic_does_not_push_out_a_quiet_one() -> None:
    backlog = Backlog(10, Dropped())
    backlog.put_nowait(Message("quiet", 0))
    for number in range(1000):
        backlog.put_nowait(Message("loud", number))
    batch = await backlog.get()
    assert batch[0] == Message("quiet", 0)
    assert batch[-1] == Message("loud", 999)


async def test_it_is_read_in_batches() -> None:
    backlog = Backlog(10_000, Dropped())
    for number in range(BATCH * 2 + 1):
        backlog.put_nowait(Message(f"t{number % 7}", number))
    sizes = [len(await backlog.get()) for _ in range(3)]
    assert sizes == [BATCH, BATCH, 1]
    assert backlog.empty()
