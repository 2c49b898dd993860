"""What a beacon costs at the least: a route that does by hand what cannot be left out.

It is loaded into the server that is measured, as an addon of its own. It reads the JSON,
and within a savepoint inserts the row of an event; it looks for a job that waits. It asks
nobody: no setting, no consent, no limit. The other one keeps two promises besides: no
browser writes an order's event, and what has left the log is not recorded again.
"""

# mypy: ignore-errors
import json

from odoo.http import Controller, request, route

_INSERT = """
INSERT INTO meta_capi_event (
    pixel_id, event_name, event_id, event_time, action_source, event_source_url,
    user_data, user_data_keys, custom_data, value, currency, website_id, company_id,
    is_from_browser, state, attempt_count, next_attempt_at, browser_twin,
    create_uid, create_date, write_uid, write_date
)
SELECT %(pixel_id)s, %(event_name)s, %(event_id)s, now, 'website', %(url)s,
       %(user_data)s, 'client_ip_address,client_user_agent', %(custom_data)s,
       %(value)s, %(currency)s, %(website_id)s, %(company_id)s,
       true, 'pending', 0, now, false, %(uid)s, now, %(uid)s, now
  FROM date_trunc('second', now() AT TIME ZONE 'UTC') AS now
 {where}
    ON CONFLICT (pixel_id, event_name, event_id) DO NOTHING
"""
_NOT_PURGED = """
 WHERE NOT EXISTS (
    SELECT FROM meta_capi_once
     WHERE event_name = %(event_name)s AND event_id = %(event_id)s
 )
"""
_IS_TAKEN = """
SELECT FROM sale_order WHERE meta_capi_event_id = %(event_id)s
 UNION ALL SELECT FROM meta_capi_event
  WHERE pixel_id = '1' AND event_name = %(event_name)s AND event_id = %(event_id)s
"""
_LOOK_FOR_JOBS = """
SELECT identity_key, eta FROM queue_job
 WHERE identity_key IN ('meta_capi.deliver:1:0', 'meta_capi.deliver:1:1')
   AND state IN ('pending', 'enqueued')
"""


class Floor(Controller):
    @route(
        ["/meta_capi_bench/floor", "/meta_capi_bench/asking"],
        type="http",
        auth="public",
        methods=["POST"],
        website=True,
        multilang=False,
        csrf=False,
        save_session=False,
    )
    def record(self, **_parameters):
        told = json.loads(request.httprequest.get_data())
        website, cr = request.website, request.env.cr
        user_data = {
            "client_ip_address": request.httprequest.remote_addr,
            "client_user_agent": request.httprequest.user_agent.string,
        }
        asks = request.httprequest.path.endswith("asking")
        if asks:
            cr.execute(_IS_TAKEN, told)
            if cr.rowcount:
                return request.make_response("", status=204)
        cr.execute("SAVEPOINT floor")
        cr.execute(
            _INSERT.format(where=_NOT_PURGED if asks else ""),
            {
                "pixel_id": "1",  # nobody delivers it
                "event_name": told["event_name"],
                "event_id": told["event_id"],
                "url": told["event_source_url"],
                "user_data": json.dumps(user_data),
                "custom_data": json.dumps(told["custom_data"]),
                "value": told["custom_data"]["value"],
                "currency": told["custom_data"]["currency"],
                "website_id": website.id,
                "company_id": website._get_cached("company_id"),
                "uid": request.env.uid,
            },
        )
        cr.execute("RELEASE SAVEPOINT floor")
        cr.execute(_LOOK_FOR_JOBS)
        return request.make_response("", status=204)
