"""The one delivery of each broadcast channel, claimed in the transaction that accepts its alert.

A post waits then for no planner, no lane and no second commit. A handful of statements, however many channels.
"""

from collections.abc import Mapping
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.times import micros
from alertd.ports.stores import Claim, NewAlert, Told
from alertd.storage.connect import insert, run, scalar
from alertd.storage.plan_sql import EVERY_BLOCK
from alertd.storage.types import json_text

_LEASES: Final = """
INSERT INTO lease (alert_seq, channel, claimed_at, until, open, first, last)
SELECT :seq, value, :now, :until, 1, 0, 0 FROM json_each(:channels)
"""
_POSTS: Final = f"""
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, due_at, attempts, exposed, created_at)
SELECT :seq, value, 0, '', {EVERY_BLOCK}, 'queued', 0, 0, 0, :now FROM json_each(:channels)
"""  # noqa: S608  a number of ours
CLAIM: Final = """
UPDATE delivery SET state = 'sending', token = l.token
FROM lease l
WHERE l.token > :before AND delivery.alert_seq = :seq AND delivery.channel = l.channel AND delivery.endpoint_id = 0
"""
PLANNED: Final = """
UPDATE plan SET done = 1, fresh = 0 WHERE alert_seq = :seq AND channel IN (SELECT value FROM json_each(:channels))
"""
COUNTED: Final = """
UPDATE tally SET sending = 1 WHERE alert_seq = :seq AND channel IN (SELECT value FROM json_each(:channels))
"""
_BEGUN: Final = "UPDATE alert SET state = 'active' WHERE seq = :seq"
POSTS: Final = "SELECT json_group_array(json_array(channel, token, id)) FROM delivery WHERE alert_seq = :seq"


def claim_posts(conn: Connection, new: NewAlert, seq: int) -> Mapping[str, Claim]:
    """Plan and claim what `new.at_once` asks for, by channel. The alert has no deliveries yet."""
    at = micros(new.accepted_at)
    until = at + round(new.lease * 1_000_000)
    terms = {"seq": seq, "channels": json_text(sorted(new.at_once)), "now": at, "until": until}
    before = insert(conn, _LEASES, terms) - len(new.at_once)
    for statement in (_POSTS, CLAIM, PLANNED, COUNTED, _BEGUN):
        run(conn, statement, {**terms, "before": before})
    posts = orjson.loads(scalar(conn, POSTS, {"seq": seq}))
    return {
        channel: Claim(token, new.alert.id, [Told("", EVERY_BLOCK, [delivery_id], [0], [""], [0], [None])])
        for channel, token, delivery_id in posts
    }
