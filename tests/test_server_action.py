import hashlib
import socket
from unittest.mock import patch

from odoo.tests import TransactionCase, new_test_user, tagged

from .common import MetaCapiCase
from .test_sale_order import OLD_ACTION

LEAD = 'env["meta.conversions.api"].send_event("Lead"%s)'
IDENTIFIED = LEAD % ', user_data={"external_id": "1"}'


class ServerActionCase(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.salesperson = new_test_user(
            cls.env, "seller", groups="sales_team.group_sale_salesman_all_leads"
        )

    def action(self, model="sale.order", **values):
        return self.env["ir.actions.server"].create(
            {
                "name": "Tell Meta",
                "model_id": self.env["ir.model"]._get(model).id,
                "state": "code",
            }
            | values
        )

    def automate(self, **values):
        """Have an action run when an order is confirmed."""
        model = self.env["ir.model"]._get("sale.order")
        state = self.env["ir.model.fields"]._get("sale.order", "state")
        automation = self.env["base.automation"].create(
            {
                "name": "Confirmed",
                "model_id": model.id,
                "trigger": "on_create_or_write",
                "trigger_field_ids": [(6, 0, state.ids)],
                "filter_pre_domain": "[('state', '!=', 'sale')]",
                "filter_domain": "[('state', '=', 'sale')]",
            }
        )
        return self.action(
            usage="base_automation", base_automation_id=automation.id, **values
        )

    def run_on(self, action, records, user=None):
        """Run the action as a person does who has chosen these records in a list."""
        before = self.events()
        action.with_user(user or self.env.user).with_context(
            active_model=records._name,
            active_id=records[:1].id,
            active_ids=records.ids,
        ).run()
        return self.events() - before

    def events(self):
        return self.env["meta.capi.event"].search([])

    def origins(self, events):
        return [(event.res_model, event.res_id or 0) for event in events]


@tagged("post_install", "-at_install")
class TestServerAction(ServerActionCase):
    # ------------------------------------------------------------- whose event is it

    def test_an_automation_tells_of_the_record_that_set_it_off(self):
        self.automate(code=LEAD % "")
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        event = self.events()
        self.assertEqual(self.origins(event), [("sale.order", order.id)])
        self.assertEqual((event.state, event.action_source), ("pending", "website"))
        self.assertEqual(event.create_uid, self.salesperson)

    def test_an_action_run_from_the_menu_tells_of_the_chosen_record(self):
        order = self.order()
        for user in (self.env.user, self.salesperson):
            event = self.run_on(self.action(code=LEAD % ""), order, user)
            self.assertEqual(self.origins(event), [("sale.order", order.id)])
            self.assertEqual(event.state, "pending")

    def test_a_bare_active_id_in_the_context_tells_nothing(self):
        order = self.order()
        api = self.api.with_context(
            active_model="sale.order", active_id=order.id, active_ids=order.ids
        )
        event = api.send_event("Lead", user_data={"external_id": "1"})
        self.assertFalse(event.res_model or event.res_id)
        # Nor does the record of an action that has no record of its own.
        action = self.action("res.partner", code=IDENTIFIED)
        event = self.run_on(action, order)
        self.assertFalse(event.res_model or event.res_id)

    def test_on_several_records_the_row_says_what_to_pass(self):
        orders = self.order() + self.order()
        event = self.run_on(self.action(code=LEAD % ""), orders)
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        self.assertIn("pass origin=order", event.error_message)
        self.assertFalse(event.res_id)

    def test_on_several_records_what_is_complete_is_sent(self):
        event = self.run_on(self.action(code=IDENTIFIED), self.order() + self.order())
        self.assertEqual((event.state, event.res_id), ("pending", 0))

    def test_on_several_records_each_may_be_passed(self):
        orders = self.order() + self.order()
        code = f"for order in records:\n    {LEAD % ', origin=order'}"
        events = self.run_on(self.action(code=code), orders)
        self.assertEqual(set(events.mapped("res_id")), set(orders.ids))
        self.assertEqual(set(events.mapped("state")), {"pending"})

    def test_an_origin_that_is_passed_wins(self):
        order = self.order()
        code = LEAD % ", origin=record.partner_id"
        event = self.run_on(self.action(code=code), order)
        self.assertEqual(self.origins(event), [("res.partner", self.customer.id)])

    def test_an_action_within_an_action_tells_of_its_own_record(self):
        order = self.order()
        inner = self.action("res.partner", code=LEAD % "")
        code = (
            f"env['ir.actions.server'].browse({inner.id}).with_context("
            "active_model='res.partner', active_id=record.partner_id.id,"
            " active_ids=record.partner_id.ids).run()\n" + LEAD % ""
        )
        events = self.run_on(self.action(code=code), order).sorted("id")
        self.assertEqual(
            self.origins(events),
            [("res.partner", self.customer.id), ("sale.order", order.id)],
        )

    def test_an_automation_set_off_by_an_action_tells_of_its_own_record(self):
        self.automate(code=LEAD % "")
        order, other = self.order(), self.order()
        code = f"env['sale.order'].browse({other.id}).action_confirm()"
        event = self.run_on(self.action(code=code), order)
        self.assertEqual(self.origins(event), [("sale.order", other.id)])

    def test_an_action_without_a_record_does_not_inherit_one(self):
        inner = self.action("res.partner", code=IDENTIFIED)
        code = (
            f"env['ir.actions.server'].browse({inner.id}).with_context("
            "active_model=None, active_id=None, active_ids=None).run()"
        )
        event = self.run_on(self.action(code=code), self.order())
        self.assertFalse(event.res_model or event.res_id)

    def test_several_actions_in_one_each_know_the_record(self):
        parts = self.action(code=LEAD % "") + self.action(
            state="meta_capi", meta_capi_event_name="Contact"
        )
        action = self.action(state="multi", child_ids=[(6, 0, parts.ids)])
        order = self.order()
        events = self.run_on(action, order)
        self.assertEqual(set(events.mapped("event_name")), {"Lead", "Contact"})
        self.assertEqual(set(self.origins(events)), {("sale.order", order.id)})

    def test_a_scheduled_action_has_no_record(self):
        cron = self.env["ir.cron"].create(
            {
                "name": "Daily",
                "model_id": self.env["ir.model"]._get("sale.order").id,
                "state": "code",
                "code": IDENTIFIED,
            }
        )
        before = self.events()
        cron.ir_actions_server_id.run()
        event = self.events() - before
        self.assertEqual((event.state, event.res_model), ("pending", False))

    # -------------------------------------------------------------- the action's type

    def test_the_type_sends_its_event_about_the_record(self):
        self.automate(state="meta_capi", meta_capi_event_name="Purchase")
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        event = self.events()
        self.assertEqual((event.event_name, event.state), ("Purchase", "pending"))
        self.assertEqual(event.event_id, order.meta_capi_event_id)
        self.assertEqual(self.origins(event), [("sale.order", order.id)])

    def test_the_type_sends_one_event_for_each_of_several_records(self):
        action = self.action(state="meta_capi", meta_capi_event_name="Lead")
        orders = self.order() + self.order() + self.order()
        events = self.run_on(action, orders, self.salesperson)
        self.assertEqual(set(events.mapped("res_id")), set(orders.ids))
        self.assertEqual(set(events.mapped("state")), {"pending"})
        self.assertEqual(len(events), 3)

    def test_the_type_on_a_model_that_knows_nothing_of_customers(self):
        action = self.action(
            "res.country", state="meta_capi", meta_capi_event_name="Lead"
        )
        event = self.run_on(action, self.env.ref("base.be"))
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        self.assertIn("user_data", event.error_message)

    def test_the_type_without_a_name_is_an_invalid_row_and_the_order_is_confirmed(self):
        self.automate(state="meta_capi")
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        self.assertEqual(order.state, "sale")
        self.assertIn("event_name", self.events().error_message)

    def test_what_breaks_inside_does_not_break_the_sale(self):
        self.automate(state="meta_capi", meta_capi_event_name="Purchase")
        order = self.order()
        broken = patch.object(type(order), "_meta_capi_user_data", side_effect=KeyError)
        with broken, self.assertLogs("meta.conversions.api", "ERROR"):
            order.with_user(self.salesperson).action_confirm()
        self.env.flush_all()
        self.assertEqual(order.state, "sale")
        self.assertEqual(self.events().failure_reason, "invalid")

    # --------------------------------------------------- calls that must keep working

    def test_the_old_server_action_as_written(self):
        self.automate(code=OLD_ACTION)
        order = self.order()
        order.with_user(self.salesperson).action_confirm()
        event = self.events()
        self.assertEqual((event.event_name, event.state), ("Purchase", "pending"))
        self.assertEqual(event.event_id, order.meta_capi_event_id)
        self.assertEqual(event.custom_data["content_ids"], [str(self.product.id)])
        self.assertLessEqual({"em", "ph", "fn", "ln", "zp"}, set(event.user_data))

    def test_the_old_server_action_on_several_orders_asks_for_the_origin(self):
        orders = self.order() + self.order()
        events = self.run_on(self.action(code=OLD_ACTION), orders, self.salesperson)
        self.assertEqual(len(events), 2)
        for event in events:
            self.assertEqual(event.failure_reason, "invalid")
            self.assertIn("pass origin=order", event.error_message)

    def test_the_old_call_for_a_cart_as_written(self):
        env, product = self.env(user=self.salesperson), self.product
        sha256_hex = hashlib.sha256(b"jane@example.com").hexdigest()
        # fmt: off
        env["meta.conversions.api"].send_event(event_name="AddToCart", user_data={"em": sha256_hex},
    custom_data={"currency": "USD", "value": 25.0, "content_ids": [product.id], "content_type": "product"})
        # fmt: on
        event = self.events()
        self.assertEqual((event.event_name, event.state), ("AddToCart", "pending"))
        self.assertEqual(event.user_data, {"em": sha256_hex})
        self.assertEqual(
            event.custom_data,
            {
                "currency": "USD",
                "value": 25.0,
                "content_ids": [str(product.id)],
                "content_type": "product",
            },
        )
        self.deliver()
        self.assertEqual(event.state, "sent")


@tagged("post_install", "-at_install")
class TestTransaction(ServerActionCase):
    """The order's own transaction, with jobs that are really stored."""

    def setUp(self):
        TransactionCase.setUp(self)
        self.env.ref("ih_meta_conversions_api.automation_purchase").active = True

    def jobs_stored(self):
        return self.env["queue.job"].search_count(
            [("model_name", "=", "meta.capi.delivery")]
        )

    def test_no_connection_is_opened_while_an_order_is_confirmed(self):
        self.parameters.set_param("meta_capi.graph_url", "https://graph.facebook.com")
        attempts = []

        def connect(*args, **kwargs):
            attempts.append(args)
            raise OSError("No network in the transaction.")

        order = self.order()
        with (
            patch.object(socket.socket, "connect", connect),
            patch.object(socket.socket, "connect_ex", connect),
            patch.object(socket, "getaddrinfo", connect),
        ):
            order.with_user(self.salesperson).action_confirm()
            self.env.flush_all()
        self.assertFalse(attempts)
        self.assertEqual(self.events().state, "pending")
        self.assertEqual(self.jobs_stored(), 1)

    def test_a_rolled_back_order_leaves_nothing(self):
        order = self.order()
        self.env.flush_all()
        jobs = self.jobs_stored()
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            order.action_confirm()
            self.assertEqual(len(self.events()), 1)
            self.assertEqual(self.jobs_stored(), jobs + 1)
            raise ZeroDivisionError
        self.env.invalidate_all()
        self.assertFalse(self.events())
        self.assertEqual(self.jobs_stored(), jobs)
        self.assertFalse(self.graph.requests)
        self.assertFalse(order.meta_capi_purchase_recorded_at)
        # Confirmed for good, it is recorded after all.
        order.action_confirm()
        self.assertEqual(self.events().state, "pending")
