"""A few documents of the past: what would become of each, and recording them."""

import time
from dataclasses import dataclass

from odoo.tools import SQL

from ...capi.schedule import dedup_closes_at, window_closes_at
from ...capi.states import INVALID
from ..recording.event_builder import Draft, EventBuilder


@dataclass
class Judged:
    """What becomes of a document, and the event that says so, if one was made."""

    verdict: str | None
    cause: str | None = None
    draft: Draft | None = None


class PastSlice:
    """Documents that are told of after the fact, each by the code that tells of new ones.

    What is counted is what happens: both judge with :meth:`judge`.

    :param source: a ``Source`` of ``meta.capi.backfill``
    :param ids: of its documents
    """

    def __init__(self, env, source, ids):
        self.env = env
        self.source = source
        self.documents = env[source.model].sudo().browse(ids)
        self._builder = EventBuilder(env)

    def judge(self, deadline, since=None):
        """Return what becomes of each document by its id, of one at the least.

        :param deadline: of ``time.monotonic()``, after which no further one is begun
        :param since: of what was sold before this Unix time the verdict is None
        """
        documents = self.documents.exists()
        times = documents._meta_capi_sold_times()
        on_record = self._on_record(documents)
        copies = self._browser_copies(documents)
        judged = {gone_id: Judged("not_due") for gone_id in self.documents.ids}
        for number, document in enumerate(documents):
            if number and time.monotonic() > deadline:
                for left in documents[number:]:
                    del judged[left.id]
                break
            moment = times.get(document.id)
            if since and moment and moment < since:
                judged[document.id] = Judged(None)
                continue
            judged[document.id] = self._judge(
                document,
                moment,
                document.id in on_record,
                copies.get(document.id),
            )
        return judged

    def _judge(self, document, moment, is_on_record, browser_copy):
        if is_on_record:
            return Judged("on_record")
        if not moment:
            return Judged("not_due")
        now = time.time()
        if window_closes_at(moment, self.source.action_source) <= now:
            return Judged("too_old")
        if browser_copy and dedup_closes_at(browser_copy) <= now:
            # Meta has it, and would count ours as another.
            return Judged("refused", "expired_copy")
        draft = self._builder.build(
            {
                "event_name": self.source.event_name,
                "event_time": moment,
                "origin": document,
            }
        )
        if not draft:
            return Judged("no_pixel")
        if draft.is_pending:
            return Judged("ready", draft=draft)
        # Without an id of the document's own it would be another one each time.
        kept = draft if draft.is_natural else None
        return Judged("refused", draft.columns["cause"], kept)

    def record(self, judged):
        """Record what was judged, refusals too; tell what became of what was ready."""
        drafts = [each.draft for each in judged.values() if each.draft]
        if not drafts:
            return
        written = {
            draft.key
            for draft in self.env["meta.conversions.api"]._store(drafts)[1]
            if not draft.columns.get("is_copy")
        }
        for each in judged.values():
            if each.verdict == "ready":
                is_ours = each.draft.key in written
                each.verdict = "recorded" if is_ours else "on_record"

    def _on_record(self, documents):
        """Return the ids of those that Meta was or is told of, under whatever event id.

        What was invalid is tried again.
        """
        event_name = self.source.event_name
        found = {
            document.id
            for document in documents
            if document._meta_capi_is_recorded(event_name)
        }
        self.env.cr.execute(
            SQL(
                "SELECT res_id FROM meta_capi_event WHERE res_model = %s"
                " AND res_id = ANY(%s) AND event_name = %s"
                " AND failure_reason IS DISTINCT FROM %s",
                self.source.model,
                documents.ids,
                event_name,
                INVALID,
            )
        )
        found.update(res_id for (res_id,) in self.env.cr.fetchall())
        by_event_id = {
            document._meta_capi_event_id(event_name): document.id
            for document in documents
        }
        self.env.cr.execute(
            SQL(
                "SELECT event_id FROM meta_capi_once WHERE event_name = %s"
                " AND event_id = ANY(%s)",
                event_name,
                list(filter(None, by_event_id)),
            )
        )
        found.update(by_event_id[event_id] for (event_id,) in self.env.cr.fetchall())
        return found

    def _browser_copies(self, documents):
        """Return by ids when the browser's Pixel has sent the Purchase, in Unix time."""
        self.env.cr.execute(
            SQL(
                "SELECT res_id, extract(epoch FROM purchase_sent_at)::bigint"
                " FROM meta_capi_browser WHERE res_model = %s AND res_id = ANY(%s)"
                " AND purchase_sent_at IS NOT NULL",
                self.source.model,
                documents.ids,
            )
        )
        return dict(self.env.cr.fetchall())
