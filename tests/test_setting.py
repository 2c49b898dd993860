import re
from pathlib import Path

from odoo.tests import tagged

from ..capi.errors import InvalidParameter
from ..capi.quality import KEYS
from ..models.settings import setting
from .common import MetaCapiCase

OPERATOR = Path(__file__).parent.parent / "docs/operator.md"
# Of each kind: what is stored of a text, or None where it is refused, and what is read.
TABLE = (
    (setting.PIXEL_ID, " 123 ", "123", "123"),
    (setting.PIXEL_ID, "12a", None, None),
    (setting.PIXEL_ID, "\u0661\u0662", None, None),
    (setting.PIXEL_ID, "", "", ""),
    (setting.EXTRA_PIXEL_IDS, "1, 2 ,", "1,2", ("1", "2")),
    (setting.EXTRA_PIXEL_IDS, "1;2", None, None),
    (setting.EXTRA_PIXEL_IDS, "", "", ()),
    (setting.BRIDGE_EVENTS, "Lead, Contact", "Lead, Contact", ("Lead", "Contact")),
    (setting.BRIDGE_EVENTS, "", "", setting.STANDARD_EVENTS),
    (setting.BRIDGE_EVENTS, "x" * 101, None, None),
    (setting.USER_DATA_KEYS, "em,ph", "em,ph", ("em", "ph")),
    (setting.USER_DATA_KEYS, "em,password", None, None),
    (setting.ACCESS_TOKEN, " EAAB ", "EAAB", "EAAB"),
    (setting.ACCESS_TOKEN, "EA AB", None, None),
    (setting.ACCESS_TOKEN, "12345", None, None),
    (setting.APP_SECRET, "12345", "12345", "12345"),
    (setting.APP_SECRET, "\u00e4bc", None, None),
    (setting.TEST_EVENT_CODE, "TEST1", "TEST1", "TEST1"),
    (setting.TEST_EVENT_CODE, "TEST 1", None, None),
    (setting.API_VERSION, "", "", setting.API_VERSION.default),
    (setting.API_VERSION, "26", None, None),
    (setting.GRAPH_URL, "http://graph.example.com", None, None),
    (setting.GRAPH_URL, "", "", setting.GRAPH_URL.default),
    (setting.BATCH_DELAY, "7", "7", 7),
    (setting.BATCH_DELAY, "soon", None, None),
    (setting.BATCH_DELAY, "", "", 5),
    (setting.RETENTION_DAYS, "-1", "-1", -1),
    (setting.CONTENT_ID, "barcode", "barcode", "barcode"),
    (setting.CONTENT_ID, "colour", None, None),
    (setting.CONTENT_ID, "", "", "product_id"),
    (setting.CONTENT_ID, "product_feed", "product_feed", "product_feed"),
    (setting.VALUE, "", "", "total"),
    (setting.VALUE, "margin", "margin", "margin"),
    (setting.VALUE, "turnover", None, None),
    (setting.NET_REVENUE, "", "", False),
    (setting.NET_REVENUE, "1", "1", True),
    (setting.CUSTOMER_SEGMENTATION, "", "", False),
    (setting.PURCHASE_TRIGGER, "delivered", "delivered", "delivered"),
    (setting.ENABLED, "true", "true", True),
    (setting.ENABLED, "on", "on", False),
    (setting.ENABLED, "", "", False),
    (setting.VALUE_INCLUDES_TAX, "", "", True),
    (setting.VALUE_INCLUDES_TAX, "0", "0", False),
    (setting.VALUE_INCLUDES_TAX, "perhaps", None, None),
)
# What is read of a text that was stored past the checks.
UNREADABLE = (
    (setting.BATCH_DELAY, "soon", 5),
    (setting.BATCH_DELAY, "-3", 0),
    (setting.CONTENT_ID, "colour", "product_id"),
    (setting.VALUE, "turnover", "total"),
    (setting.CUSTOMER_SEGMENTATION, "perhaps", False),
    (setting.PIXEL_MODE, "both", "page"),
    (setting.LIMITED_DATA_USE, "some", "always"),
    (setting.CONSENT_SOURCE, "somebody", "external"),
    (setting.VALUE_INCLUDES_TAX, "perhaps", True),
)


