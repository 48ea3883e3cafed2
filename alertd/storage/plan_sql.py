"""The statements of plan.py.

A delivery is born with `due_at` 0, fresh: the first attempt waits for no clock, wherever that is set. Fresh ones are
claimed in the order of their endpoints, beyond `plan.fresh`, which never steps back: what is born behind it is due at
1, as early, and found by `delivery_waiting`.
What follows must not overtake an attempt that is out: who has one, of any ancestor, is left to the next pass.
"""

from typing import Final

from alertd.domain.blocks import EVERY_BLOCK

NEXT: Final = """
SELECT p.alert_seq, a.id, p.channel, p.priority, p.broadcast FROM plan p JOIN alert a ON a.seq = p.alert_seq
WHERE p.done = 0 AND p.held = 0 ORDER BY p.priority, p.broadcast DESC, p.alert_seq, p.channel LIMIT :limit
"""

OTHERS: Final = """
SELECT EXISTS (SELECT 1 FROM plan WHERE done = 0 AND held = 0 AND NOT (alert_seq = :seq AND channel = :channel))
"""

PLAN: Final = """
SELECT p.alert_seq, p.channel, p.broadcast, p.depth, p.cursor, p.upper, p.zone_sets, p.in_flight, p.fresh,
       a.msg_type, a.purpose, a.cohort, a.targets
FROM plan p JOIN alert a ON a.seq = p.alert_seq
WHERE p.alert_seq = :seq AND p.channel = :channel AND p.done = 0 AND p.held = 0
"""

KEEP: Final = """
UPDATE plan SET depth = :depth, cursor = :cursor, upper = :upper, zone_sets = :zone_sets, in_flight = :in_flight,
                done = :done
WHERE alert_seq = :seq AND channel = :channel
"""

BEGUN: Final = "UPDATE alert SET state = 'active' WHERE seq = :seq AND state = 'pending'"

UPPER: Final = "SELECT max(id) FROM endpoint WHERE channel = :channel AND state = 'active'"

OWN_WINDOW: Final = """
SELECT max(id), count(*) FROM (
  SELECT id FROM endpoint WHERE channel = :channel AND state = 'active' AND id > :cursor AND id <= :upper
  ORDER BY id LIMIT :window
)
"""

OWN: Final = """
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, due_at, attempts, exposed, created_at)
SELECT :seq, :channel, id, language, blocks, 'queued', id <= :fresh, 0, 0, :now FROM (
  SELECT e.id, s.language,
    CASE s.min_rank WHEN 1 THEN :whole1 WHEN 2 THEN :whole2 WHEN 3 THEN :whole3 ELSE :whole4 END
    | CASE WHEN :zoned THEN coalesce((
        SELECT x.blocks FROM selected x
        WHERE x.alert_seq = :seq AND x.zone_set = s.zone_set AND x.min_rank = s.min_rank
      ), 0) ELSE 0 END AS blocks
  FROM endpoint e JOIN subscriber s ON s.seq = e.subscriber_seq
  WHERE e.channel = :channel AND e.state = 'active' AND e.id > :cursor AND e.id <= :until
    AND s.cohort = :cohort AND s.purposes & :purpose <> 0
) WHERE blocks <> 0
ON CONFLICT DO NOTHING
"""

FEW: Final = """
SELECT count(*) FROM (
  SELECT 1 FROM selected x CROSS JOIN subscriber s ON s.zone_set = x.zone_set AND s.min_rank = x.min_rank
  WHERE x.alert_seq = :seq LIMIT :limit
)
"""

OWN_FEW: Final = """
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, due_at, attempts, exposed, created_at)
SELECT :seq, :channel, e.id, s.language, x.blocks, 'queued', e.id <= :fresh, 0, 0, :now
FROM selected x CROSS JOIN subscriber s ON s.zone_set = x.zone_set AND s.min_rank = x.min_rank
  CROSS JOIN endpoint e ON e.subscriber_seq = s.seq
WHERE x.alert_seq = :seq AND e.channel = :channel AND e.state = 'active'
  AND s.cohort = :cohort AND s.purposes & :purpose <> 0
ON CONFLICT DO NOTHING
"""
"""As OWN, by zone instead of by endpoint: what it costs depends on who lives there, not on the whole town."""

