"""The ids of products: those that the shop's catalogue at Meta has."""

from lxml import etree

from odoo.tests import new_test_user, tagged

from .common import MetaCapiCase
from .test_overview import MODULE

FEED = {"g": "http://base.google.com/ns/1.0"}


@tagged("post_install", "-at_install")
class TestCatalogue(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "catalogue", groups=f"{MODULE}.group_meta_capi_manager"
        )
        cls.has_feed = "product.feed" in cls.env

    def choose(self, content_id):
        self.parameters.set_param("meta_capi.content_id", content_id)

    def advice(self, user=None):
        self.env.flush_all()
        overview = self.env["meta.capi.overview"].with_user(user or self.manager)
        advice = overview.get_dashboard({})["advice"]
        return [each for each in advice if each["place"] == "catalogue"]

    def tell(self, *content_ids):
        return self.record(
            event_name="ViewContent", custom_data={"content_ids": list(content_ids)}
        )

    def shop_products(self):
        """Return products of each kind: by variants, by what they are known by."""
        template = self.env["product.template"].create(
            {
                "name": "Sofa",
                "list_price": 9,
                "attribute_line_ids": [
                    (
                        0,
                        0,
                        {
                            "attribute_id": attribute.id,
                            "value_ids": attribute.value_ids,
                        },
                    )
                    for attribute in self.env["product.attribute"].create(
                        {
                            "name": "Colour",
                            "value_ids": [(0, 0, {"name": n}) for n in ("red", "blue")],
                        }
                    )
                ],
            }
        )
        plain, coded = self.env["product.product"].create(
            [
                {"name": "Plain", "list_price": 5, "barcode": "4006381333931"},
                {"name": "Coded", "list_price": 5, "default_code": "A & B/1"},
            ]
        )
        products = template.product_variant_ids + plain + coded
        self.assertEqual(len(products), 4)
        products[0].default_code = "SOFA-R"
        products.product_tmpl_id.is_published = True
        return products

    def feed(self):
        if not self.has_feed:
            self.skipTest("This Odoo has no product feed.")
        return self.env["product.feed"].create(
            {"name": "For Meta", "website_id": self.website.id}
        )

    def test_an_id_is_exactly_that_of_odoo_s_own_feed(self):
        feed = self.feed()
        # Odoo's own, which it has only where there is a feed.
        from odoo.addons.website_sale.tests.common import MockRequest

        products = self.shop_products()
        with MockRequest(self.env, website=self.website):
            rendered = etree.XML(feed._render_gmc_feed().encode())
        links = {
            item.findtext("g:id", namespaces=FEED): item
            for item in rendered.iterfind(".//item")
        }
        self.choose("product_feed")
        found = [product._meta_capi_content_id() for product in products]
        self.assertEqual(len(set(found)), 4)
        for product, content_id in zip(products, found, strict=True):
            with self.subTest(product.display_name):
                title = links[content_id].findtext("g:title", namespaces=FEED)
                self.assertIn(product.name, title)
        self.assertEqual(products._meta_capi_content_type(), "product")

    def test_without_a_feed_its_ids_are_those_of_the_default(self):
        self.choose("product_feed")
        self.product.default_code = "DESK"
        expected = "DESK" if self.has_feed else str(self.product.id)
        self.assertEqual(self.product._meta_capi_content_id(), expected)

    def test_the_settings_offer_the_feed_where_there_is_one_or_it_is_chosen(self):
        def offered():
            field = "meta_capi_content_id"
            described = self.env["res.config.settings"].fields_get([field])
            return "product_feed" in dict(described[field]["selection"])

        self.assertEqual(offered(), self.has_feed)
        self.choose("product_feed")
        self.assertTrue(offered())

    def test_the_dashboard_tells_of_ids_that_no_product_has(self):
        if self.has_feed:
            self.env["product.feed"].search([]).unlink()
        for content_id in ("product_id", "product_tmpl_id", "default_code", "barcode"):
            with self.subTest(content_id):
                self.choose(content_id)
                self.product.write({"default_code": "DESK", "barcode": "123"})
                known = self.product._meta_capi_content_id()
                self.env["meta.capi.event"].sudo().search([]).unlink()
                self.assertEqual(self.advice(), [])
                for _number in range(3):
                    self.tell(known)
                self.assertEqual(self.advice(), [])
                self.tell("nobody's", "99999999999999999999")
                (advice,) = self.advice()
                self.assertIn("60%", advice["text"])

    def test_the_button_leads_to_the_settings_those_who_may_open_them(self):
        if self.has_feed:
            self.env["product.feed"].search([]).unlink()
        self.tell("nobody's")
        self.assertFalse(self.advice()[0]["button"])
        (advice,) = self.advice(self.env.ref("base.user_admin"))
        self.assertEqual(
            advice["action"], "ih_meta_conversions_api.meta_capi_settings_action"
        )

    def test_the_dashboard_tells_of_ids_that_are_in_no_feed(self):
        self.feed()
        self.choose("product_feed")
        products = self.shop_products()
        for product in products:
            self.tell(product._meta_capi_content_id())
        self.assertEqual(self.advice(), [])
        products[2].product_tmpl_id.is_published = False
        (advice,) = self.advice()
        self.assertIn("75%", advice["text"])
        self.assertIn("feed", advice["text"])
        self.assertEqual(advice["action"]["domain"], [["id", "in", [products[2].id]]])
        # By another id, the catalogue knows none that has a reference.
        self.choose("product_id")
        (advice,) = self.advice(self.env.ref("base.user_admin"))
        self.assertEqual(
            advice["action"], "ih_meta_conversions_api.meta_capi_settings_action"
        )

    def test_only_the_last_events_are_looked_at(self):
        if self.has_feed:
            self.env["product.feed"].search([]).unlink()
        self.tell("nobody's")
        self.assertTrue(self.advice())
        self.api.send_events(
            [{"event_name": "Lead", "user_data": {"em": "a@b.co"}}] * 200
        )
        self.assertEqual(self.advice(), [])