@tagged("post_install", "-at_install")
class TestSetting(MetaCapiCase):
    """What is declared of a setting holds wherever the setting is met."""

    def test_each_kind_stores_and_reads_what_it_takes_and_names_what_it_refuses(self):
        for declared, text, stored, value in TABLE:
            with self.subTest(declared.key, text=text):
                if stored is None:
                    with self.assertRaisesRegex(InvalidParameter, declared.name):
                        declared.check(text)
                else:
                    self.assertEqual(declared.check(text), stored)
                    self.assertEqual(declared.parse(stored), value)

    def test_what_cannot_be_read_counts_as_the_more_careful_of_two(self):
        for declared, text, value in UNREADABLE:
            with self.subTest(declared.key, text=text):
                self.assertEqual(declared.parse(text), value)

    def test_each_key_of_user_data_has_a_name_in_metas_view_of_the_quality(self):
        """So that Meta's figures and ours can be put side by side."""
        same = {"external_id", "fbc", "fbp", "country"}
        for key in setting.USER_DATA_KEYS.choices:
            with self.subTest(key):
                self.assertIn(key, {*KEYS.values(), *same})

    def test_each_with_a_label_is_a_field_of_the_settings_with_that_label(self):
        fields = self.env["res.config.settings"]._fields
        for declared in setting.ALL:
            if declared.label:
                with self.subTest(declared.key):
                    self.assertEqual(fields[declared.field_name].string, declared.label)

    def test_a_number_may_be_given_to_a_website_for_an_id(self):
        self.website.meta_capi_pixel_id = False
        self.website.write({"meta_capi_pixel_id": 1234567890})
        self.assertEqual(self.website.meta_capi_pixel_id, "1234567890")

    def test_what_a_website_may_have_of_its_own_is_a_field_for_administrators(self):
        fields = self.env["website"]._fields
        for declared in setting.ALL:
            with self.subTest(declared.key):
                self.assertEqual(declared.is_per_website, declared.field_name in fields)
                if declared.is_per_website:
                    field = fields[declared.field_name]
                    self.assertEqual(field.groups, "base.group_system")
                    self.assertFalse(field.copy)


@tagged("post_install", "-at_install")
class TestTableOfSettings(MetaCapiCase):
    """The operator's table of System Parameters."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text = OPERATOR.read_text(encoding="utf-8")
        table = cls.text.partition("\n## System parameters\n")[2]
        rows = re.findall(
            r"^\| `(meta_capi\.\w+)` \| (.*?) \| *(.*?) *\|$", table, re.M
        )
        cls.rows = {key: (default, told) for key, default, told in rows}

    def test_it_has_each_setting_and_no_other(self):
        self.assertEqual(set(self.rows), set(setting.BY_KEY))

    def test_the_defaults_are_those_of_the_code(self):
        for declared in setting.ALL:
            default, told = self.rows[declared.key]
            with self.subTest(declared.key):
                if isinstance(declared, setting.Switch):
                    self.assertEqual(default, "on" if declared.default else "off")
                elif isinstance(declared.default, tuple):
                    self.assertIn("all", default)
                elif declared.default:
                    self.assertEqual(default, f"`{declared.default}`")
                else:
                    self.assertIn(default, ("\u2013", "all"))
                for choice in getattr(declared, "choices", ()):
                    if isinstance(declared, setting.Choice):
                        self.assertIn(f"`{choice}`", default + told)

    def test_what_a_website_may_have_of_its_own_is_told(self):
        for declared in setting.PER_WEBSITE:
            with self.subTest(declared.key):
                self.assertIn(f"`{declared.field_name}`", self.text)
