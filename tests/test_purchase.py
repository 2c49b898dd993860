from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import convert_file

from .common import MetaCapiCase, VisitCase

SHIPPED = {
    "never": set(),
    "confirmed": {"automation_purchase"},
    "paid": {"automation_purchase_paid_online", "automation_purchase_paid_invoice"},
    "invoiced": {"automation_purchase_invoiced"},
    "delivered": {"automation_purchase_delivered"},
}


class PurchaseCase(MetaCapiCase):
    """A shop that invoices and is paid."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        charts = cls.env["account.chart.template"]
        charts.try_loading("generic_coa", company=cls.env.company, install_demo=False)
        cls.product.invoice_policy = "order"
        cls.salesperson = new_test_user(
            cls.env,
            "seller",
            groups="sales_team.group_sale_salesman_all_leads",
        )
        cls.provider = cls.env["payment.provider"].search([], limit=1)
        methods = cls.env["payment.method"].with_context(active_test=False)
        cls.method = methods.search([], limit=1)
        cls.provider.state = "enabled"

    def setUp(self):
        super().setUp()
        providers = type(self.provider)
        compute = providers._compute_feature_support_fields

        def compute_with_capture(records):
            compute(records)
            records.support_manual_capture = "full_only"

        self.enter(
            patch.object(
                providers, "_compute_feature_support_fields", compute_with_capture
            )
        )
        self.provider.invalidate_recordset(["support_manual_capture"])

    def choose(self, trigger):
        settings = self.env["res.config.settings"].create(
            {"meta_capi_purchase_trigger": trigger}
        )
        settings.execute()

    def chosen(self):
        settings = self.env["res.config.settings"].create({})
        return settings.meta_capi_purchase_trigger

    def automation(self, name):
        return self.env.ref(f"ih_meta_conversions_api.{name}")

    def armed(self):
        names = set().union(*SHIPPED.values())
        return {name for name in names if self.automation(name).active}

    def purchases(self, *orders):
        self.env.flush_all()
        ids = [order.id for order in orders]
        return self.env["meta.capi.event"].search(
            [
                ("event_name", "=", "Purchase"),
                ("res_model", "=", "sale.order"),
                ("res_id", "in", ids),
            ]
        )

    def pay(self, order, amount=None, state="done", provider=None):
        """Have a payment provider tell that a transaction has come to ``state``."""
        transaction = self.env["payment.transaction"].create(
            {
                "provider_id": (provider or self.provider).id,
                "payment_method_id": self.method.id,
                "reference": f"tx-{self.env['payment.transaction'].search_count([])}",
                "amount": order.amount_total if amount is None else amount,
                "currency_id": order.currency_id.id,
                "partner_id": order.partner_id.id,
                "sale_order_ids": [(6, 0, order.ids)],
            }
        )
        transaction.state = state
        return transaction

    def invoice(self, order, **deposit):
        """Post an invoice of what is left to invoice, or of an advance."""
        if deposit:
            wizard = self.env["sale.advance.payment.inv"].with_context(
                active_model="sale.order", active_ids=order.ids
            )
            wizard.create(deposit).create_invoices()
            invoice = order.invoice_ids.filtered(lambda move: move.state == "draft")
        else:
            invoice = order._create_invoices(final=True)
        invoice.action_post()
        return invoice

    def settle(self, invoice):
        """Register the payment of an invoice."""
        wizard = self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=invoice.ids
        )
        wizard.create({})._create_payments()
        self.env.flush_all()
        self.assertIn(invoice.payment_state, ("in_payment", "paid"))


@tagged("post_install", "-at_install")
class TestPurchaseTrigger(PurchaseCase):
    """When an order's Purchase is sent, as chosen in the settings."""

    def test_every_shipped_automation_is_delivered_switched_off(self):
        self.assertEqual(self.armed(), set())
        self.assertEqual(self.chosen(), "never")

    def test_a_choice_arms_exactly_its_automations(self):
        for trigger in ("confirmed", "paid", "delivered", "invoiced", "paid", "never"):
            self.choose(trigger)
            self.assertEqual(self.armed(), SHIPPED[trigger])
            self.assertEqual(self.chosen(), trigger)

    def test_what_is_armed_by_hand_is_shown_and_left_alone(self):
        for trigger in ("delivered", "invoiced", "paid", "confirmed"):
            armed = self.armed() | SHIPPED[trigger]
            for name in SHIPPED[trigger]:
                self.automation(name).active = True
            self.assertEqual(self.chosen(), trigger)
            self.choose(trigger)
            self.assertEqual(self.armed(), armed)

    def test_a_choice_whose_automation_was_deleted_says_so(self):
        self.automation("automation_purchase_paid_invoice").unlink()
        with self.assertRaisesRegex(UserError, "was deleted"):
            self.choose("paid")
        self.choose("invoiced")
        self.assertEqual(self.chosen(), "invoiced")

    def test_an_update_brings_a_rule_that_lacks_and_leaves_the_others_alone(self):
        paid = self.automation("automation_purchase_paid_online")
        paid.write({"active": True, "name": "Ours"})
        self.automation("action_purchase_delivered").unlink()
        self.automation("automation_purchase_delivered").unlink()
        module = "ih_meta_conversions_api"
        file = "data/automation_data.xml"
        convert_file(self.env, module, file, {}, "update", noupdate=True)
        rule = self.automation("automation_purchase_delivered")
        self.assertFalse(rule.active)
        self.assertEqual(rule.action_server_ids.meta_capi_event_name, "Purchase")
        self.assertEqual((paid.active, paid.name), (True, "Ours"))

    def test_never_sends_nothing(self):
        order = self.order()
        order.action_confirm()
        self.pay(order)
        self.settle(self.invoice(order))
        self.assertFalse(self.purchases(order))

    def test_confirmed_is_sent_by_whoever_confirms(self):
        self.choose("confirmed")
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        self.assertEqual(self.purchases(order).state, "pending")

    def test_paid_waits_until_transactions_cover_the_total(self):
        self.choose("paid")
        order = self.order()
        order.action_confirm()
        self.pay(order, 150)
        self.assertFalse(self.purchases(order))
        self.pay(order, 50, state="pending")
        self.assertFalse(self.purchases(order))
        self.pay(order, 50)
        event = self.purchases(order)
        self.assertEqual(event.event_id, order.meta_capi_event_id)
        self.assertEqual(event.custom_data["value"], 200)

    def test_paid_counts_what_is_authorized_as_odoo_does(self):
        self.choose("paid")
        order = self.order()
        transaction = self.pay(order, state="draft")
        self.assertFalse(order._is_paid())
        transaction.state = "authorized"
        self.assertEqual(len(self.purchases(order)), 1)
        transaction.state = "done"
        self.assertEqual(len(self.purchases(order)), 1)

    def test_paid_takes_invoices_that_cover_the_total(self):
        self.choose("paid")
        order = self.order()
        order.action_confirm()
        advance = self.invoice(order, advance_payment_method="percentage", amount=30)
        self.settle(advance)
        self.assertFalse(self.purchases(order))
        rest = self.invoice(order)
        self.assertFalse(self.purchases(order))
        self.settle(rest)
        event = self.purchases(order)
        self.assertEqual(event.custom_data["value"], 200)
        self.assertEqual(event.custom_data["order_id"], order.name)

    def test_paid_takes_an_invoice_of_two_orders(self):
        self.choose("paid")
        orders = self.order() + self.order()
        orders.action_confirm()
        self.settle(self.invoice(orders))
        self.assertEqual(len(self.purchases(*orders)), 2)

    def test_an_invoice_that_was_paid_long_ago_is_not_paid_by_being_reconciled(self):
        order = self.order()
        order.action_confirm()
        invoice = self.invoice(order)
        invoice.payment_state = "in_payment"
        self.env.flush_all()
        self.choose("paid")
        invoice.payment_state = "paid"
        self.assertFalse(self.purchases(order))

    def test_invoiced_is_sent_with_the_first_invoice_that_is_posted(self):
        self.choose("invoiced")
        order = self.order()
        order.action_confirm()
        draft = order._create_invoices()
        self.assertFalse(self.purchases(order))
        draft.action_post()
        event = self.purchases(order)
        self.assertEqual(event.custom_data["value"], 200)
        draft.button_draft()
        draft.action_post()
        self.assertEqual(self.purchases(order), event)

    def test_a_credit_note_is_no_purchase(self):
        order = self.order()
        order.action_confirm()
        invoice = self.invoice(order)
        self.choose("invoiced")
        invoice._reverse_moves(cancel=True)
        self.assertFalse(self.purchases(order))

    def test_an_order_of_no_website_is_not_sent_by_what_is_shipped(self):
        order = self.order(website_id=False)
        for trigger in ("confirmed", "invoiced", "delivered", "paid"):
            self.choose(trigger)
            if trigger == "delivered":
                order.order_line.qty_delivered = 2
            elif trigger == "confirmed":
                order.action_confirm()
            elif trigger == "invoiced":
                invoice = self.invoice(order)
            else:
                self.pay(order)
                self.settle(invoice)
            self.assertFalse(self.purchases(order))

    def test_an_order_is_one_purchase_whatever_happens_to_it(self):
        for name in set().union(*SHIPPED.values()):
            self.automation(name).active = True
        order = self.order()
        order.action_confirm()
        event = self.purchases(order)
        order._action_cancel()
        order.action_draft()
        order.action_confirm()
        self.pay(order)
        self.settle(self.invoice(order, advance_payment_method="percentage", amount=50))
        self.settle(self.invoice(order))
        self.assertEqual(self.purchases(order), event)
        self.deliver()
        self.assertEqual(len(self.graph.events), 1)
        # Nor when it is deleted from the log, and another choice comes later.
        event.sudo().unlink()
        self.pay(order)
        self.assertFalse(self.purchases(order))

    def test_another_choice_sends_what_is_on_record_not_again(self):
        self.choose("confirmed")
        order = self.order()
        order.action_confirm()
        event = self.purchases(order)
        self.choose("invoiced")
        self.invoice(order)
        self.assertEqual(self.purchases(order), event)

    def test_a_duplicated_order_is_a_purchase_of_its_own(self):
        self.choose("confirmed")
        order = self.order()
        order.action_confirm()
        copy = order.copy()
        self.assertNotEqual(copy.meta_capi_event_id, order.meta_capi_event_id)
        copy.action_confirm()
        self.assertEqual(len(self.purchases(order, copy)), 2)

    def test_an_invoice_without_an_order_is_one_purchase_of_its_own(self):
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.customer.id,
                "invoice_line_ids": [
                    (0, 0, {"product_id": self.product.id, "price_unit": 7})
                ],
            }
        )
        action = self.action("account.move", event_name="Purchase")
        for _again in range(2):
            action.with_context(active_model="account.move", active_id=invoice.id).run()
        event = self.env["meta.capi.event"].search(
            [("res_model", "=", "account.move"), ("res_id", "=", invoice.id)]
        )
        self.assertEqual(len(event), 1)
        self.assertEqual(event.custom_data["value"], invoice.amount_total)


