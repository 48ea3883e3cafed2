"""The kept sums of one alert on one channel: moved with every transition, never recounted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.delivery import State
from alertd.storage.connect import run, scalar
from alertd.storage.types import json_text

_BUCKETS_PER_OCTAVE: Final = 8
"""2 ** (1/8) = 1.0905: a bucket is about 9 % wide."""

_MOVE: Final = """
UPDATE tally SET
  queued = queued + :queued, sending = sending + :sending, retrying = retrying + :retrying,
  accepted = accepted + :accepted, delivered = delivered + :delivered,
  seen = seen + :seen, acknowledged = acknowledged + :acknowledged,
  failed = failed + :failed, gone = gone + :gone, expired = expired + :expired, superseded = superseded + :superseded,
  attempts = attempts + :attempts
WHERE alert_seq = :alert_seq AND channel = :channel
"""
_STILL: Final[Mapping[str, int]] = dict.fromkeys((state.value for state in State), 0)

HISTOGRAM: Final = "SELECT histogram FROM tally WHERE alert_seq = :alert_seq AND channel = :channel"
_MARK: Final = """
UPDATE tally SET
  first_attempt_at = min(coalesce(first_attempt_at, :first), :first),
  last_settled_at = nullif(max(coalesce(last_settled_at, 0), :last), 0),
  histogram = :histogram
WHERE alert_seq = :alert_seq AND channel = :channel
"""

Histogram = Mapping[int, int]
"""Bucket number to how many answers fell into it."""


def bucket_of(milliseconds: float) -> int:
    return int(math.log2(milliseconds) * _BUCKETS_PER_OCTAVE) if milliseconds > 1 else 0


def quantile(histogram: Histogram, q: float) -> int | None:
    """The middle, in whole milliseconds, of the bucket where the q-th answer lies; None where there is none."""
    total = sum(histogram.values())
    passed = 0
    for bucket in sorted(histogram):
        passed += histogram[bucket]
        if passed >= q * total:
            return round(2 ** ((bucket + 0.5) / _BUCKETS_PER_OCTAVE))
    return None


def move(conn: Connection, alert_seq: int, channel: str, by: Mapping[State, int], *, attempts: int = 0) -> None:
    """Grow (or shrink) the sums. `by` adds up to zero, except where deliveries are born."""
    deltas: dict[str, object] = {
        **_STILL,
        **{s.value: n for s, n in by.items()},
        "attempts": attempts,
        "alert_seq": alert_seq,
        "channel": channel,
    }
    run(conn, _MOVE, deltas)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a batch of attempts ran, in microseconds; `last` is 0 where none of them settled its delivery."""

    first: int
    last: int
    answers: Histogram


def mark(conn: Connection, alert_seq: int, channel: str, timing: Timing) -> None:
    """Note when attempts began and ended, and how long after the acceptance the provider answered."""
    which = {"alert_seq": alert_seq, "channel": channel}
    text = scalar(conn, HISTOGRAM, which)
    kept = counts(orjson.loads(text) if text else None)
    for bucket, count in timing.answers.items():
        kept[bucket] = kept.get(bucket, 0) + count
    times = {
        "first": timing.first,
        "last": timing.last,
        "histogram": json_text({str(bucket): count for bucket, count in kept.items()}) if kept else None,
    }
    run(conn, _MARK, {**which, **times})


def counts(histogram: Mapping[str, int] | None) -> dict[int, int]:
    """A histogram as JSON has it, with its bucket numbers back as numbers."""
    return {int(bucket): count for bucket, count in (histogram or {}).items()}
