from unittest.mock import patch

from odoo.tests import new_test_user, tagged

from ..models.website import meta_capi_bridge
from .common import VisitCase

PERSONAL = {"em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id"}


@tagged("post_install", "-at_install")
class TestNobody(VisitCase):
    """A partner who stands for nobody in particular makes no two customers one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.parameters.set_param("meta_capi.bridge_enabled", "True")
        cls.parameters.set_param("meta_capi.pixel_mode", "server")
        cls.website.cookies_bar = False
        company = cls.env["res.company"].create(
            {"name": "Our Shop", "email": "us@example.com", "phone": "+1 650 555 1213"}
        )
        template = new_test_user(cls.env, "template", groups="base.group_portal")
        template.active = False
        template.partner_id.active = False
        order = cls.env["sale.order"].create({"partner_id": cls.customer.id})
        express = cls.env["res.partner"].create(
            {
                "name": f"Anonymous express checkout partner for order {order.name}",
                "zip": "94025",
                "city": "Menlo Park",
            }
        )
        cls.nobodies = {
            "the public user": cls.website.user_id.partner_id,
            "the public user of another website": cls.env["website"]
            .create({"name": "Other", "company_id": company.id})
            .user_id.partner_id,
            "the company": company.partner_id,
            "OdooBot": cls.env.ref("base.partner_root"),
            "a template of users": template.partner_id,
            "the template of portal users": cls.env.ref(
                "base.template_portal_user_id"
            ).partner_id,
            "an address of the express checkout": express,
        }

    def test_nobody_tells_nothing_and_is_on_no_row(self):
        for who, partner in self.nobodies.items():
            with self.subTest(who):
                with self.visit():
                    order = self.order(partner_id=partner.id)
                for origin in (order, partner):
                    event = self.api.send_event(
                        "Lead", origin=origin, user_data={"fbp": ""}
                    )
                    self.assertFalse(PERSONAL & event.user_data.keys())
                    self.assertFalse(event.partner_id)

    def test_the_order_of_nobody_tells_of_the_browser_that_made_it(self):
        for who, partner in self.nobodies.items():
            with self.subTest(who):
                with self.visit():
                    order = self.order(partner_id=partner.id)
                event = self.api.send_event("Purchase", origin=order)
                self.assertEqual(event.state, "pending", event.error_message)
                self.assertEqual(
                    event.user_data.keys(),
                    {"client_ip_address", "client_user_agent", "fbc", "fbp"},
                )

    def test_the_objection_of_nobody_touches_nobody(self):
        waiting = self.record(origin=self.order())
        for who, partner in self.nobodies.items():
            with self.subTest(who):
                # As an earlier version had them on record.
                self.env.cr.execute(
                    "UPDATE meta_capi_event SET partner_id = %s WHERE id = %s",
                    [partner.id, waiting.id],
                )
                self.env.invalidate_all()
                partner.meta_capi_opt_out = True
                with self.visit():
                    order = self.order(partner_id=partner.id)
                event = self.api.send_event("Purchase", origin=order)
                self.assertEqual((event.state, waiting.state), ("pending", "pending"))
                partner._meta_capi_forget("gone")
                self.assertEqual(waiting.state, "pending")

    def test_a_buyer_of_the_own_company_is_not_bound_by_its_objection(self):
        company = self.nobodies["the company"]
        company.meta_capi_opt_out = True
        buyer = self.env["res.partner"].create(
            {"name": "Ann", "email": "ann@example.com", "parent_id": company.id}
        )
        event = self.api.send_event("Purchase", origin=self.order(partner_id=buyer.id))
        self.assertEqual(event.state, "pending", event.error_message)
        self.assertEqual(event.partner_id, buyer)

    def test_a_guest_is_told_of_from_the_moment_there_is_a_name(self):
        guest = self.website.user_id.partner_id
        visit = self.visit()
        with visit, patch.object(meta_capi_bridge, "request", visit.new):
            order = self.order(partner_id=guest.id)
            bridge = self.env["meta.capi.bridge"]
            bridge._record_by_hook("InitiateCheckout", order)
            order.partner_id = self.customer
            bridge._record_by_hook("AddPaymentInfo", order)
        events = self.env["meta.capi.event"].search(
            [("res_model", "=", "sale.order"), ("res_id", "=", order.id)], order="id"
        )
        before, after = events
        self.assertFalse(PERSONAL & before.user_data.keys())
        self.assertFalse(before.partner_id)
        self.assertTrue({"fn", "ln", "em", "external_id"} <= after.user_data.keys())
        self.assertEqual(after.partner_id, self.customer)

    def test_an_address_of_the_express_checkout_becomes_somebody(self):
        partner = self.nobodies["an address of the express checkout"]
        partner.write({"name": "Jane Doe", "email": "jane@example.com"})
        event = self.api.send_event(
            "Purchase", origin=self.order(partner_id=partner.id)
        )
        self.assertIn("external_id", event.user_data)
        self.assertEqual(event.partner_id, partner)

    def test_somebody_stays_somebody(self):
        user = new_test_user(self.env, "jane", groups="base.group_portal")
        left = self.env["res.partner"].create({"name": "Gone", "active": False})
        numbered = self.env["res.partner"].create({"name": "Studio 54"})
        for partner in (self.customer, user.partner_id, left, numbered):
            self.assertFalse(partner.meta_capi_is_nobody, partner.name)

    def test_a_company_that_buys_has_no_first_and_last_name(self):
        buyer = self.env["res.partner"].create(
            {"name": "Jane Doe Ltd", "is_company": True, "email": "jane@example.com"}
        )
        event = self.api.send_event("Purchase", origin=self.order(partner_id=buyer.id))
        self.assertTrue({"em", "external_id"} <= event.user_data.keys())
        self.assertFalse({"fn", "ln"} & event.user_data.keys())
