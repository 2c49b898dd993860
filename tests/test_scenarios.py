import hashlib

from odoo.tests import tagged

from .common import FBC, FBP, VisitCase

BROWSER = {
    "client_ip_address": "8.8.8.8",
    "client_user_agent": "Mozilla/5.0 (Visitor)",
    "fbc": FBC,
    "fbp": FBP,
}


def hashed(**normalized):
    """Return ``user_data`` of values that are in Meta's normal form already."""
    return {
        key: hashlib.sha256(value.encode()).hexdigest()
        for key, value in normalized.items()
    }


def hashed_customer(customer):
    """Return what Meta gets of the customer of ``MetaCapiCase``."""
    return hashed(
        em="jane.doe@example.com",
        ph="16505551212",
        fn="jane",
        ln="doe",
        ct="menlopark",
        st="ca",
        zp="94025",
        country="us",
        external_id=str(customer.id),
    )


class ScenarioCase(VisitCase):
    """A shop whose orders are compared with what Meta gets of them, as a whole."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.jane = hashed_customer(cls.customer)

    def assertMetaGot(self, order, **expected):
        """Compare the whole body of the only request, and its only event."""
        self.deliver()
        (request,) = self.graph.requests
        self.assertEqual(
            request.body.keys() - {"partner_agent"}, {"data"}, request.body.keys()
        )
        (event,) = request.body["data"]
        (row,) = self.env["meta.capi.event"].search(
            [("res_model", "=", "sale.order"), ("res_id", "=", order.id)]
        )
        self.assertEqual(row.state, "sent")
        page = "https://shop.example.com/shop/cart"
        referrer = "https://www.facebook.com/"
        website = {"event_source_url": page, "referrer_url": referrer}
        self.assertEqual(
            event,
            {
                "event_name": "Purchase",
                "event_id": order.meta_capi_event_id,
                "event_time": int(row.event_time.timestamp()),
                "action_source": "website",
                "user_data": {**self.jane, **BROWSER},
                "custom_data": {
                    "currency": order.currency_id.name,
                    "value": 200.0,
                    "content_type": "product",
                    "content_ids": [str(self.product.id)],
                    "contents": [
                        {
                            "id": str(self.product.id),
                            "quantity": 2,
                            "item_price": 100.0,
                        }
                    ],
                    "order_id": order.name,
                },
                **website,
                **expected,
            },
        )

    def shop(self, **values):
        with self.visit():
            return self.order(**values)


@tagged("post_install", "-at_install")
class TestScenarios(ScenarioCase):
    """An order's way through the shop, and the whole event that Meta gets of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.ref("ih_meta_conversions_api.automation_purchase").active = True

    def assertCancelled(self, order, reason):
        """Check that the order's Purchase is in the log, says why, and never leaves."""
        self.deliver()
        self.assertFalse(self.graph.requests)
        (event,) = self.env["meta.capi.event"].search(
            [("res_model", "=", "sale.order"), ("res_id", "=", order.id)]
        )
        self.assertEqual((event.state, event.user_data), ("cancelled", {}))
        self.assertIn(reason, event.error_message)

    def test_a_website_order_paid_by_the_providers_message(self):
        order = self.shop()
        # Hours later, without any website around.
        order.with_user(self.visitor).sudo().action_confirm()
        self.assertMetaGot(order)

    def test_a_website_order_confirmed_by_an_employee(self):
        order = self.shop()
        with self.visit(user=self.salesperson, cookies={}, address="9.9.9.9"):
            order.with_user(self.salesperson).action_confirm()
        self.assertMetaGot(order)

    def test_an_order_of_the_back_office(self):
        order = self.order(website_id=False)
        self.api.send_event("Purchase", origin=order)
        self.deliver()
        ((received,),) = [self.graph.events]
        self.assertEqual(received.event["action_source"], "other")
        self.assertEqual(received.event["user_data"], self.jane)
        self.assertFalse({"event_source_url", "referrer_url"} & received.event.keys())

    def test_a_company_and_who_buys_for_it(self):
        company = self.env["res.partner"].create(
            {
                "name": "Müller & Söhne GmbH",
                "is_company": True,
                "email": "buero@mueller.example",
                "phone": "030 901820",
                "city": "Berlin",
                "zip": "10115",
                "country_id": self.env.ref("base.de").id,
            }
        )
        order = self.shop(partner_id=company.id)
        order.action_confirm()
        self.assertMetaGot(
            order,
            user_data={
                **hashed(
                    em="buero@mueller.example",
                    ph="4930901820",
                    ct="berlin",
                    zp="10115",
                    country="de",
                    external_id=str(company.id),
                ),
                **BROWSER,
            },
        )

    def test_a_german_with_a_national_phone_number(self):
        german = self.env["res.partner"].create(
            {
                "name": "Jörg Groß-Bölting",
                "email": "Jörg@Bücher.example",
                "phone": "(0) 30 / 90 18 20",
                "city": "Frankfurt a. M.",
                "zip": "60311",
                "country_id": self.env.ref("base.de").id,
            }
        )
        order = self.shop(partner_id=german.id)
        order.action_confirm()
        expected = hashed(
            em="jörg@bücher.example",
            ph="4930901820",
            fn="jörg",
            ln="großbölting",
            ct="frankfurtam",
            zp="60311",
            country="de",
            external_id=str(german.id),
        )
        self.assertMetaGot(order, user_data={**expected, **BROWSER})

    def test_orders_in_two_currencies(self):
        euro, yen = self.env.ref("base.EUR"), self.env.ref("base.JPY")
        (euro | yen).active = True
        bodies = {}
        for currency in (euro, yen):
            pricelist = self.env["product.pricelist"].create(
                {"name": currency.name, "currency_id": currency.id}
            )
            with self.visit():
                order = self.order(pricelist_id=pricelist.id)
            order.order_line.price_unit = 33
            order.action_confirm()
            self.deliver()
            bodies[currency.name] = self.graph.events[-1].event["custom_data"]
        for name, data in bodies.items():
            self.assertEqual((data["currency"], data["value"]), (name, 66))
            self.assertEqual(data["contents"][0]["item_price"], 33)

    def test_prices_that_include_tax(self):
        tax = self.env["account.tax"].create(
            {
                "name": "19 % included",
                "amount": 19,
                "type_tax_use": "sale",
                "price_include": True,
                **(
                    {"price_include_override": "tax_included"}
                    if "price_include_override" in self.env["account.tax"]._fields
                    else {}
                ),
            }
        )
        lines = self.env["sale.order.line"]._fields
        order = self.shop()
        order.order_line["tax_ids" if "tax_ids" in lines else "tax_id"] = tax
        order.action_confirm()
        self.assertEqual((order.amount_total, order.amount_untaxed), (200.0, 168.07))
        self.assertMetaGot(order)

    def test_a_coupon_and_delivery(self):
        service = self.env["product.product"].create(
            {"name": "Service", "type": "service", "taxes_id": False}
        )
        order = self.shop()
        self.env["sale.order.line"].create(
            [
                {
                    "order_id": order.id,
                    "product_id": service.id,
                    "price_unit": price,
                    "is_delivery": is_delivery,
                }
                for price, is_delivery in ((-30.0, False), (5.0, True))
            ]
        )
        order.action_confirm()
        self.assertMetaGot(
            order,
            custom_data={
                "currency": order.currency_id.name,
                "value": 175.0,
                "content_type": "product",
                "content_ids": [str(self.product.id)],
                "contents": [
                    {"id": str(self.product.id), "quantity": 2, "item_price": 87.5}
                ],
                "order_id": order.name,
            },
        )

    def test_consent_refused(self):
        with self.visit(consent=False):
            order = self.order()
        order.action_confirm()
        self.assertCancelled(order, "not consented")

    def test_consent_withdrawn_between_the_order_and_its_sending(self):
        order = self.shop()
        order.action_confirm()
        with self.visit(consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        self.assertCancelled(order, "withdrawn")

    def test_a_customer_anonymised_before_sending(self):
        order = self.shop()
        order.action_confirm()
        self.customer.write({"name": "Anonymous", "email": False, "phone": False})
        self.assertCancelled(order, "anonymised")
