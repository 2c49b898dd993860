from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from ..capi.quality import EventQuality, KeyFeedback
from .test_dashboard import DashboardCase


@tagged("post_install", "-at_install")
class TestDashboardQuality(DashboardCase):
    """What Meta thinks, beside what we know ourselves."""

    def tell(self, *events, days_ago=0, pixel_id=None):
        """Keep what Meta told some days ago."""
        qualities = self.env["meta.capi.quality"]
        qualities._keep(pixel_id or self.pixel_id, events)
        today = fields.Datetime.now().date()
        told = qualities.search([("date", "=", today)])
        told.date = today - timedelta(days=days_ago)
        self.env.flush_all()

    def values(self, **values):
        """Return the values of the chart by the event's name."""
        series = self.chart("quality", **values)["series"]
        return {each["label"]: each["values"] for each in series}

    def test_a_score_that_meta_did_not_tell_is_not_0(self):
        self.tell(EventQuality("Lead", score=6.1), days_ago=2)
        self.tell(EventQuality("Purchase", score=8.25), days_ago=1)
        self.tell(EventQuality("Purchase", score=None), EventQuality("Lead", score=6.4))
        chart = self.chart("quality")
        self.assertEqual(
            [(each["label"], each["values"]) for each in chart["series"]],
            [
                ("Purchase", [None] * 5 + [8.25, None]),
                ("Lead", [None] * 4 + [6.1, None, 6.4]),
            ],
        )
        self.assertEqual(chart["slices"][-1]["date"], str(fields.Date.today()))

    def test_each_point_leads_to_what_meta_told_that_day(self):
        self.tell(EventQuality("Purchase", score=7.0), days_ago=1)
        self.tell(EventQuality("Purchase", score=8.0))
        chart = self.chart("quality")
        found = self.env["meta.capi.quality"].search(
            [
                *chart["domain"],
                ("event_name", "=", chart["series"][0]["label"]),
                ("date", "=", chart["slices"][-2]["date"]),
            ]
        )
        self.assertEqual(found.event_match_quality, 7.0)

    def test_scores_of_different_pixels_are_not_mixed(self):
        other = self.env["meta.capi.pixel"]._get("2000002")
        self.tell(EventQuality("Purchase", score=3.0), pixel_id="2000002", days_ago=1)
        self.assertEqual(self.values(), {})
        self.assertIn("Meta has told nothing yet", self.chart("quality")["empty"])
        self.assertEqual(self.values(pixel=other.id)["Purchase"][-2], 3.0)

    def test_today_is_shown_with_the_days_before_as_meta_is_asked_once_a_day(self):
        self.tell(EventQuality("Purchase", score=8.0), days_ago=3)
        self.assertEqual(
            self.values(days=1)["Purchase"], [None] * 3 + [8.0] + [None] * 3
        )

    def test_the_match_keys_are_beside_those_that_meta_sees(self):
        self.assertIsNone(self.dashboard()["keys"]["told"])
        keys = KeyFeedback("em", 96.4), KeyFeedback("ph", None)
        self.tell(EventQuality("Purchase", keys=keys))
        found = self.dashboard()["keys"]
        self.assertIn(self.pixel_id, found["told"])
        texts = {row["key"]: row["meta_text"] for row in found["rows"]}
        self.assertEqual(texts["em"], "96%")
        self.assertEqual((texts["ph"], texts["fbp"]), ("not told", "not told"))
        self.assertIsNone(self.dashboard(event_name="Lead")["keys"]["told"])

    def test_each_advice_leads_to_where_it_can_be_followed(self):
        self.assertEqual(self.dashboard()["advice"], [])
        self.tell(EventQuality("Purchase", keys=(KeyFeedback("ph", 10.0, 18.4),)))
        (advice,) = self.dashboard()["advice"]
        self.assertIn("18.4%", advice["text"])
        self.assertTrue(advice["button"] and advice["action"])

    def test_an_advice_about_the_settings_has_a_button_for_those_who_may_open_them(
        self,
    ):
        self.parameters.set_param("meta_capi.user_data_keys", "em")
        self.tell(EventQuality("Purchase", keys=(KeyFeedback("ph", 10.0, 18.4),)))
        (advice,) = self.dashboard()["advice"]
        self.assertIn("switched off in the settings", advice["text"])
        self.assertFalse(advice["button"])
        overview = self.env["meta.capi.overview"]
        (advice,) = overview.get_dashboard()["advice"]
        self.assertEqual(advice["button"], "Open the settings")
