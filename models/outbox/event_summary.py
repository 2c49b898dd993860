"""The finished events of ``meta_capi_event`` by the hour, for whoever adds them up.

A table beside the log has what each statement that writes events adds to the number of
those that are alike, and takes from it, as rows of its own. So nobody waits for anybody,
and what a transaction sees of this table adds up to what it sees of the log: whoever
changes an event, however late, by whatever means. PostgreSQL's triggers see to it.

An hour is told in two ways. Rows with ``event_name`` tell how many events of a name have
the same ``user_data_keys``; rows without tell how many took the same time, ``delay``, from
``event_time`` to ``sent_at``. Together there would be nearly as many rows as events.

What is pending is in neither: it is little, and it does not stay.
"""

from odoo.tools import SQL

from ..common.schema import create_indexes

TABLE = "meta_capi_event_count"
# What can be asked of the sums, besides the time.
ASKED = ("pixel_id", "website_id", "company_id", "state", "action_source")
_TOLD = (*ASKED, "event_name", "user_data_keys", "delay")
_COLUMNS = ", ".join(("hour", *_TOLD))
_DELAY = "CASE WHEN state = 'sent' THEN sent_at - event_time END"
# What stands on the table once it has all that the log had before the triggers.
_COUNTED = "Counted"
# Rows that nobody has merged yet cost whoever adds up; merging costs, too.
_MERGED_FROM = 5_000

# Of rows with the columns of an event and ``number``, which is negative for one that is
# no more.
_SUMS = f"""
    SELECT hour, {", ".join(ASKED)}, event_name, user_data_keys, NULL::interval AS delay,
           sum(number)::int AS events
      FROM finished
     GROUP BY hour, {", ".join(ASKED)}, event_name, user_data_keys
    HAVING sum(number) <> 0
     UNION ALL
    SELECT hour, {", ".join(ASKED)}, NULL, NULL, delay, sum(number)::int
      FROM finished
     GROUP BY hour, {", ".join(ASKED)}, delay
    HAVING sum(number) <> 0
"""


def _finished(*sources):
    """Return the finished events of pairs of a table and what one of its rows counts."""
    return " UNION ALL ".join(
        f"SELECT date_trunc('hour', event_time) AS hour, {', '.join(ASKED)}, event_name,"
        f" user_data_keys, {_DELAY} AS delay, {number} AS number"
        f" FROM {table} WHERE state <> 'pending'"
        for table, number in sources
    )


def _note(*sources):
    return (
        f"WITH finished AS ({_finished(*sources)})"
        f" INSERT INTO {TABLE} ({_COLUMNS}, events) {_SUMS};"
    )


# What is recorded is pending as a rule: that is to cost next to nothing.
_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION {TABLE}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF EXISTS (SELECT FROM added WHERE state <> 'pending') THEN
                {_note(("added", 1))}
            END IF;
        ELSIF TG_OP = 'UPDATE' THEN
            {_note(("added", 1), ("removed", -1))}
        ELSIF TG_OP = 'DELETE' THEN
            {_note(("removed", -1))}
        ELSE
            DELETE FROM {TABLE};
        END IF;
        RETURN NULL;
    END $$
