"""What the dashboard reads of ``meta_capi_event``: one statement for each question.

The rows of a period are read from indexes alone, never from the table, where each has a
person's hashes with it. Nothing is counted ahead: events change their state long after
they have happened.
"""

from odoo.tools import SQL

from ...capi.states import FAILED, PENDING, SENT


def during(since, until):
    """Return the domain of what happened in a period."""
    return [("event_time", ">=", since), ("event_time", "<", until)]


class EventCounts:
    """Counts of the events that a user may see.

    :param domain: what of them is asked for: of a website, of a pixel
    :raise odoo.exceptions.AccessError: the user may read no events
    """

    def __init__(self, env, domain=()):
        self.cr = env.cr
        self.events = env["meta.capi.event"]
        self.domain = list(domain)
        # Also asks whether the user may read any.
        self.events._search(self.domain)
        # The statements must see what the ORM still holds.
        self.events.flush_model()

    def _visible(self, *columns, domain=()):
        """Return the visible ones as a subquery with these columns."""
        query = self.events._search([*self.domain, *domain])
        table = self.events._table
        return query.select(*(SQL.identifier(table, name) for name in columns))

    def content_ids(self, limit):
        """Return pairs of a product's id in the last events, and in how many it is.

        :param limit: of how many events
        """
        return self._fetch(
            SQL(
                "SELECT content_id, count(*) FROM ("
                " SELECT custom_data->'content_ids' AS ids FROM (%s) visible"
                " ORDER BY id DESC LIMIT %s) last, jsonb_array_elements_text("
                " CASE jsonb_typeof(ids) WHEN 'array' THEN ids ELSE '[]' END"
                " ) AS content_id GROUP BY content_id",
                self._visible("id", "custom_data"),
                limit,
            )
        )

    def _fetch(self, statement):
        self.cr.execute(statement)
        return self.cr.fetchall()

    def by_time(self, borders):
        """Count by time and state, and tell how long those that were sent took.

        :param borders: moments in ascending order; a slice goes from one to the next
        :return: rows of the slice's number, from 0, the state, the number of events, and
            of those that were sent the median and the 95th percentile of the time from
            the event to Meta's yes, as ``timedelta``
        """
        return self._fetch(
            SQL(
                """
                WITH alike AS (
                    SELECT width_bucket(event_time, %s::timestamp[]) - 1 AS slice, state,
                           CASE WHEN state = %s THEN sent_at - event_time END AS delay,
                           count(*) AS events
                      FROM (%s) event
                     GROUP BY 1, 2, 3
                ), ranked AS (
                    SELECT *,
                           sum(events) OVER (PARTITION BY slice, state ORDER BY delay)
                               AS rank,
                           sum(events) OVER (PARTITION BY slice, state) AS total
                      FROM alike
                )
                SELECT slice::int, state, sum(events)::bigint,
                       min(delay) FILTER (WHERE rank >= 0.5 * total),
                       min(delay) FILTER (WHERE rank >= 0.95 * total)
                  FROM ranked
                 GROUP BY slice, state
                """,
                list(borders),
                SENT,
                self._visible(
                    *("event_time", "state", "sent_at"),
                    domain=during(borders[0], borders[-1]),
                ),
            )
        )

    def by_name(self, since, until):
        """Count by name, state and what is told of the person.

        :return: rows of the name, the state, the keys of ``user_data`` and a number
        """
        return self._fetch(
            SQL(
                """
                SELECT event_name, state, coalesce(user_data_keys, ''), count(*)
                  FROM (%s) event
                 GROUP BY 1, 2, 3
                """,
                self._visible(
                    *("event_name", "state", "user_data_keys"),
                    domain=during(since, until),
                ),
            )
        )

    def failed(self, *periods):
        """Count what failed by its cause, in each of some periods.

        What is told late counts where it happened and where it was recorded, once in
        each: a period shows all that anybody could look for in it.

        :param periods: pairs of moments
        :return: rows of the cause and a number for each period
        """
        columns = [
            SQL(
                "count(*) FILTER (WHERE event_time >= %s AND event_time < %s"
                " OR create_date >= %s AND create_date < %s)",
                *(since, until, since, until),
            )
            for since, until in periods
        ]
        return self._fetch(
            SQL(
                "SELECT cause, %s FROM (%s) event GROUP BY cause",
                SQL(", ").join(columns),
                self._visible(
                    *("cause", "event_time", "create_date"),
                    domain=[("state", "=", FAILED)],
                ),
            )
        )

    def pending(self):
        """Count what is pending by its pixel, whenever it happened.

        :return: rows of the pixel, a number, and since when the oldest has been pending
        """
        return self._fetch(
            SQL(
                "SELECT pixel_id, count(*), min(create_date) FROM (%s) event"
                " GROUP BY pixel_id",
                self._visible(
                    *("pixel_id", "create_date"), domain=[("state", "=", PENDING)]
                ),
            )
        )

    def clicks(self, since, until):
        """Count landing pages of visits by an ad, and those whose click was told.

        A visit is what has a landing page's URL to itself: Meta makes each click's ID.

        :return: rows of the kind of browser and two numbers
        """
        return self._fetch(
            SQL(
                """
                SELECT click_browser, count(DISTINCT event_source_url),
                       count(DISTINCT event_source_url) FILTER (
                           WHERE 'fbc' = ANY (string_to_array(user_data_keys, ',')))
                  FROM (%s) event
                 GROUP BY click_browser
                """,
                self._visible(
                    *("click_browser", "event_source_url", "user_data_keys"),
                    domain=[
                        *during(since, until),
                        ("click_browser", "!=", False),
                    ],
                ),
            )
        )

    def has_any(self, domain=()):
        """Tell whether there is any such event, of whatever time."""
        found = self._visible("id", domain=domain)
        return bool(self._fetch(SQL("SELECT id FROM (%s) event LIMIT 1", found)))
