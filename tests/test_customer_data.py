from types import SimpleNamespace

from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from ..capi.countries import normalize_country
from ..capi.normalize import normalize_state
from ..models.settings import setting
from .common import MetaCapiCase


@tagged("post_install", "-at_install")
class TestCustomerData(MetaCapiCase):
    """What Odoo's records tell of the customer and of the order."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tax = cls.env["account.tax"].create(
            {
                "name": "20 %",
                "amount": 20,
                "type_tax_use": "sale",
                "company_id": cls.env.company.id,
            }
        )
        cls.delivery_product = cls.env["product.product"].create(
            {"name": "Post", "type": "service", "taxes_id": False}
        )
        cls.lamp = cls.env["product.product"].create(
            {
                "name": "Lamp",
                "default_code": "LAMP-1",
                "barcode": "4006381333931",
                "taxes_id": False,
            }
        )

    def sell(self, *lines, **values):
        """Return an order with these lines: dicts, of a lamp for 10 by default."""
        common = {
            "product_id": self.lamp.id,
            "product_uom_qty": 1,
            "price_unit": 10.0,
        }
        return self.order(order_line=[(0, 0, {**common, **line}) for line in lines])

    def custom_data(self, order):
        return self.api.send_event("Purchase", origin=order).custom_data

    def taxed(self):
        name = (
            "tax_ids" if "tax_ids" in self.env["sale.order.line"]._fields else "tax_id"
        )
        return {name: [(6, 0, self.tax.ids)]}

    def delivery_line(self, price=5.0):
        return {
            "product_id": self.delivery_product.id,
            "price_unit": price,
            "is_delivery": True,
        }

    def coupon_line(self, price):
        return {"product_id": self.delivery_product.id, "price_unit": price}

    def assertAddsUp(self, custom_data):
        contents = custom_data["contents"]
        total = sum(item["quantity"] * item["item_price"] for item in contents)
        self.assertAlmostEqual(total, custom_data["value"], places=4)

    # ----------------------------------------------------------------- the order

    def test_the_value_is_the_total_with_tax_and_delivery_unless_told_otherwise(self):
        lines = [{"price_unit": 100.0, **self.taxed()}, self.delivery_line(5.0)]
        for tax, shipping, value in (
            (True, True, 125.0),
            (True, False, 120.0),
            (False, True, 105.0),
            (False, False, 100.0),
        ):
            with self.subTest(tax=tax, shipping=shipping):
                self.parameters.set_param("meta_capi.value_includes_tax", str(tax))
                self.parameters.set_param(
                    "meta_capi.value_includes_shipping", str(shipping)
                )
                data = self.custom_data(self.sell(*lines))
                self.assertEqual(data["value"], value)
                self.assertEqual(data["content_ids"], [str(self.lamp.id)])
                self.assertEqual(data["contents"][0]["item_price"], value)

    def test_discounts_are_spread_so_that_contents_add_up_to_the_value(self):
        data = self.custom_data(
            self.sell(
                {"product_uom_qty": 3, "price_unit": 19.99},
                {"product_id": self.product.id, "price_unit": 7.35, "discount": 33},
                self.coupon_line(-10.0),
                self.delivery_line(4.9),
            )
        )
        self.assertEqual(data["content_ids"], [str(self.lamp.id), str(self.product.id)])
        # Meta wants it of the checkout only.
        self.assertNotIn("num_items", data)
        self.assertAddsUp(data)
        self.assertFalse(
            self.api.send_event("Purchase", custom_data=data).weakness or False
        )

    def test_sections_notes_advances_and_lines_of_nothing_are_no_products(self):
        order = self.sell(
            {"price_unit": 10.0},
            {"product_uom_qty": 0},
            {"price_unit": 0.0, "product_id": self.product.id},
        )
        self.env["sale.order.line"].create(
            [
                {"order_id": order.id, "display_type": kind, "name": kind}
                for kind in ("line_section", "line_note")
            ]
        )
        self.env["sale.order.line"].create(
            {
                "order_id": order.id,
                "product_id": self.delivery_product.id,
                "product_uom_qty": 0,
                "price_unit": 3.0,
                "is_downpayment": True,
            }
        )
        data = self.custom_data(order)
        # A gift is a product, of no price.
        self.assertEqual(
            data["contents"],
            [
                {"id": str(self.lamp.id), "quantity": 1, "item_price": 10.0},
                {"id": str(self.product.id), "quantity": 1, "item_price": 0.0},
            ],
        )
        self.assertEqual(data["value"], 10.0)

    def test_amounts_are_in_the_currency_of_the_order(self):
        yen = self.env.ref("base.JPY")
        yen.active = True
        pricelist = self.env["product.pricelist"].create(
            {"name": "Yen", "currency_id": yen.id}
        )
        order = self.order(pricelist_id=pricelist.id)
        order.order_line.product_uom_qty = 3
        order.order_line.price_unit = 333
        data = self.custom_data(order)
        self.assertEqual((data["currency"], data["value"]), ("JPY", 999))
        self.assertEqual(data["contents"][0]["item_price"], 333)

    def test_products_are_told_by_what_the_catalogue_knows_them_by(self):
        template = self.lamp.product_tmpl_id
        for kind, content_id, content_type in (
            ("product_id", str(self.lamp.id), "product"),
            ("product_tmpl_id", str(template.id), "product_group"),
            ("default_code", "LAMP-1", "product"),
            ("barcode", "4006381333931", "product"),
        ):
            with self.subTest(kind):
                self.parameters.set_param("meta_capi.content_id", kind)
                data = self.custom_data(self.sell({}))
                self.assertEqual(data["content_ids"], [content_id])
                self.assertEqual(data["contents"][0]["id"], content_id)
                self.assertEqual(data["content_type"], content_type)

    def test_a_product_without_the_reference_is_told_by_its_id(self):
        self.parameters.set_param("meta_capi.content_id", "default_code")
        order = self.order()
        self.assertEqual(self.custom_data(order)["content_ids"], [str(self.product.id)])

    # ------------------------------------------------------- invoices and payments

    def test_an_invoice_tells_of_its_products_and_its_customer(self):
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.customer.id,
                "invoice_line_ids": [
                    (
                        0,
                        0,
                        {
                            "product_id": self.lamp.id,
                            "quantity": 2,
                            "price_unit": 10.0,
                            "tax_ids": [(6, 0, self.tax.ids)],
                        },
                    )
                ],
            }
        )
        event = self.api.send_event("Invoiced", origin=invoice)
        self.assertEqual(event.custom_data["value"], 24.0)
        self.assertEqual(event.custom_data["contents"][0]["item_price"], 12.0)
        self.assertIn("em", event.user_data)
        self.assertEqual(event.partner_id, self.customer)

    # ------------------------------------------------------------------ the person

    def user_data(self, **values):
        partner = self.env["res.partner"].create({"name": "Jane Doe", **values})
        return partner._meta_capi_user_data()

    def test_a_persons_name_is_split_and_a_companys_is_not_sent(self):
        person = self.user_data(name="Dr. Jane van Doe (privat)")
        self.assertEqual((person["fn"], person["ln"]), ("Jane", "van Doe"))
        self.assertEqual(self.user_data(name="Jane")["fn"], "Jane")
        self.assertNotIn("ln", self.user_data(name="Jane"))
        company = self.user_data(name="Doe Ltd", is_company=True)
        self.assertFalse({"fn", "ln"} & company.keys())

    def test_both_readings_of_a_name_are_told(self):
        person = self.user_data(name="Mary Ann Smith")
        self.assertEqual(person["fn"], ["Mary Ann", "Mary"])
        self.assertEqual(person["ln"], "Smith")
        person = self.user_data(name="María García López")
        self.assertEqual(person["fn"], "María")
        self.assertEqual(person["ln"], ["García López", "García"])

    def test_the_last_name_comes_first_in_some_countries_and_languages(self):
        country_id = self.env.ref("base.hu").id
        person = self.user_data(name="Nagy István", country_id=country_id)
        self.assertEqual((person["fn"], person["ln"]), ("István", "Nagy"))
        self.env["res.lang"]._activate_lang("hu_HU")
        person = self.user_data(name="Nagy István", lang="hu_HU")
        self.assertEqual((person["fn"], person["ln"]), ("István", "Nagy"))
        person = self.user_data(name="山田\u3000太郎")
        self.assertEqual((person["fn"], person["ln"]), ("太郎", "山田"))

    def test_the_title_of_a_customer_is_no_part_of_the_name(self):
        if "res.partner.title" not in self.env:  # gone in Odoo 19
            return
        title = self.env["res.partner.title"].create({"name": "Baumeister"})
        person = self.user_data(name="Baumeister Hans Müller", title=title.id)
        self.assertEqual((person["fn"], person["ln"]), ("Hans", "Müller"))

    def test_an_address_in_place_of_a_name_is_none(self):
        person = self.user_data(name="jane.doe@example.com")
        self.assertFalse({"fn", "ln"} & person.keys())

    def test_states_are_codes_in_america_and_names_elsewhere(self):
        california = self.env.ref("base.state_us_5")
        data = self.user_data(
            state_id=california.id, country_id=self.env.ref("base.us").id
        )
        self.assertEqual((data["st"], data["country"]), ("CA", "US"))
        wales = self.env.ref("base.state_au_1", raise_if_not_found=False)
        wales = wales or self.env["res.country.state"].search(
            [("country_id.code", "=", "AU")], limit=1
        )
        data = self.user_data(state_id=wales.id, country_id=wales.country_id.id)
        self.assertEqual(data["st"], wales.name)

    def test_both_phone_numbers_are_told_where_there_are_two(self):
        if "mobile" not in self.env["res.partner"]._fields:
            self.assertEqual(
                self.user_data(phone="+1 650 555 1212")["ph"], "+1 650 555 1212"
            )
            return
        data = self.user_data(phone="+1 650 555 1212", mobile="+1 650 555 1313")
        self.assertEqual(data["ph"], ["+1 650 555 1212", "+1 650 555 1313"])

    def test_a_national_number_is_read_in_the_customers_country(self):
        self.customer.write(
            {"country_id": self.env.ref("base.de").id, "phone": "030 901820"}
        )
        event = self.api.send_event("Contact", origin=self.customer)
        self.assertEqual(
            event.user_data["ph"],
            "c03f76216358b07b09a300613908002987efc1ae9a2ef2a85d57d5a971bf821a",
        )
        told = self.api.send_event(
            "Contact", user_data={"ph": "030 901820", "country": "Deutschland"}
        )
        self.assertEqual(told.user_data["ph"], event.user_data["ph"])

    def test_the_countries_of_odoo_are_known_by_their_codes_and_names(self):
        for country in self.env["res.country"].search([]):
            code = {"XI": "GB"}.get(country.code, country.code).lower()
            with self.subTest(country=country.name):
                self.assertEqual(normalize_country(country.code), code)
                self.assertEqual(normalize_country(country.name), code)

    def test_the_states_of_odoo_are_two_letters_in_the_us_and_canada(self):
        states = self.env["res.country.state"].search(
            [("country_id.code", "in", ("US", "CA"))]
        )
        for state in states:
            country = state.country_id.code
            for name in (state.code, state.name, state.display_name):
                with self.subTest(state=name):
                    self.assertEqual(normalize_state(name, country), state.code.lower())

    def test_a_record_with_contact_fields_of_its_own_needs_no_partner(self):
        # mail.mail is what the contact form of a website creates.
        mail = self.env["mail.mail"].create({"email_from": "jane.doe@example.com"})
        event = self.api.send_event("Contact", origin=mail)
        self.assertEqual(event.state, "pending")
        self.assertIn("em", event.user_data)

    def test_names_that_another_addon_keeps_apart_are_told_as_they_are(self):
        names_of = type(self.customer)._meta_capi_names
        for kept, told in (
            ({"firstname": "Jan", "lastname": "van der Berg"}, ("Jan", "van der Berg")),
            ({"firstname": "Jan", "lastname": False}, ("Jan", False)),
            (
                {"firstname": "María", "lastname": "García", "lastname2": "López"},
                ("María", ["García López", "García"]),
            ),
            (
                {"firstname": "María", "lastname": "García", "lastname2": False},
                ("María", "García"),
            ),
        ):
            with self.subTest(kept):
                self.assertEqual(names_of(SimpleNamespace(_fields=kept, **kept)), told)

    def test_fields_are_asked_what_they_point_to(self):
        asked = []

        class Vehicle:
            """A record whose fields are called like a contact's and mean other things."""

            _fields = {
                name: SimpleNamespace(type=kind, comodel_name=comodel, related=related)
                for name, kind, comodel, related in (
                    ("state_id", "many2one", "fleet.vehicle.state", None),
                    ("country_id", "many2one", "a.country", None),
                    ("city", "many2one", "res.city", None),
                    ("zip", "integer", None, None),
                    ("email", "boolean", None, None),
                    ("phone", "one2many", "a.phone", None),
                    ("mobile", "char", None, "partner_id.mobile"),
                    ("contact_name", "html", None, None),
                    ("partner_id", "many2one", "a.partner", None),
                    ("website_id", "many2one", "a.website", None),
                    ("company_id", "many2many", "res.company", None),
                    ("expected_revenue", "char", None, None),
                    ("company_currency", "char", None, None),
                )
            }
            env = self.env
            ensure_one = asked.clear

            def __getitem__(self, name):
                asked.append(name)
                return "anything"

        base = type(self.env["base"])
        names = (
            *("has", "contact", "split_name", "partner", "website", "company"),
            "custom_data",
        )
        for name in names:
            method = f"_meta_capi_{name}"
            setattr(Vehicle, method, getattr(base, method))
        vehicle = Vehicle()
        self.assertEqual(vehicle._meta_capi_contact(), {})
        self.assertFalse(vehicle._meta_capi_partner())
        self.assertFalse(vehicle._meta_capi_website())
        self.assertFalse(vehicle._meta_capi_company())
        self.assertIsNone(vehicle._meta_capi_custom_data("Lead"))
        self.assertFalse(asked)

    # ----------------------------------------------------------------- the settings

    def test_what_is_unticked_is_not_sent_whoever_gives_it(self):
        with Form(self.env["res.config.settings"]) as form:
            self.assertTrue(form.meta_capi_send_email)
            form.meta_capi_send_phone = False
            form.meta_capi_send_name = False
        form.record.execute()
        event = self.api.send_event(
            "Lead", origin=self.customer, user_data={"ph": "+1 650 555 1313"}
        )
        self.assertFalse({"ph", "fn", "ln"} & event.user_data.keys())
        self.assertLessEqual({"em", "zp"}, event.user_data.keys())

    def test_an_event_left_too_broad_by_the_settings_is_not_sent(self):
        self.parameters.set_param("meta_capi.user_data_keys", "ct,st,zp,country")
        event = self.api.send_event("Lead", origin=self.customer)
        self.assertEqual(event.failure_reason, "invalid")
        self.assertIn("user_data", event.error_message)

    def test_somebody_has_to_be_told_of(self):
        settings = self.env["res.config.settings"].create({})
        for name in settings._fields:
            if name.startswith("meta_capi_send_"):
                settings[name] = False
        with self.assertRaises(UserError):
            settings.execute()

    def test_unusable_choices_are_refused_by_name(self):
        for key, value in (
            ("meta_capi.content_id", "sku"),
            ("meta_capi.limited_data_use", "sometimes"),
            ("meta_capi.user_data_keys", "em,email"),
            ("meta_capi.value_includes_tax", "perhaps"),
            ("meta_capi.user_data_retention_days", "many"),
        ):
            with self.subTest(key), self.assertRaisesRegex(UserError, key):
                self.parameters.set_param(key, value)

    def test_the_choices_survive_the_settings_page(self):
        with Form(self.env["res.config.settings"]) as form:
            form.meta_capi_value_includes_tax = False
            form.meta_capi_content_id = "barcode"
            form.meta_capi_limited_data_use = "state"
            form.meta_capi_send_without_browser = False
        form.record.execute()
        config = self.env["meta.capi.config"]
        self.assertFalse(config._get(setting.VALUE_INCLUDES_TAX))
        self.assertTrue(config._get(setting.VALUE_INCLUDES_SHIPPING))
        self.assertEqual(config._get(setting.CONTENT_ID), "barcode")
        self.assertEqual(config._get(setting.LIMITED_DATA_USE), "state")
        self.assertFalse(config._get(setting.SEND_WITHOUT_BROWSER))
        values = self.env["res.config.settings"].get_values()
        self.assertFalse(values["meta_capi_value_includes_tax"])

    def test_the_events_of_the_pages_are_chosen_in_the_settings(self):
        config = self.env["meta.capi.config"]
        self.assertFalse(config._get(setting.BRIDGE_ENABLED))
        with Form(self.env["res.config.settings"]) as form:
            self.assertEqual(form.meta_capi_pixel_mode, "page")
            form.meta_capi_bridge_enabled = True
            form.meta_capi_pixel_mode = "server"
            form.meta_capi_bridge_events = "PageView, AddToCart"
        form.record.execute()
        self.assertTrue(config._get(setting.BRIDGE_ENABLED))
        self.assertEqual(config._get(setting.PIXEL_MODE), "server")
        self.assertEqual(config._get(setting.BRIDGE_EVENTS), ("PageView", "AddToCart"))
        with Form(self.env["res.config.settings"]) as form:
            self.assertTrue(form.meta_capi_bridge_enabled)
            form.meta_capi_bridge_enabled = False
        form.record.execute()
        self.assertFalse(config._get(setting.BRIDGE_ENABLED))

    # ------------------------------------------------------------ limited data use

    def limits(self, **arguments):
        event = self.api.send_event("Lead", **arguments)
        return (
            event.data_processing_options,
            event.data_processing_options_country,
            event.data_processing_options_state,
        )

    def test_data_use_is_limited_never_always_or_by_the_customers_state(self):
        german = self.env["res.partner"].create(
            {
                "name": "Hans",
                "email": "hans@example.com",
                "country_id": self.env.ref("base.de").id,
            }
        )
        for mode, californian_limits, german_limits in (
            ("off", None, None),
            ("always", (["LDU"], 1, 1000), (["LDU"], 0, 0)),
            ("state", (["LDU"], 1, 1000), None),
        ):
            with self.subTest(mode):
                self.parameters.set_param("meta_capi.limited_data_use", mode)
                for partner, expected in (
                    (self.customer, californian_limits),
                    (german, german_limits),
                ):
                    limits = self.limits(origin=partner)
                    self.assertEqual(limits[0] or None, expected and expected[0])
                    if expected:
                        self.assertEqual(limits, expected)

    def test_what_the_caller_says_of_data_use_wins(self):
        self.parameters.set_param("meta_capi.limited_data_use", "always")
        options, _country, _state = self.limits(
            origin=self.customer, data_processing_options=[]
        )
        self.assertEqual(options, [])
