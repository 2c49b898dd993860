"""Whether who buys has bought before, of a batch of events with one statement."""

from dataclasses import replace

from odoo.tools import SQL

from ..common.border import border
from ..common.standard_events import PURCHASE
from ..settings import setting

# {DOCS}/parameters/server-event, "customer_segmentation"
_NEW, _KNOWN = "new_customer_to_business", "existing_customer_to_business"
# What counts as bought, by model: when, and which rows. An invoice counts a day after it
# was made: its own order may be confirmed in the same transaction. Its date has no time,
# and is the day of wherever it was written: two days later it is past everywhere.
_CHANNELS = {
    "sale.order": ("bought.date_order", "bought.state = 'sale'"),
    "pos.order": (
        "bought.date_order",
        "bought.state IN ('paid', 'done', 'invoiced') AND bought.amount_total > 0",
    ),
    "account.move": (
        "LEAST(bought.create_date + interval '1 day',"
        " bought.invoice_date + interval '2 days')",
        "bought.state = 'posted' AND bought.move_type = 'out_invoice'",
    ),
}


def tell_segmentation(env, drafts):
    """Complete the Purchases among these drafts with what kind of customer buys.

    A caller's own word counts more. Nothing that waits to be written is written first:
    what is bought in the same transaction may be passed over.
    """
    if not env["meta.capi.config"]._get(setting.CUSTOMER_SEGMENTATION):
        return
    asked = [draft for draft in drafts if _is_asked(draft)]
    if not asked:
        return
    with border(env.cr, "Whether customers are new could not be told"):
        known = _known(env, asked)
        for number, draft in enumerate(asked):
            draft.event = replace(
                draft.event, customer_segmentation=_KNOWN if number in known else _NEW
            )


def _is_asked(draft):
    return (
        draft.origin
        and draft.is_pending
        and draft.event.event_name == PURCHASE
        and not draft.event.customer_segmentation
        and draft.columns["partner_id"]
    )


def _known(env, drafts):
    """Return the numbers of the drafts whose customer bought something before.

    A contact is the company it belongs to, which may be one of several that the
    database is shared by: what another of those sold does not count.
    """
    ids = [draft.columns["partner_id"] for draft in drafts]
    partners = env["res.partner"].sudo().browse(ids)
    rows = [
        SQL(
            "(%s, %s::int, %s::int, %s::timestamp, %s, %s)",
            number,
            partner.commercial_partner_id.id,
            draft.columns["company_id"],
            draft.origin._meta_capi_bought_at(),
            draft.origin._name,
            draft.origin.id,
        )
        for number, (draft, partner) in enumerate(zip(drafts, partners, strict=True))
    ]
    earlier = [
        SQL(
            "EXISTS (SELECT FROM res_partner contact"
            " JOIN %s bought ON bought.partner_id = contact.id"
            " WHERE contact.commercial_partner_id = asked.partner_id"
            " AND bought.company_id = asked.company_id AND %s"
            # Of the same moment, the one that was made first.
            " AND (%s, bought.id) < (asked.bought_at,"
            " CASE WHEN asked.model = %s THEN asked.id ELSE 0 END)"
            " AND NOT (asked.model = %s AND bought.id = asked.id))",
            SQL.identifier(env[model]._table),
            SQL(condition),
            SQL(moment),
            model,
            model,
        )
        for model, (moment, condition) in _CHANNELS.items()
        if model in env
    ]
    env.cr.execute(
        SQL(
            "SELECT number FROM (VALUES %s)"
            " AS asked (number, partner_id, company_id, bought_at, model, id) WHERE %s",
            SQL(", ").join(rows),
            SQL(" OR ").join(earlier),
        )
    )
    return {number for (number,) in env.cr.fetchall()}
