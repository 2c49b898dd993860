import json
from itertools import product
from unittest.mock import patch

from lxml import html

from odoo.http import Request
from odoo.tests import tagged
from odoo.tools import mute_logger

from .test_bridge import AGENT, FBP, BridgeCase


@tagged("post_install", "-at_install", "requests")
class TestFunnel(BridgeCase):
    """What the shop's own events tell of products, from the first look to the order."""

    def setUp(self):
        super().setUp()
        self.set_mode("server")
        self.product.website_published = True

    def tax(self, is_included):
        taxes = self.env["account.tax"]
        if "price_include_override" in taxes._fields:  # from 18 on
            kind = "tax_included" if is_included else "tax_excluded"
            values = {"price_include_override": kind}
        else:
            values = {"price_include": is_included}
        return taxes.create(
            {"name": f"15% included: {is_included}", "amount": 15.0, **values}
        )

    def page(self, path):
        """Return what the page tells the script, by the event's name."""
        response = self.url_open(path, headers={"User-Agent": AGENT}, timeout=60)
        self.assertEqual(response.status_code, 200)
        elements = html.fromstring(response.text).xpath("//*[@data-meta-capi-event]")
        return {
            element.get("data-meta-capi-event"): json.loads(
                element.get("data-meta-capi-data")
            )
            for element in elements
        }

    def added(self, change, **options):
        """Return the AddToCart events of what a visitor does."""
        seen = self.events(event_name="AddToCart")
        with self.visiting(**options):
            change()
        return self.events(event_name="AddToCart") - seen

    def put_in(self, order, quantity):
        if hasattr(order, "_cart_update_line_quantity"):  # from 19 on
            return order._cart_add(self.product.id, quantity)
        return order._cart_update(self.product.id, add_qty=quantity)

    def set_quantity(self, line, quantity):
        order = line.order_id
        if hasattr(order, "_cart_update_line_quantity"):  # from 19 on
            return order._cart_update_line_quantity(line.id, quantity)
        return order._cart_update(
            line.product_id.id, line_id=line.id, set_qty=quantity, add_qty=None
        )

    def assertAddsUp(self, custom_data):
        total = sum(
            content["quantity"] * content["item_price"]
            for content in custom_data["contents"]
        )
        self.assertAlmostEqual(total, custom_data["value"], 6)

    # ------------------------------------------------------------------ tax and value

    def test_one_rule_of_tax_holds_for_the_whole_funnel(self):
        taxes = {included: self.tax(included) for included in (False, True)}
        # What makes all pages be compiled anew is changed least.
        for with_tax, shown, included in product(
            (False, True), ("tax_excluded", "tax_included"), taxes
        ):
            with self.subTest(included=included, shown=shown, with_tax=with_tax):
                self.product.write(
                    {
                        "list_price": 57.39 if included else 49.9,
                        "taxes_id": [(6, 0, taxes[included].ids)],
                    }
                )
                if self.website.show_line_subtotals_tax_selection != shown:
                    self.website.show_line_subtotals_tax_selection = shown
                self.parameters.set_param("meta_capi.value_includes_tax", str(with_tax))
                value = 57.39 if with_tax else 49.9
                view = self.page(self.product.website_url)["ViewContent"]
                order = self.order(order_line=False)
                added = self.added(lambda order=order: self.put_in(order, 1))
                for custom_data in (
                    view,
                    added.custom_data,
                    order._meta_capi_custom_data("InitiateCheckout"),
                    order._meta_capi_custom_data("Purchase"),
                    self.product._meta_capi_custom_data("ViewContent"),
                    self.product.product_tmpl_id._meta_capi_custom_data("ViewContent"),
                ):
                    self.assertEqual(custom_data["value"], value)
                    self.assertAddsUp(custom_data)

    def test_contents_add_up_to_the_value_in_every_currency(self):
        for name, rounding in (
            ("XX1", 0.01),
            ("XX2", 0.05),
            ("XX3", 1.0),
            ("XX4", 1e-3),
        ):
            currency = self.env["res.currency"].create(
                {"name": name, "symbol": "X", "rounding": rounding}
            )
            for value in (114.77 / 2, 57.385, 57.375, 0.005, 0.015, 99.995, 1e6 / 3):
                for quantity in (1, 2, 3, 0.75):
                    custom_data = self.product._meta_capi_products_data(
                        value, currency, [(self.product, quantity, value)]
                    )
                    with self.subTest(custom_data):
                        self.assertEqual(custom_data["value"], currency.round(value))
                        self.assertAddsUp(custom_data)

    # ---------------------------------------------------------------------- quantities

    def test_a_rise_in_the_cart_is_told_of_and_a_fall_is_not(self):
        order = self.order(order_line=False)
        self.assertEqual(
            self.added(lambda: self.put_in(order, 2)).custom_data["value"], 200
        )
        line = order.order_line
        event = self.added(lambda: self.set_quantity(line, 5))
        self.assertEqual(event.custom_data["contents"][0]["quantity"], 3)
        self.assertEqual(event.custom_data["value"], 300)
        self.assertFalse(self.added(lambda: self.set_quantity(line, 4)))
        self.assertFalse(self.added(lambda: self.set_quantity(line, 4)))
        self.assertFalse(self.added(lambda: self.set_quantity(line, 0)))

    def test_what_a_form_says_is_what_the_cart_makes_of_it(self):
        for quantity in ("2", "1,5", "1.5", "٣", "two", "1e1", 2.0):
            order = self.order(order_line=False)
            if hasattr(order, "_cart_update_line_quantity"):  # numbers from 19 on
                quantity = 1.5 if isinstance(quantity, str) else quantity
            with self.subTest(quantity):
                event = self.added(lambda o=order, q=quantity: self.put_in(o, q))
                line = order.order_line
                self.assertGreater(line.product_uom_qty, 0)
                (content,) = event.custom_data["contents"]
                self.assertEqual(content["quantity"], line.product_uom_qty)
                self.assertEqual(event.custom_data["value"], line.price_total)

    def test_part_of_a_unit_is_one_item_of_a_checkout_and_of_nothing_else(self):
        order = self.order()
        for quantity, items in ((0.75, 1), (1.0, 1), (2.0, 2), (2.25, 3)):
            order.order_line.product_uom_qty = quantity
            data = order._meta_capi_custom_data("InitiateCheckout")
            self.assertEqual((data["num_items"], type(data["num_items"])), (items, int))
            event = self.api.send_event(
                "InitiateCheckout", origin=order, custom_data=data
            )
            self.assertEqual(event.state, "pending", event.error_message)
            for event_name in ("Purchase", "AddPaymentInfo", "AddToCart"):
                self.assertNotIn("num_items", order._meta_capi_custom_data(event_name))

    # ------------------------------------------------------------- as the pages ask it

    def call(self, path, **params):
        """Call a JSON route as a visitor's page does; return its result."""
        self.opener.cookies["_fbp"] = FBP
        response = self.opener.post(
            f"{self.base_url()}{path}",
            json={"params": params},
            headers={"User-Agent": AGENT},
            timeout=30,
        )
        answer = response.json()
        self.assertNotIn("error", answer)
        return answer["result"]

    def call_and_see(self, path, **params):
        """Call a JSON route; return the events that it makes."""
        seen = self.events()
        self.call(path, **params)
        return self.events() - seen

    @property
    def is_newer(self):
        return hasattr(self.env["sale.order"], "_cart_update_line_quantity")  # 19

    def add_by_page(self, product, quantity):
        if self.is_newer:
            return self.call_and_see(
                "/shop/cart/add",
                product_template_id=product.product_tmpl_id.id,
                product_id=product.id,
                quantity=quantity,
            )
        return self.call_and_see(
            "/shop/cart/update_json", product_id=product.id, add_qty=quantity
        )

    def test_what_is_added_on_the_grid_raised_in_the_cart_and_bought_by_express(self):
        event = self.add_by_page(self.product, 2)
        self.assertEqual(
            (event.event_name, event.custom_data["value"]), ("AddToCart", 200)
        )
        cart = self.env["sale.order"].search([], order="id desc", limit=1)
        line = cart.order_line
        self.assertEqual(event.res_id, cart.id)

        for quantity, added in ((5, 3), (4, 0), (0, 0)):
            if self.is_newer:
                event = self.call_and_see(
                    "/shop/cart/update", line_id=line.id, quantity=quantity
                )
            else:
                event = self.call_and_see(
                    "/shop/cart/update_json",
                    product_id=self.product.id,
                    line_id=line.id,
                    set_qty=quantity,
                )
            self.assertEqual(len(event), bool(added))
            if added:
                self.assertEqual(event.custom_data["contents"][0]["quantity"], added)

        self.add_by_page(self.product, 1)
        address = {
            "name": "Jane Doe",
            "email": "jane@example.com",
            "phone": "+1 650 555 1212",
            "street": "1 Hacker Way",
            "street2": "",
            "city": "Menlo Park",
            "zip": "94025",
            "country": "US",
            "state": "CA",
        }
        event = self.call_and_see("/shop/express_checkout", billing_address=address)
        self.assertEqual(event.event_name, "InitiateCheckout")
        self.assertEqual(event.custom_data["num_items"], 1)
        self.assertIn("em", event.user_data)

    def test_what_is_ordered_again_is_told_of(self):
        order = self.order(order_line=False, partner_id=self.customer.id)
        self.put_in(order, 2)
        order.state = "sale"
        asked = {"order_id": order.id, "access_token": order._portal_ensure_token()}
        if self.is_newer:
            event = self.call_and_see("/my/orders/reorder", **asked)
        else:
            answer = self.call("/my/orders/reorder_modal_content", **asked)
            # The dialog puts one product after the other into the cart.
            (product,) = answer["products"]
            event = self.add_by_page(self.product, product["qty"])
        self.assertEqual(event.event_name, "AddToCart")
        self.assertEqual(event.custom_data["value"], 200)
        self.assertNotEqual(event.res_id, order.id)

    def test_what_is_bought_now_is_told_of(self):
        if self.is_newer:  # the same route as for the cart, then the checkout
            event = self.add_by_page(self.product, 2)
        else:
            seen = self.events()
            self.opener.cookies["_fbp"] = FBP
            answer = self.opener.post(
                f"{self.base_url()}/shop/cart/update",
                data={
                    "product_id": self.product.id,
                    "add_qty": 2,
                    "express": "1",
                    "csrf_token": Request.csrf_token(self),
                },
                headers={"User-Agent": AGENT},
                allow_redirects=False,
                timeout=30,
            )
            self.assertEqual(answer.status_code, 303)
            event = self.events() - seen
        self.assertEqual(event.event_name, "AddToCart")
        self.assertEqual(event.custom_data["contents"][0]["quantity"], 2)

    def test_each_product_of_one_dialog_is_told_of(self):
        lamp = self.env["product.product"].create(
            {"name": "Lamp", "list_price": 7.0, "taxes_id": False}
        )
        order = self.order(order_line=False)

        def choose():
            self.put_in(order, 2)
            if hasattr(order, "_cart_update_line_quantity"):  # from 19 on
                order._cart_add(lamp.id, 1, linked_line_id=order.order_line.id)
            else:
                order._cart_update(
                    lamp.id, add_qty=1, linked_line_id=order.order_line.id
                )

        # Outside a request, 18.0 finds no language for the words of a linked line.
        with mute_logger("odoo.tools.translate"):
            events = self.added(choose)
        self.assertEqual(sorted(e.custom_data["value"] for e in events), [7, 200])

    def test_a_wish_is_told_of(self):
        if "product.wishlist" not in self.env:
            self.skipTest("there are no wishes without website_sale_wishlist")
        event = self.call_and_see("/shop/wishlist/add", product_id=self.product.id)
        self.assertEqual((event.event_name, event.state), ("AddToWishlist", "pending"))
        self.assertEqual(event.custom_data["value"], 100)
        self.assertEqual(event.custom_data["content_ids"], [str(self.product.id)])
        self.assertNotIn("external_id", event.user_data)
        # Not while the page makes the events, and not by an employee.
        self.set_mode("page")
        lamp = self.env["product.product"].create(
            {"name": "Lamp", "website_published": True}
        )
        self.assertFalse(self.call_and_see("/shop/wishlist/add", product_id=lamp.id))

    def test_who_subscribes_to_the_newsletter_is_told_of(self):
        if "mailing.subscription" not in self.env:
            self.skipTest("there is no newsletter without website_mass_mailing")
        news = self.env["mailing.list"].create({"name": "News", "is_public": True})
        asked = {
            "list_id": news.id,
            "value": "jane@example.com",
            "subscription_type": "email",
        }
        captcha = patch.object(
            type(self.env["ir.http"]),
            "_verify_request_recaptcha_token",
            lambda *args: True,
        )
        with captcha:
            event = self.call_and_see("/website_mass_mailing/subscribe", **asked)
            self.assertEqual(event.event_name, "CompleteRegistration")
            self.assertEqual(event.state, "pending", event.error_message)
            self.assertEqual(
                event.user_data["em"],
                self.record(user_data={"em": "jane@example.com"}).user_data["em"],
            )
            self.assertFalse(
                self.call_and_see("/website_mass_mailing/subscribe", **asked)
            )

    def test_a_subscription_by_a_form_is_told_of_once(self):
        model = self.env["ir.model"]._get("mailing.contact")
        if not model or not model.website_form_access:
            self.skipTest("no form makes subscribers without website_mass_mailing")
        news = self.env["mailing.list"].create({"name": "News", "is_public": True})
        seen = self.events()
        answer = self.opener.post(
            f"{self.base_url()}/website/form/mailing.contact",
            data={"email": "jane@example.com", "list_ids": str(news.id)},
            headers={"User-Agent": AGENT},
            timeout=30,
        )
        self.assertIn("id", answer.json())
        event = self.events() - seen
        self.assertEqual(event.mapped("event_name"), ["CompleteRegistration"])

    def test_what_an_employee_makes_in_these_apps_is_told_of_nobody(self):
        for model in ("product.wishlist", "mailing.subscription"):
            if model == "product.wishlist" and model in self.env:
                with self.visiting(self.salesperson):
                    self.env[model].create(
                        {"product_id": self.product.id, "website_id": self.website.id}
                    )
        self.assertFalse(self.events())