@tagged("post_install", "-at_install")
class TestExclusion(PurchaseCase):
    """Who is never sent, whoever it is that clicks."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.employee = new_test_user(cls.env, "buyer", groups="base.group_user")

    def exclusion(self, order, event_name="Purchase"):
        event = self.record(event_name=event_name, origin=order)
        if event.state != "cancelled":
            self.assertEqual(event.state, "pending")
            return None
        self.assertEqual(event.user_data, {})
        self.assertFalse(event.partner_id)
        return event.error_message

    def switch_off(self, name):
        self.parameters.set_param(f"meta_capi.{name}", "False")

    def test_an_order_of_an_internal_user(self):
        order = self.order(partner_id=self.employee.partner_id.id)
        self.assertIn("internal user", self.exclusion(order))
        self.assertIn("internal user", self.exclusion(order, "Lead"))
        self.switch_off("exclude_internal_users")
        order = self.order(partner_id=self.employee.partner_id.id)
        self.assertIsNone(self.exclusion(order))

    def test_who_became_an_internal_user_by_a_merge_is_one(self):
        guest = self.env["res.partner"].create(
            {"name": "Jane", "email": "j@example.com"}
        )
        self.env["base.partner.merge.automatic.wizard"]._merge(
            [guest.id, self.employee.partner_id.id], guest, extra_checks=False
        )
        self.env.invalidate_all()
        self.assertEqual(self.employee.partner_id, guest)
        order = self.order(partner_id=guest.id)
        self.assertIn("internal user", self.exclusion(order))

    def test_who_was_an_internal_user_once_is_a_customer(self):
        self.employee.active = False
        order = self.order(partner_id=self.employee.partner_id.id)
        self.assertIsNone(self.exclusion(order))

    def test_an_order_that_an_internal_user_confirms_for_a_customer_is_sent(self):
        self.choose("confirmed")
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        self.assertEqual(self.purchases(order).state, "pending")

    def test_an_order_of_a_portal_user_is_sent(self):
        portal = new_test_user(self.env, "client", groups="base.group_portal")
        self.assertIsNone(self.exclusion(self.order(partner_id=portal.partner_id.id)))

    def test_a_purchase_of_nothing_to_pay(self):
        order = self.order()
        order.order_line.price_unit = 0
        self.assertIn("nothing to pay", self.exclusion(order))
        self.assertIsNone(self.exclusion(order, "Lead"))
        self.switch_off("exclude_zero_orders")
        order = self.order()
        order.order_line.price_unit = 0
        self.assertIsNone(self.exclusion(order))

    def test_a_purchase_paid_in_test_mode(self):
        test_provider = self.provider.copy({"state": "test"})
        for state in ("pending", "authorized", "done"):
            order = self.order()
            self.pay(order, state=state, provider=test_provider)
            self.assertIn("test mode", self.exclusion(order))
            self.assertIsNone(self.exclusion(order, "Lead"))
        self.switch_off("exclude_test_payments")
        order = self.order()
        self.pay(order, provider=test_provider)
        self.assertIsNone(self.exclusion(order))

    def test_a_test_payment_that_failed_before_a_real_one_excludes_nothing(self):
        order = self.order()
        self.pay(order, state="error", provider=self.provider.copy({"state": "test"}))
        self.pay(order)
        self.assertIsNone(self.exclusion(order))

    def test_a_purchase_told_of_by_its_transaction_or_invoice(self):
        order = self.order()
        order.action_confirm()
        test_provider = self.provider.copy({"state": "test"})
        transaction = self.pay(order, provider=test_provider)
        self.assertIn("test mode", self.exclusion(transaction))
        invoice = self.invoice(order)
        invoice.sudo().transaction_ids = transaction
        self.assertIn("test mode", self.exclusion(invoice))

    def test_a_customer_with_a_tag_that_is_chosen(self):
        tag, other = self.env["res.partner.category"].create(
            [{"name": "Reseller"}, {"name": "Other"}]
        )
        settings = self.env["res.config.settings"]
        settings.create({"meta_capi_excluded_tag_ids": [(6, 0, tag.ids)]}).execute()
        self.assertEqual(settings.create({}).meta_capi_excluded_tag_ids, tag)
        self.customer.category_id = other
        self.assertIsNone(self.exclusion(self.order()))
        self.customer.category_id |= tag
        self.assertIn("Reseller", self.exclusion(self.order()))
        self.assertIn("Reseller", self.exclusion(self.customer, "Lead"))
        tag.unlink()
        self.assertFalse(settings.create({}).meta_capi_excluded_tag_ids)
        self.assertIsNone(self.exclusion(self.order()))

    def test_a_tag_of_the_company_counts_for_those_who_buy_for_it(self):
        tag = self.env["res.partner.category"].create({"name": "Reseller"})
        self.parameters.set_param("meta_capi.excluded_tag_ids", f" {tag.id} , 0")
        self.customer.parent_id = self.env["res.partner"].create(
            {"name": "Company", "is_company": True, "category_id": tag.ids}
        )
        self.assertIn("Reseller", self.exclusion(self.order()))

    def test_the_parameters_refuse_what_cannot_work(self):
        for name, value in {
            "exclude_internal_users": "maybe",
            "exclude_zero_orders": "on",
            "exclude_test_payments": "no",
            "excluded_tag_ids": "1,Reseller",
        }.items():
            with self.subTest(name), self.assertRaisesRegex(UserError, name):
                self.parameters.set_param(f"meta_capi.{name}", value)

    def test_the_settings_switch_each(self):
        settings = self.env["res.config.settings"]
        for name in ("internal_users", "zero_orders", "test_payments"):
            field = f"meta_capi_exclude_{name}"
            self.assertTrue(settings.create({})[field])
            settings.create({field: False}).execute()
            self.assertFalse(settings.create({})[field])
            self.assertEqual(
                self.parameters.get_param(f"meta_capi.exclude_{name}"), "False"
            )


@tagged("post_install", "-at_install")
class TestVisitorExclusion(VisitCase):
    def test_what_a_customer_with_a_tag_does_on_the_website(self):
        tag = self.env["res.partner.category"].create({"name": "Reseller"})
        self.parameters.set_param("meta_capi.excluded_tag_ids", str(tag.id))
        portal = new_test_user(self.env, "client", groups="base.group_portal")
        for tags, state in ((tag.browse(), "pending"), (tag, "cancelled")):
            portal.partner_id.category_id = tags
            with self.visit(portal):
                event = self.api.send_event("ViewContent")
            self.assertEqual(event.state, state)
        self.assertEqual(event.user_data, {})
