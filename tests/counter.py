"""A counter: a point of sale with its session, and a till that rings up what is sold."""

from odoo import fields
from odoo.tests import new_test_user

from ..dev.odoo.till import open_session, ring_up
from .common import MetaCapiCase


class CounterCase(MetaCapiCase):
    """A shop with a counter that tells Meta of its sales."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        if not cls.company.chart_template:
            charts = cls.env["account.chart.template"]
            charts.try_loading("generic_coa", cls.company, install_demo=False)
        cls.cashier = new_test_user(
            cls.env, "cashier", groups="base.group_user,point_of_sale.group_pos_user"
        )
        cls.card = cls.method("Card", "bank", "MCB")
        cls.cash = cls.method("Cash", "cash", "MCC")
        cls.point = cls.open_point("Market Street", cls.card + cls.cash)
        cls.tax = cls.env["account.tax"].create(
            {"name": "A quarter", "amount": 25, "price_include": False}
            if "price_include_override" not in cls.env["account.tax"]._fields
            else {
                "name": "A quarter",
                "amount": 25,
                "price_include_override": "tax_excluded",
            }
        )
        cls.stores = cls.env["meta.capi.store"]
        cls.stores._follow_points()
        cls.store = cls.stores.search([("pos_config_id", "=", cls.point.id)])
        cls.store.is_on = True

    @classmethod
    def method(cls, name, kind, code):
        journal = cls.env["account.journal"].create(
            {"name": name, "type": kind, "code": code}
        )
        return cls.env["pos.payment.method"].create(
            {"name": name, "journal_id": journal.id}
        )

    @classmethod
    def open_point(cls, name, methods, currency=None):
        """Return a point of sale whose session is open."""
        values = {"name": name, "payment_method_ids": [(6, 0, methods.ids)]}
        if currency:
            currency.active = True
            journal = cls.env["account.journal"].create(
                {
                    "name": name,
                    "type": "sale",
                    "code": currency.name,
                    "currency_id": currency.id,
                }
            )
            pricelist = cls.env["product.pricelist"].create(
                {"name": name, "currency_id": currency.id}
            )
            values |= {
                "journal_id": journal.id,
                "use_pricelist": True,
                "available_pricelist_ids": [(6, 0, pricelist.ids)],
                "pricelist_id": pricelist.id,
            }
        point = cls.env["pos.config"].create(values)
        open_session(point)
        return point

    def sell(
        self,
        *lines,
        customer=None,
        at=None,
        point=None,
        refunds=None,
        settles=None,
        **values,
    ):
        """Send what the till has rung up as its JavaScript does; return the order.

        :param lines: triples of a product, a quantity and a price, and maybe a tax
        :param at: when it was sold; None: now
        :param refunds: the order of which the lines are given back
        :param settles: the sales order that is paid for
        :param values: others of ``ring_up``
        """
        order_id = ring_up(
            self.env["pos.order"].with_user(self.cashier),
            point or self.point,
            lines or [(self.product, 2, 100.0)],
            customer_id=customer.id if customer else False,
            at=fields.Datetime.to_string(at or fields.Datetime.now()),
            refunded=refunds.lines if refunds else (),
            settled=settles,
            **values,
        )
        return self.env["pos.order"].browse(order_id)

    def events(self, order=None, **values):
        """Return the events about an order, or about all, in the order they came in."""
        domain = [("res_model", "=", "pos.order")]
        if order:
            domain.append(("res_id", "=", order.id))
        domain += [(name, "=", value) for name, value in values.items()]
        return self.env["meta.capi.event"].search(domain, order="id")
