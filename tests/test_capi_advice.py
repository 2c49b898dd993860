import doctest

from ..capi import advice as advice_module
from ..capi.advice import MAX_ADVICE, Kind, Place, advise
from ..capi.quality import Diagnostic, EventQuality, KeyFeedback

try:
    from odoo.tests import BaseCase
except ImportError:
    from unittest import TestCase as BaseCase

KEYS = ("em", "ph", "fbp")


def fault(name, percentage=None):
    return Diagnostic(name, f"About {name}", "Mend it", percentage)


class TestAdvice(BaseCase):
    def advise(self, *events, own=None, keys=KEYS, withheld=()):
        return advise(events, own or {}, keys=keys, withheld=withheld)

    def test_the_doctests_hold(self):
        self.assertEqual(doctest.testmod(advice_module).failed, 0)

    def test_where_all_is_well_or_nothing_is_told_there_is_none(self):
        good = EventQuality(
            "Purchase",
            score=9.0,
            keys=(KeyFeedback("em", 100.0, 40.0), KeyFeedback("ph", 80.0, 0.4)),
            coverage=75.0,
            coverage_goal=75.0,
            browser_with_id=99.6,
            server_with_id=100.0,
            freshness="real_time",
        )
        self.assertEqual(self.advise(good, EventQuality("Lead")), [])
        self.assertEqual(self.advise(), [])

    def test_each_fault_has_its_advice_and_its_place(self):
        for event, kind, place in (
            (
                EventQuality("Lead", diagnostics=(fault("a"),)),
                Kind.DIAGNOSTIC,
                Place.EVENTS_MANAGER,
            ),
            (
                EventQuality("Lead", keys=(KeyFeedback("em", 20.0, 5.0),)),
                Kind.KEY,
                Place.EVENTS_WITHOUT_KEY,
            ),
            (
                EventQuality("Lead", keys=(KeyFeedback("em", None, 5.0),)),
                Kind.KEY,
                Place.EVENTS_WITHOUT_KEY,
            ),
            (
                EventQuality("Lead", coverage=74.9, coverage_goal=75.0),
                Kind.COVERAGE,
                Place.PAGE_SETTINGS,
            ),
            (EventQuality("Lead", browser_with_id=0.0), Kind.EVENT_ID, None),
            (EventQuality("Lead", server_with_id=50.0), Kind.EVENT_ID, None),
            (
                EventQuality("Lead", freshness="daily"),
                Kind.FRESHNESS,
                Place.PENDING_EVENTS,
            ),
        ):
            with self.subTest(event):
                [advice] = self.advise(event)
                self.assertIs(advice.kind, kind)
                self.assertIs(advice.place, place or Place.PAGE_SETTINGS)
                self.assertEqual(advice.event_names, ("Lead",))
                self.assertIs(advice.worst, event)

    def test_the_most_worth_comes_first_and_there_are_five_at_most(self):
        events = (
            EventQuality("A", freshness="hourly", server_with_id=10.0),
            EventQuality("B", coverage=1.0, coverage_goal=75.0),
            EventQuality(
                "C", keys=(KeyFeedback("ph", 10.0, 7.0), KeyFeedback("em", 10.0, 60.0))
            ),
            EventQuality("D", diagnostics=(fault("few", 2.0), fault("many", 90.0))),
        )
        found = self.advise(*events)
        self.assertEqual(
            [(advice.kind, advice.key) for advice in found],
            [
                (Kind.DIAGNOSTIC, ""),
                (Kind.DIAGNOSTIC, ""),
                (Kind.KEY, "em"),
                (Kind.KEY, "ph"),
                (Kind.COVERAGE, ""),
            ],
        )
        self.assertEqual(found[0].diagnostic.name, "many")
        self.assertEqual(len(found), MAX_ADVICE)
        self.assertEqual(
            [advice.kind for advice in self.advise(*events[:2])],
            [Kind.COVERAGE, Kind.EVENT_ID, Kind.FRESHNESS],
        )

    def test_a_fault_of_several_events_is_told_once_with_the_worst_first(self):
        found = self.advise(
            EventQuality(
                "A", diagnostics=(fault("x", 5.0),), coverage=70.0, coverage_goal=75.0
            ),
            EventQuality(
                "B", diagnostics=(fault("x", 9.0),), coverage=10.0, coverage_goal=75.0
            ),
            EventQuality("C", keys=(KeyFeedback("em", 1.0, 5.0),)),
            EventQuality("Purchase", keys=(KeyFeedback("em", 1.0, 5.0),)),
        )
        self.assertEqual(
            [advice.event_names for advice in found],
            [("B", "A"), ("Purchase", "C"), ("B", "A")],
        )
        self.assertEqual(found[0].diagnostic.percentage, 9.0)

    def test_a_key_is_told_beside_our_own_share_of_it(self):
        event = EventQuality("Lead", keys=(KeyFeedback("em", 20.0, 58.96),))
        for own, share in (
            ({"Lead": {"em": 12.0}}, 12.0),
            ({"Lead": {}}, 0.0),
            ({}, None),
        ):
            with self.subTest(own=own):
                [advice] = self.advise(event, own=own)
                self.assertEqual(advice.gain, 58.96)
                self.assertEqual(advice.own_share, share)

    def test_a_key_that_is_switched_off_leads_to_the_settings(self):
        event = EventQuality("Lead", keys=(KeyFeedback("em", 0.0, 9.0),))
        [advice] = self.advise(event, withheld={"em"})
        self.assertIs(advice.place, Place.DATA_SETTINGS)

    def test_a_key_that_a_shop_cannot_send_is_no_advice(self):
        event = EventQuality("Lead", keys=(KeyFeedback("shoe_size", 0.0, 90.0),))
        self.assertEqual(self.advise(event), [])
