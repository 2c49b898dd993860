import hashlib
import socket
from datetime import date, datetime, timedelta
from unittest.mock import patch

from odoo.tests import Form, TransactionCase, new_test_user, tagged

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

    def transaction(self, orders):
        methods = self.env["payment.method"].with_context(active_test=False)
        return self.env["payment.transaction"].create(
            {
                "provider_id": self.env["payment.provider"].search([], limit=1).id,
                "payment_method_id": methods.search([], limit=1).id,
                "reference": "tx",
                "amount": sum(orders.mapped("amount_total")),
                "currency_id": orders.currency_id.id,
                "partner_id": orders.partner_id.id,
                "sale_order_ids": [(6, 0, orders.ids)],
            }
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

    def test_the_type_in_a_scheduled_action_sends_nothing_and_does_not_fail(self):
        cron = self.env["ir.cron"].create(
            {
                "name": "Daily",
                "model_id": self.env["ir.model"]._get_id("sale.order"),
                "state": "meta_capi",
                "meta_capi_event_name": "Lead",
            }
        )
        self.order()
        before = self.events()
        cron.ir_actions_server_id.run()
        self.assertEqual(self.events(), before)

    def test_the_type_while_the_addon_is_off_or_without_a_pixel_sends_nothing(self):
        action, order = self.action(event_name="Lead"), self.order()
        self.parameters.set_param("meta_capi.pixel_id", False)
        with self.assertLogs("meta.conversions.api", "WARNING"):
            self.assertFalse(self.run_on(action, order))
        self.parameters.set_param("meta_capi.enabled", "False")
        with self.assertNoLogs("meta.conversions.api"):
            self.assertFalse(self.run_on(action, order))

    def test_a_purchase_that_a_transaction_sets_off_is_the_orders(self):
        orders = self.order() + self.order()
        transaction = self.transaction(orders)
        action = self.action("payment.transaction", event_name="Purchase")
        events = self.run_on(action, transaction)
        self.assertEqual(set(events.mapped("res_id")), set(orders.ids))
        self.assertEqual(set(events.mapped("res_model")), {"sale.order"})
        self.assertEqual(
            set(events.mapped("event_id")), set(orders.mapped("meta_capi_event_id"))
        )

    def test_any_other_event_that_a_transaction_sets_off_is_its_own(self):
        transaction = self.transaction(self.order())
        action = self.action("payment.transaction", event_name="Subscribe")
        event = self.run_on(action, transaction)
        self.assertEqual(self.origins(event), [("payment.transaction", transaction.id)])

    def test_only_what_is_paid_is_sent_of_a_selection(self):
        paid, unpaid = self.order(), self.order()
        self.transaction(paid).state = "done"
        action = self.action(event_name="Lead", meta_capi_paid_only=True)
        event = self.run_on(action, paid + unpaid)
        self.assertEqual(self.origins(event), [("sale.order", paid.id)])

    def test_what_cannot_tell_its_orders_is_an_invalid_row(self):
        transaction = self.transaction(self.order())
        action = self.action("payment.transaction", event_name="Purchase")
        broken = patch.object(
            type(transaction), "_meta_capi_subjects", side_effect=KeyError
        )
        with broken, self.assertLogs("meta.conversions.api", "ERROR"):
            event = self.run_on(action, transaction)
        self.assertEqual(event.failure_reason, "invalid")
        self.assertIn("origin: cannot be read (KeyError)", event.error_message)

    def test_what_breaks_in_a_picked_field_does_not_break_the_sale(self):
        self.automate(event_name="Lead", meta_capi_amount_field="amount_total")
        order = self.order()
        broken = patch.object(
            type(self.env["ir.actions.server"]), "_meta_capi_pick", side_effect=KeyError
        )
        with broken, self.assertLogs("meta.conversions.api", "ERROR"):
            order.with_user(self.salesperson).action_confirm()
        self.assertEqual(order.state, "sale")
        event = self.events()
        self.assertEqual(event.failure_reason, "invalid")
        self.assertIn("origin: cannot be read (KeyError)", event.error_message)
        self.assertEqual(self.origins(event), [("sale.order", order.id)])

    def test_the_type_on_a_record_of_the_menu_needs_no_rights_on_the_log(self):
        action = self.action(event_name="Lead", meta_capi_amount_field="amount_untaxed")
        action.create_action()
        event = self.run_on(action, self.order(), self.salesperson)
        self.assertEqual((event.state, event.create_uid), ("pending", self.salesperson))

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


@tagged("post_install", "-at_install")
class TestPickedFields(ServerActionCase):
    """What is taken from fields of one's own choice instead of from what a record tells.

    A field that is added by hand, such as with Studio, goes and comes like these.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models = cls.env["ir.model"].create(
            {"name": "Rental", "model": "x_meta_capi_rental"}
        )
        cls.env["ir.model.access"].create(
            {
                "name": "Rentals",
                "model_id": cls.models.id,
                "perm_read": True,
                "perm_write": True,
                "perm_create": True,
            }
        )
        cls.make_fields(
            ("x_renter", "many2one", "res.partner"),
            ("x_price", "float", None),
            ("x_coin", "many2one", "res.currency"),
            ("x_returned", "datetime", None),
            ("x_day", "date", None),
            ("x_note", "char", None),
        )
        cls.swiss = cls.env.ref("base.CHF")

    @classmethod
    def make_fields(cls, *fields):
        for name, ttype, relation in fields:
            cls.env["ir.model.fields"].create(
                {
                    "model_id": cls.models.id,
                    "name": name,
                    "field_description": name,
                    "ttype": ttype,
                    "relation": relation,
                }
            )

    def rental(self, **values):
        return self.env["x_meta_capi_rental"].create(
            {"x_renter": self.customer.id, "x_price": 12.5, "x_coin": self.swiss.id}
            | values
        )

    def field(self, name, model="x_meta_capi_rental"):
        return self.env["ir.model.fields"]._get(model, name)

    def picker(self, model="x_meta_capi_rental", event_name="Lead", **names):
        """Make an action that takes each role from the field that is named."""
        return self.action(
            model,
            event_name=event_name,
            **{
                f"meta_capi_{role}_field_id": self.field(name, model).id
                for role, name in names.items()
            },
        )

    def test_a_model_that_tells_nothing_is_told_by_its_fields(self):
        returned = datetime.now() - timedelta(hours=5)
        returned = returned.replace(microsecond=0)
        action = self.picker(
            event_name="Purchase",
            partner="x_renter",
            amount="x_price",
            currency="x_coin",
            date="x_returned",
        )
        rental = self.rental(x_returned=returned)
        event = self.run_on(action, rental)
        self.assertEqual(event.state, "pending")
        self.assertEqual(event.custom_data, {"value": 12.5, "currency": "CHF"})
        self.assertEqual(event.event_time, returned)
        self.assertEqual(event.partner_id, self.customer)
        self.assertLessEqual({"em", "ph", "fn", "ln", "zp"}, set(event.user_data))
        self.assertEqual(self.origins(event), [(rental._name, rental.id)])

    def test_a_picked_field_comes_before_what_the_record_tells(self):
        other = self.customer.copy({"email": "john@example.com"})
        order = self.order(partner_invoice_id=other.id)
        action = self.picker(
            "sale.order", partner="partner_invoice_id", amount="amount_tax"
        )
        event = self.run_on(action, order)
        self.assertEqual(event.partner_id, other)
        email = hashlib.sha256(b"john@example.com").hexdigest()
        self.assertEqual(event.user_data["em"], email)
        self.assertEqual(event.custom_data["value"], 0)
        # What is not picked is the record's.
        self.assertEqual(event.custom_data["currency"], order.currency_id.name)
        self.assertEqual(event.custom_data["order_id"], order.name)

    def test_the_picked_customer_is_the_one_who_may_object(self):
        other = self.customer.copy({"meta_capi_opt_out": True})
        order = self.order(partner_invoice_id=other.id)
        action = self.picker("sale.order", partner="partner_invoice_id")
        event = self.run_on(action, order)
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))

    def test_the_picked_customer_is_the_one_who_may_be_excluded(self):
        employee = new_test_user(self.env, "buyer", groups="base.group_user")
        event = self.run_on(
            self.picker(partner="x_renter"),
            self.rental(x_renter=employee.partner_id.id),
        )
        self.assertEqual(event.state, "cancelled")
        self.assertIn("internal user", event.error_message)

    def test_an_empty_customer_is_nobody(self):
        action = self.picker("res.partner", partner="parent_id")
        event = self.run_on(action, self.customer)
        self.assertEqual(event.failure_reason, "invalid")
        self.assertFalse(event.partner_id)
        self.assertEqual(event.user_data, {})

    def test_without_a_currency_it_is_that_of_the_company(self):
        action = self.picker(partner="x_renter", amount="x_price")
        event = self.run_on(action, self.rental())
        currency = self.env.company.currency_id.name
        self.assertEqual(event.custom_data, {"value": 12.5, "currency": currency})

    def test_the_currency_of_an_amount_is_its_own(self):
        order = self.order()
        self.swiss.active = True
        self.env.cr.execute(
            "UPDATE sale_order SET currency_id = %s WHERE id = %s",
            (self.swiss.id, order.id),
        )
        order.invalidate_recordset(["currency_id"], flush=False)
        event = self.run_on(self.picker("sale.order", amount="amount_tax"), order)
        self.assertEqual(event.custom_data["currency"], "CHF")

    def test_today_is_now_and_an_empty_time_as_well(self):
        action = self.picker(partner="x_renter", date="x_day")
        for day in (date.today(), False):
            event = self.run_on(action, self.rental(x_day=day))
            self.assertEqual(event.state, "pending")
            self.assertLess(datetime.now() - event.event_time, timedelta(minutes=1))
        yesterday = date.today() - timedelta(days=1)
        event = self.run_on(action, self.rental(x_day=yesterday))
        self.assertEqual(event.event_time.date(), yesterday)

    def test_a_time_that_meta_does_not_take_is_an_invalid_row(self):
        action = self.picker(partner="x_renter", date="x_day")
        for days in (-30, 30):
            day = date.today() + timedelta(days=days)
            event = self.run_on(action, self.rental(x_day=day))
            self.assertEqual(event.failure_reason, "invalid")
            self.assertIn("event_time", event.error_message)

    def test_a_deleted_field_is_an_invalid_row_that_names_it(self):
        self.make_fields(("x_cost", "float", None))
        action = self.picker(partner="x_renter", amount="x_cost")
        rental = self.rental()
        self.assertEqual(self.run_on(action, rental).state, "pending")
        self.field("x_cost").unlink()
        self.env.invalidate_all()
        self.assertFalse(action.meta_capi_amount_field_id)
        event = self.run_on(action, rental, self.salesperson)
        self.assertEqual(event.failure_reason, "invalid")
        self.assertIn("x_cost: is no longer a field of Rental", event.error_message)
        # It is told until another is picked, or the name is emptied.
        action.meta_capi_currency_field_id = self.field("x_coin")
        self.assertEqual(action.meta_capi_amount_field, "x_cost")
        action.meta_capi_amount_field = False
        event = self.run_on(action, rental)
        self.assertEqual(event.state, "pending")

    def test_a_field_of_another_kind_is_an_invalid_row_that_names_it(self):
        for role, name in {
            "partner": "x_coin",
            "amount": "x_note",
            "currency": "x_renter",
            "date": "x_price",
        }.items():
            action = self.picker(**{"partner": "x_renter", role: name})
            event = self.run_on(action, self.rental())
            self.assertEqual(event.failure_reason, "invalid")
            self.assertIn(f"{name}: is of another kind", event.error_message)

    def test_a_field_is_picked_and_cleared_in_the_form(self):
        action = self.picker(amount="x_price", partner="x_renter")
        with Form(action, "base.view_server_action_form") as form:
            form.meta_capi_amount_field_id = self.field("x_price").browse()
        self.assertFalse(action.meta_capi_amount_field)
        self.assertEqual(action.meta_capi_partner_field, "x_renter")
        with Form(action, "base.view_server_action_form") as form:
            form.meta_capi_amount_field_id = self.field("x_price")
        self.assertEqual(action.meta_capi_amount_field, "x_price")
        action.meta_capi_amount_field_id = False
        self.assertFalse(action.meta_capi_amount_field)

    def test_a_lost_field_stays_lost_in_the_form_until_it_is_emptied(self):
        action = self.picker(amount="x_price", partner="x_renter")
        action.meta_capi_amount_field = "x_lost"
        with Form(action, "base.view_server_action_form") as form:
            form.meta_capi_currency_field_id = self.field("x_coin")
        self.assertEqual(action.meta_capi_amount_field, "x_lost")
        with Form(action, "base.view_server_action_form") as form:
            form.meta_capi_amount_field = False
        self.assertFalse(action.meta_capi_amount_field)

    def test_fields_of_a_model_that_is_left_are_left_with_it(self):
        with Form(
            self.env["ir.actions.server"], "base.view_server_action_form"
        ) as form:
            form.name = "Tell Meta"
            form.model_id = self.models
            form.state = "meta_capi"
            form.meta_capi_standard_event = "Lead"
            form.meta_capi_amount_field_id = self.field("x_price")
            form.model_id = self.env["ir.model"]._get("sale.order")
            self.assertFalse(form.meta_capi_amount_field_id)
        self.assertFalse(form.record.meta_capi_amount_field)

    def test_once_for_each_record(self):
        action = self.picker(partner="x_renter")
        action.meta_capi_once = True
        one, other = self.rental(), self.rental()
        event = self.run_on(action, one)
        self.assertEqual(len(event), 1)
        self.assertFalse(self.run_on(action, one))
        self.assertEqual(len(self.run_on(action, other)), 1)
        action.meta_capi_event_name = "Contact"
        self.assertEqual(len(self.run_on(action, one)), 1)
        action.meta_capi_once = False
        self.assertEqual(len(self.run_on(action, one)), 1)
        self.assertRegex(event.event_id, r"^[0-9a-f]{64}$")

    def test_once_leaves_an_order_the_id_that_its_browser_knows(self):
        action = self.action(event_name="Purchase", meta_capi_once=True)
        order = self.order()
        event = self.run_on(action, order)
        self.assertEqual(event.event_id, order.meta_capi_event_id)
