"""What delivering events costs at the least: by hand, with psycopg2 and requests.

The same rows, tables and receiver as the addon's own delivery, and as many requests and
transactions; no retries, no other answer than yes. Run by Odoo's Python, without Odoo.
"""

# mypy: ignore-errors
import json
import sys
import time

import psycopg2
import requests

_CLAIM = """
    SELECT id, event_name, event_id, extract(epoch FROM event_time)::bigint,
           action_source, event_source_url, user_data, custom_data
      FROM meta_capi_event
     WHERE state = 'pending' AND pixel_id = %s
     ORDER BY event_time, id
     LIMIT %s
       FOR NO KEY UPDATE SKIP LOCKED
"""
_KEYS = (
    *("event_name", "event_id", "event_time", "action_source", "event_source_url"),
    *("user_data", "custom_data"),
)


def drain(dsn, url, pixel_id, batch):
    """Deliver all that is pending; return how many events, and the seconds it took."""
    connection = psycopg2.connect(**dsn)
    connection.set_session(isolation_level="READ COMMITTED")
    session = requests.Session()
    session.trust_env = False
    events = 0
    start = time.perf_counter()
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_CLAIM, (pixel_id, batch))
            rows = cursor.fetchall()
            if not rows:
                break
            data = [dict(zip(_KEYS, row[1:], strict=True)) for row in rows]
            body = json.dumps({"data": data}, separators=(",", ":"))
            response = session.post(
                f"{url}/v26.0/{pixel_id}/events",
                data=body.encode(),
                headers={
                    "Content-Type": "application/json",
                    "Authorization": "Bearer none",
                },
                timeout=10,
            )
            if response.json()["events_received"] != len(rows):
                raise AssertionError(response.text)
            _settle(cursor, pixel_id, [row[0] for row in rows], response)
            connection.commit()
            events += len(rows)
    return events, time.perf_counter() - start


def _settle(cursor, pixel_id, ids, response):
    cursor.execute(
        "INSERT INTO meta_capi_attempt (started_at, pixel_id, event_count, carried,"
        " outcome, arrived, http_status, fbtrace_id, response, create_date)"
        " VALUES (now(), %s, %s, %s, 'accepted', true, 200, %s, %s, now()) RETURNING id",
        (pixel_id, len(ids), ids, response.json()["fbtrace_id"], response.text),
    )
    (attempt_id,) = cursor.fetchone()
    cursor.execute(
        "UPDATE meta_capi_event SET state = 'sent', sent_at = now(), attempt_count = 1,"
        " next_attempt_at = NULL, http_status = 200, fbtrace_id = %s,"
        " carried_by = array_append(carried_by, %s), write_date = now()"
        " WHERE id = ANY(%s)",
        (response.json()["fbtrace_id"], attempt_id, ids),
    )


if __name__ == "__main__":
    print(json.dumps(drain(**json.loads(sys.argv[1]))))
