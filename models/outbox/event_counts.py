"""What the dashboard reads of ``meta_capi_event``: one statement for each question.

What happened in a period is added up from the sums of ``event_summary``. What is read of
the log itself, by an index, is what failed, what is pending and what an ad has led to.
"""

from odoo.tools import SQL

from ...capi.states import FAILED, PENDING
from .event_summary import ASKED, each_by_itself, summary


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
        self.events = env["meta.capi.event"].browse()
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

    def _happened(self, borders, *columns, by_name=False):
        """Return the visible ones of a period as a subquery, those that are alike as one.

        The ORM's conditions are on a table of that name, and the summary takes its place
        where it has all that they ask of.
        """
        stand_in = (
            summary(borders, by_name)
            if self._ruled_by() <= set(ASKED)
            else each_by_itself()
        )
        return SQL(
            "WITH %s AS (%s) %s",
            SQL.identifier(self.events._table),
            stand_in,
            self._visible(*columns, domain=during(borders[0], borders[-1])),
        )

    def _ruled_by(self):
        """Return the fields that decide which events this user may see."""
        rules = () if self.events.env.su else self._rules()
        return {str(leaf[0]).partition(".")[0] for leaf in rules} - {"1", "0"}

    def _rules(self):
        domain = self.events.env["ir.rule"]._compute_domain(self.events._name, "read")
        return [leaf for leaf in domain or () if not isinstance(leaf, str)]

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
                           delay, sum(events) AS events
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
                self._happened(borders, "event_time", "state", "delay", "events"),
            )
        )

    def by_name(self, since, until):
        """Count by name, state and what is told of the person.

        :return: rows of the name, the state, the keys of ``user_data`` and a number
        """
        return self._fetch(
            SQL(
                """
                SELECT event_name, state, coalesce(user_data_keys, ''), sum(events)
                  FROM (%s) event
                 GROUP BY 1, 2, 3
                HAVING sum(events) <> 0
                """,
                self._happened(
                    (since, until),
                    *("event_name", "state", "user_data_keys", "events"),
                    by_name=True,
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