"""
_TRIGGERS = {
    "INSERT": "REFERENCING NEW TABLE AS added",
    "UPDATE": "REFERENCING OLD TABLE AS removed NEW TABLE AS added",
    "DELETE": "REFERENCING OLD TABLE AS removed",
    "TRUNCATE": "",
}


def create_summary(cr):
    """Have each change of ``meta_capi_event`` noted from now on.

    Recording waits for this transaction if there were no triggers.

    :return: whether what the log has is still to be counted: there were none, or an
        update ended before it was
    """
    cr.execute(
        SQL(
            f"""
        CREATE TABLE IF NOT EXISTS {TABLE} (
            hour timestamp NOT NULL,
            pixel_id varchar NOT NULL,
            website_id int4,
            company_id int4,
            state varchar NOT NULL,
            action_source varchar,
            event_name varchar,
            user_data_keys varchar,
            delay interval,
            events int4 NOT NULL,
            is_merged bool NOT NULL DEFAULT false
        )
        """
        )
    )
    create_indexes(
        cr,
        TABLE,
        {
            "delays": "(hour) WHERE event_name IS NULL",
            "names": "(hour) WHERE event_name IS NOT NULL",
            "loose": "(hour) WHERE NOT is_merged",
        },
    )
    cr.execute(SQL(_FUNCTION))
    cr.execute(
        "SELECT count(*), obj_description(%s::regclass, 'pg_class') FROM pg_trigger"
        " WHERE tgrelid = 'meta_capi_event'::regclass AND tgname LIKE %s",
        [TABLE, f"{TABLE}_%"],
    )
    triggers, remark = cr.fetchone()
    if triggers == len(_TRIGGERS):
        return remark != _COUNTED
    cr.execute(SQL(f"COMMENT ON TABLE {TABLE} IS NULL"))
    for operation, tables in _TRIGGERS.items():
        name = f"{TABLE}_{operation.lower()}"
        cr.execute(SQL(f"DROP TRIGGER IF EXISTS {name} ON meta_capi_event"))
        cr.execute(
            SQL(
                f"CREATE TRIGGER {name} AFTER {operation} ON meta_capi_event {tables}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}()"
            )
        )
    return True


def recount(cr):
    """Add to the sums what the log has and they lack; keeps nobody from writing events.

    As one statement, which sees both at one moment. What is of one hour is written side
    by side, or whoever adds up a week would read pages of all the others.
    """
    cr.execute(
        SQL(
            f"""
        WITH finished AS ({_finished(("meta_capi_event", 1))})
        INSERT INTO {TABLE} ({_COLUMNS}, events, is_merged)
        SELECT {_COLUMNS}, sum(events), true
          FROM (
            {_SUMS} UNION ALL SELECT {_COLUMNS}, -events FROM {TABLE}
          ) difference
         GROUP BY {_COLUMNS}
        HAVING sum(events) <> 0
         ORDER BY hour
        """
        )
    )
    cr.execute(SQL(f"COMMENT ON TABLE {TABLE} IS '{_COUNTED}'"))


def merge_summary(cr):
    """Make one row of those that differ in their number alone, if it is worth it."""
    cr.execute(
        SQL(f"SELECT FROM {TABLE} WHERE NOT is_merged LIMIT 1 OFFSET %s", _MERGED_FROM)
    )
    if not cr.rowcount:
        return
    cr.execute(
        SQL(
            f"""
        WITH loose AS (
            DELETE FROM {TABLE}
             WHERE hour IN (SELECT hour FROM {TABLE} WHERE NOT is_merged)
            RETURNING *
        )
        INSERT INTO {TABLE} ({_COLUMNS}, events, is_merged)
        SELECT {_COLUMNS}, sum(events), true
          FROM loose
         GROUP BY {_COLUMNS}
        HAVING sum(events) <> 0
         ORDER BY hour
        """
        )
    )


def drop_summary(cr):
    """Leave nothing behind, the triggers included."""
    cr.execute(SQL(f"DROP FUNCTION IF EXISTS {TABLE}() CASCADE"))
    cr.execute(SQL(f"DROP TABLE IF EXISTS {TABLE}"))


def summary(borders, by_name):
    """Return the events as a table that stands for the log, in as few rows as possible.

    It has the columns of an event by which it may be chosen; ``event_time``, which may be
    the beginning of the hour; ``event_name`` and ``user_data_keys``, or ``delay``; and
    ``events``, how many there are.

    :param borders: of time: what is on one side of one is not added to what is on the
        other, though it be the same hour, as in the zones that are half an hour off
    :param by_name: whether the name and the keys are told, or the delay
    """
    hours = [border.replace(minute=0, second=0, microsecond=0) for border in borders]
    divided = sorted({h for h, b in zip(hours, borders, strict=True) if h != b})
    columns = "event_name, user_data_keys" if by_name else "delay"
    of_event = f"""
        SELECT event_time, {", ".join(ASKED)}, event_name, user_data_keys,
               {_DELAY} AS delay, 1 AS events
          FROM meta_capi_event
    """
    sources = [
        SQL(
            f"""
            SELECT hour AS event_time, {", ".join(ASKED)}, event_name, user_data_keys,
                   delay, events
              FROM {TABLE}
             WHERE event_name IS {"NOT NULL" if by_name else "NULL"}
               AND hour <> ALL(%s::timestamp[])
            """,
            divided,
        ),
        SQL(f"{of_event} WHERE state = 'pending'"),
        *(
            SQL(
                f"{of_event} WHERE state <> 'pending' AND event_time >= %s"
                " AND event_time < %s::timestamp + interval '1 hour'",
                *(hour, hour),
            )
            for hour in divided
        ),
    ]
    return SQL(
        f"SELECT event_time, {', '.join(ASKED)}, {columns}, events FROM (%s) event",
        SQL(" UNION ALL ").join(sources),
    )


def each_by_itself():
    """Return the events as such a table, all columns of the log included."""
    return SQL(f"SELECT *, {_DELAY} AS delay, 1 AS events FROM meta_capi_event")
