"""A counter: a point of sale with its session, and a till that rings up what is sold."""

import uuid

from odoo import fields
from odoo.tests import new_test_user

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
        point.open_ui()
        session = point.current_session_id
        if session.state == "opening_control":
            # Its name differs: it is what the cashier does on opening.
            begin = getattr(session, "set_opening_control", None)
            (begin or session.set_cashbox_pos)(0, "")
        return point

    def sell(
        self,
        *lines,
        customer=None,
        at=None,
        payments=None,
        point=None,
        refunds=None,
        settles=None,
        **values,
    ):
        """Send what the till has rung up as its JavaScript does; return the order.

        :param lines: triples of a product, a quantity and a price, and maybe a tax
        :param at: when it was sold; None: now
        :param payments: pairs of a method and an amount; None: all by card
        :param refunds: the order of which the lines are given back
        :param settles: the sales order that is paid for
        """
        point = point or self.point
        orders = self.env["pos.order"].with_user(self.cashier)
        total = untaxed = 0
        commands = []
        given_back = refunds.lines if refunds else ()
        lines = lines or [(self.product, 2, 100.0)]
        for number, (product, quantity, price, *taxes) in enumerate(lines):
            tax = taxes[0] if taxes else self.env["account.tax"]
            amounts = tax.compute_all(
                price, point.currency_id, quantity, product=product
            )
            total += amounts["total_included"]
            untaxed += amounts["total_excluded"]
            line = {
                "product_id": product.id,
                "qty": quantity,
                "price_unit": price,
                "discount": 0,
                "tax_ids": [(6, 0, tax.ids)],
                "pack_lot_ids": [],
                "price_subtotal": amounts["total_excluded"],
                "price_subtotal_incl": amounts["total_included"],
            }
            if given_back:
                line["refunded_orderline_id"] = given_back[number].id
            if settles and hasattr(orders, "create_from_ui"):
                line["sale_order_origin_id"] = {"id": settles.id}
                line["down_payment_details"] = False
            elif settles:
                line["sale_order_origin_id"] = settles.id
            commands.append((0, 0, line))
        if payments is None:
            payments = [(point.payment_method_ids[0], total)]
        at = fields.Datetime.to_string(at or fields.Datetime.now())
        reference = f"Order {uuid.uuid4().int % 10**5:05}-001-0001"
        order = {
            "amount_paid": sum(amount for _method, amount in payments),
            "amount_return": 0,
            "amount_tax": total - untaxed,
            "amount_total": total,
            "date_order": at,
            "fiscal_position_id": False,
            "pricelist_id": point.pricelist_id.id,
            "lines": commands,
            "name": reference,
            "partner_id": customer.id if customer else False,
            "sequence_number": 2,
            "user_id": self.cashier.id,
            "to_invoice": False,
            **values,
        }
        paid = [
            (0, 0, {"amount": amount, "name": at, "payment_method_id": method.id})
            for method, amount in payments
        ]
        session = point.current_session_id.id
        if hasattr(orders, "create_from_ui"):  # before Odoo 18
            order |= {"pos_session_id": session, "statement_ids": paid}
            order["uid"] = reference
            till = {"data": order, "id": reference, "to_invoice": order["to_invoice"]}
            (found,) = orders.create_from_ui([till])
            found_id = found["id"]
        else:
            order |= {"session_id": session, "payment_ids": paid, "state": "paid"}
            order |= {"pos_reference": reference, "uuid": str(uuid.uuid4())}
            order |= {"access_token": "", "last_order_preparation_change": "{}"}
            if refunds and "is_refund" in orders._fields:
                order["is_refund"] = True
            orders.sync_from_ui([order])
            found_id = orders.search([("uuid", "=", order["uuid"])]).id
        return self.env["pos.order"].browse(found_id)

    def events(self, order=None, **values):
        """Return the events about an order, or about all, in the order they came in."""
        domain = [("res_model", "=", "pos.order")]
        if order:
            domain.append(("res_id", "=", order.id))
        domain += [(name, "=", value) for name, value in values.items()]
        return self.env["meta.capi.event"].search(domain, order="id")
