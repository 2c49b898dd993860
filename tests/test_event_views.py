from datetime import datetime, timedelta

from dateutil.relativedelta import relativedelta

from odoo.tests import tagged
from odoo.tools.safe_eval import datetime as safe_datetime
from odoo.tools.safe_eval import safe_eval

from .common import MetaCapiCase, set_values


@tagged("post_install", "-at_install")
class TestEventViews(MetaCapiCase):
    """The log as it opens, and what is found in it."""

    def domain(self, path, attribute, values):
        view = self.env.ref("ih_meta_conversions_api.meta_capi_event_view_search")
        text = view._get_combined_arch().find(path).get(attribute)
        return safe_eval(text.replace(".to_utc()", ""), values)

    def test_what_is_typed_finds_an_order_a_customer_and_an_event(self):
        order = self.order()
        event = self.record(event_name="Purchase", origin=order)
        other = self.record(event_name="Lead")
        for text in (order.name, self.customer.name, "purch"):
            with self.subTest(text):
                domain = self.domain(".//field[1]", "filter_domain", {"self": text})
                found = self.env["meta.capi.event"].search(domain)
                self.assertIn(event, found)
                self.assertNotIn(other, found)

    def test_what_is_not_sent_is_shown_however_old_it_is(self):
        domain = self.domain(
            ".//filter[@name='week']",
            "domain",
            {
                "datetime": safe_datetime,
                "relativedelta": relativedelta,
                "context_today": lambda: datetime.now().date(),
            },
        )
        for state, days, is_shown in (
            *(("sent", 1, True), ("sent", 8, False), ("cancelled", 8, False)),
            *(("failed", 8, True), ("pending", 8, True)),
        ):
            with self.subTest(state, days=days):
                event = self.record()
                happened = datetime.now() - timedelta(days=days)
                set_values(event, state=state, event_time=happened)
                found = self.env["meta.capi.event"].search(domain)
                self.assertEqual(event in found, is_shown)

    def test_values_in_different_currencies_are_not_added_up(self):
        field = self.env["meta.capi.event"].fields_get(["value"])["value"]
        self.assertFalse(field.get("group_operator") or field.get("aggregator"))
