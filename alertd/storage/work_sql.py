"""The statements of work.py. A lane is a channel at one priority.

What is fresh (`due_at` 0, never claimed) is found beyond `plan.fresh` in the order of endpoints, which the unique key
has ready; what was put back, or is tried again, by the small index `delivery_waiting`.
"""

from typing import Final

HEADS: Final = """
SELECT t.alert_seq, a.id, p.fresh, EXISTS (
  SELECT 1 FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.endpoint_id > p.fresh
    AND d.state = 'queued' AND d.due_at = 0
) AS some_fresh, (
  SELECT min(d.due_at) FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying') AND d.due_at > 0
) AS head
FROM tally t
JOIN alert a ON a.seq = t.alert_seq
JOIN plan p ON p.alert_seq = t.alert_seq AND p.channel = t.channel
WHERE t.channel = :channel AND t.priority = :priority AND t.queued + t.retrying > 0
  AND a.stopped = 0 AND a.deadline > :now AND (some_fresh OR head <= :now)
ORDER BY some_fresh DESC, CASE WHEN some_fresh THEN 0 ELSE head END, t.alert_seq LIMIT 1
"""

_PAGE: Final = """
SELECT
  json_group_array(id) FILTER (WHERE NOT gone), json_group_array(endpoint_id) FILTER (WHERE NOT gone),
  group_concat(address, char(10)) FILTER (WHERE NOT gone),
  json_group_array(language) FILTER (WHERE NOT gone), json_group_array(blocks) FILTER (WHERE NOT gone),
  json_group_array(attempts) FILTER (WHERE NOT gone), json_group_array(thread) FILTER (WHERE NOT gone),
  json_group_array(id), json_group_array(id) FILTER (WHERE gone),
  coalesce(sum(state = 'queued'), 0), count(*), min(endpoint_id), max(endpoint_id)
FROM (
  SELECT d.id, d.language, d.blocks, d.endpoint_id, coalesce(e.address, '') AS address, d.attempts, d.thread, d.state,
         d.endpoint_id <> 0 AND (e.id IS NULL OR e.state = 'gone') AS gone
  FROM delivery d LEFT JOIN endpoint e ON e.id = d.endpoint_id
  WHERE d.alert_seq = :alert_seq AND d.channel = :channel
    AND {which} LIMIT :limit
)
"""
"""Addresses are joined by line feeds and split again, a tenth of what JSON costs; no canonical one holds any."""
ADDRESSES: Final = """
SELECT json_group_array(coalesce(e.address, '')) FROM json_each(:endpoints) j LEFT JOIN endpoint e ON e.id = j.value
"""
FRESH: Final = _PAGE.format(
    which="d.endpoint_id > :fresh AND d.state = 'queued' AND d.due_at = 0 ORDER BY d.endpoint_id"
)
DUE: Final = _PAGE.format(
    which="d.state IN ('queued', 'retrying') AND d.due_at > 0 AND d.due_at <= :now ORDER BY d.due_at, d.id"
)

LEASE: Final = """
INSERT INTO lease (alert_seq, channel, claimed_at, until, open, first, last)
VALUES (:alert_seq, :channel, :now, :until, :open, :first, :last)
"""
CLAIM_FRESH: Final = """
UPDATE delivery SET state = 'sending', token = :token
WHERE alert_seq = :alert_seq AND channel = :channel AND endpoint_id BETWEEN :first AND :last
  AND state = 'queued' AND due_at = 0
"""
ADVANCE: Final = "UPDATE plan SET fresh = :last WHERE alert_seq = :alert_seq AND channel = :channel"
CLAIM: Final = """
UPDATE delivery SET state = 'sending', token = :token
WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('queued', 'retrying')
"""
UNREACHABLE: Final = """
UPDATE delivery SET state = 'gone', reason = 'unsubscribed', settled_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND token = :token AND state = 'sending'
"""

NEXT_DUE: Final = """
SELECT min(CASE WHEN EXISTS (
  SELECT 1 FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.endpoint_id > p.fresh
    AND d.state = 'queued' AND d.due_at = 0
) THEN 0 ELSE (
  SELECT min(d.due_at) FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying') AND d.due_at > 0
) END)
FROM tally t
JOIN alert a ON a.seq = t.alert_seq
JOIN plan p ON p.alert_seq = t.alert_seq AND p.channel = t.channel
WHERE t.channel = :channel AND t.priority = :priority AND t.queued + t.retrying > 0 AND a.stopped = 0
"""
EXTEND: Final = "UPDATE lease SET until = :until WHERE token = :token"
RELEASE: Final = """
UPDATE delivery SET state = 'queued', due_at = max(coalesce(:due_at, due_at), 1)
WHERE id IN (SELECT value FROM json_each(:ids)) AND token = :token AND state = 'sending'
"""
"""Put back, it is fresh no more: `plan.fresh` has passed it. 1 is as early as 0."""