POST: Final = f"""
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, due_at, attempts, exposed, created_at)
VALUES (:seq, :channel, 0, '', {EVERY_BLOCK}, 'queued', 0, 0, 0, :now)
ON CONFLICT DO NOTHING
"""  # noqa: S608  a number of ours

IN_FLIGHT: Final = """
SELECT coalesce(sum(t.sending), 0) FROM alert_ancestor n JOIN tally t ON t.alert_seq = n.ancestor_seq
WHERE n.alert_seq = :seq AND t.channel = :channel
"""

HAS_ANCESTOR: Final = "SELECT EXISTS (SELECT 1 FROM alert_ancestor WHERE alert_seq = :seq AND depth = :depth)"

FOLLOW_WINDOW: Final = """
SELECT max(endpoint_id), count(*) FROM (
  SELECT d.endpoint_id FROM delivery d
  WHERE d.alert_seq = (SELECT ancestor_seq FROM alert_ancestor WHERE alert_seq = :seq AND depth = :depth)
    AND d.channel = :channel AND d.endpoint_id > :cursor
  ORDER BY d.endpoint_id LIMIT :window
)
"""

FOLLOW: Final = f"""
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, due_at, attempts, exposed, created_at,
                      thread)
SELECT :seq, :channel, id, language, coalesce(nullif(blocks, 0), {EVERY_BLOCK}), 'queued', id <= :fresh, 0, 0,
       :now, thread
FROM (
  SELECT e.id, s.language, coalesce(d.ref, d.thread) AS thread,
    CASE s.min_rank WHEN 1 THEN :whole1 WHEN 2 THEN :whole2 WHEN 3 THEN :whole3 ELSE :whole4 END
    | CASE WHEN :zoned THEN coalesce((
        SELECT x.blocks FROM selected x
        WHERE x.alert_seq = :seq AND x.zone_set = s.zone_set AND x.min_rank = s.min_rank
      ), 0) ELSE 0 END AS blocks
  FROM delivery d JOIN endpoint e ON e.id = d.endpoint_id JOIN subscriber s ON s.seq = e.subscriber_seq
  WHERE d.alert_seq = (SELECT ancestor_seq FROM alert_ancestor WHERE alert_seq = :seq AND depth = :depth)
    AND d.channel = :channel AND d.endpoint_id > :cursor AND d.endpoint_id <= :until AND d.exposed = 1
    AND e.state <> 'gone' AND s.cohort = :cohort AND (:flying = 0 OR NOT EXISTS (
      SELECT 1 FROM alert_ancestor n CROSS JOIN delivery f
        ON f.alert_seq = n.ancestor_seq AND f.channel = d.channel AND f.endpoint_id = d.endpoint_id
      WHERE n.alert_seq = :seq AND f.state = 'sending'
    ))
) WHERE true
ON CONFLICT DO NOTHING
"""  # noqa: S608  a number of ours

FOLLOW_POST: Final = f"""
INSERT INTO delivery (alert_seq, channel, endpoint_id, language, blocks, state, due_at, attempts, exposed, created_at,
                      thread)
SELECT :seq, :channel, 0, '', {EVERY_BLOCK}, 'queued', 0, 0, 0, :now, coalesce(d.ref, d.thread)
FROM delivery d
WHERE d.alert_seq = (SELECT ancestor_seq FROM alert_ancestor WHERE alert_seq = :seq AND depth = :depth)
  AND d.channel = :channel AND d.endpoint_id = 0 AND d.exposed = 1 AND (:flying = 0 OR NOT EXISTS (
      SELECT 1 FROM alert_ancestor n CROSS JOIN delivery f
        ON f.alert_seq = n.ancestor_seq AND f.channel = d.channel AND f.endpoint_id = d.endpoint_id
      WHERE n.alert_seq = :seq AND f.state = 'sending'
    ))
ON CONFLICT DO NOTHING
"""  # noqa: S608  a number of ours
