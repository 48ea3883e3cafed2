"""The one delivery of each broadcast channel, claimed in the transaction that accepts its alert.

A post waits then for no planner, no lane and no second commit. Two statements, however many channels.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from alertd.domain.blocks import EVERY_BLOCK
from alertd.domain.times import micros
from alertd.ports.stores.intake import NewAlert
from alertd.ports.stores.work import Claim, Told
from alertd.storage.connect import insert, run
from alertd.storage.types import json_text

_LEASES: Final = """
INSERT INTO lease (alert_seq, channel, claimed_at, until, open, first, last)
SELECT :seq, value, :now, :until, 1, 0, 0 FROM json_each(:channels)
"""
_POSTS: Final = f"""
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, token, due_at, attempts, exposed,
                      created_at)
SELECT :seq, channel, 0, '', {EVERY_BLOCK}, 'sending', token, 0, 0, 0, :now FROM lease
WHERE token > :before AND alert_seq = :seq
RETURNING channel, token, id
"""  # noqa: S608  a number of ours


def claim_posts(conn: Connection, new: NewAlert, seq: int) -> Mapping[str, Claim]:
    """Claim the posts of the channels in `new.at_once`, whose plan and tally already say so; by channel."""
    at = micros(new.accepted_at)
    until = at + round(new.lease * 1_000_000)
    terms = {"seq": seq, "channels": json_text(sorted(new.at_once)), "now": at, "until": until}
    before = insert(conn, _LEASES, terms) - len(new.at_once)
    posts = run(conn, _POSTS, {**terms, "before": before}).fetchall()
    return {
        channel: Claim(token, new.alert.id, [Told("", EVERY_BLOCK, [delivery_id], [0], [""], [0], [None])])
        for channel, token, delivery_id in posts
    }
