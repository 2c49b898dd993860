from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..capi.quality import EventQuality
from .common import MetaCapiCase
from .test_rpc import PASSWORD, RpcCase, RpcError

MODULE = "ih_meta_conversions_api"
LOG = ("meta.capi.event", "meta.capi.attempt", "meta.capi.pixel", "meta.capi.quality")
# Who they are, and what they may do with the log.
USERS = {
    "public": ("base.group_public", set()),
    "portal": ("base.group_portal", set()),
    "employee": ("base.group_user", set()),
    "designer": ("website.group_website_designer", set()),
    "salesperson": ("sales_team.group_sale_salesman_all_leads", set()),
    "reader": (f"{MODULE}.group_meta_capi_user", {"read"}),
    "manager": (
        f"{MODULE}.group_meta_capi_manager",
        {"read", "action_retry", "action_cancel", "action_send_now"},
    ),
    "administrator": (
        "base.group_system",
        {"read", "action_retry", "action_cancel", "action_send_now"},
    ),
}


def may(function):
    try:
        function()
    except AccessError:
        return False
    return True


@tagged("post_install", "-at_install")
class TestAccess(MetaCapiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            name: new_test_user(cls.env, f"the-{name}", groups=groups)
            for name, (groups, _rights) in USERS.items()
        }

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model")
    def test_everybody_may_do_what_the_groups_say_and_no_more(self):
        self.deliver_one()
        for name, user in self.users.items():
            _groups, rights = USERS[name]
            for right in ("read", "action_retry", "action_cancel", "action_send_now"):
                with self.subTest(user=name, right=right):
                    failed = right == "action_retry"
                    event = self.record(event_name="Purchase" if failed else "Lead")
                    event = event.with_user(user)
                    self.assertEqual(may(getattr(event, right)), right in rights)
            for model in LOG:
                records = self.env[model].search([]).with_user(user)
                with self.subTest(user=name, model=model):
                    self.assertEqual(may(records.read), "read" in rights)
                    self.assertEqual(
                        may(lambda: records.search([], limit=1)), "read" in rights
                    )

    def deliver_one(self):
        self.record()
        self.deliver()
        self.env["meta.capi.quality"]._keep(self.pixel_id, [EventQuality("Lead")])

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model")
    def test_nobody_writes_creates_or_deletes_by_hand(self):
        self.deliver_one()
        for name, user in self.users.items():
            for model in LOG:
                record = self.env[model].search([], limit=1).with_user(user)
                self.assertTrue(record)
                for way in (
                    lambda: record.write({"pixel_id": "1"}),
                    lambda: record.create({"pixel_id": "1"}),
                    record.unlink,
                    record.copy,
                ):
                    with self.subTest(user=name, model=model):
                        self.assertFalse(may(way))

    def test_everybody_records_from_code(self):
        for name, user in self.users.items():
            with self.subTest(user=name):
                event = self.env(user=user)["meta.conversions.api"].send_event(
                    "Lead", user_data={"external_id": name}
                )
                self.assertEqual(event.sudo().state, "pending")
                self.assertEqual(event.sudo().create_uid, user)

    def test_events_of_other_companies_are_hidden(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        order = self.order(company_id=company.id, website_id=False)
        theirs, ours = self.record(origin=order), self.record()
        self.assertEqual(theirs.company_id, company)
        manager = self.users["manager"]
        events = self.env["meta.capi.event"].with_user(manager)
        self.assertEqual(events.search([("id", "in", (theirs + ours).ids)]), ours)
        for action in ("read", "action_cancel", "action_send_now"):
            self.env.invalidate_all()
            with self.assertRaises(AccessError):
                getattr(theirs.with_user(manager), action)()
        self.assertEqual(theirs.state, "pending")
        # Nor do the ones they travelled with tell of them.
        self.deliver()
        self.assertEqual(theirs.state, "sent")
        self.env.invalidate_all()
        attempt = theirs.attempt_ids.with_user(manager)
        self.assertEqual(attempt.event_ids, ours)
        manager.company_ids += company
        self.assertIn(
            theirs,
            events.with_context(allowed_company_ids=manager.company_ids.ids).search([]),
        )

    def test_the_order_shows_its_count_to_a_salesperson_and_no_more(self):
        order = self.order()
        self.record(origin=order)
        order = order.with_user(self.users["salesperson"])
        self.assertEqual(order.meta_capi_event_count, 1)
        kept = self.env["meta.capi.browser"].with_user(self.users["salesperson"])
        with self.assertRaises(AccessError):
            kept.search([])


@tagged("post_install", "-at_install", "requests")
class TestAccessOverRpc(RpcCase):
    @mute_logger("odoo.http", "odoo.models", "odoo.addons.base.models.ir_model")
    def test_an_administrator_writes_nothing_by_hand_over_rpc(self):
        self.record()
        self.deliver()
        self.env["meta.capi.quality"]._keep(self.pixel_id, [EventQuality("Lead")])
        boss = new_test_user(
            self.env, "boss", groups="base.group_system", password=PASSWORD
        )
        self.authenticate(boss.login, PASSWORD)
        for model in LOG:
            ids = self.env[model].search([], limit=1).ids
            for method, args in (
                ("write", [ids, {"pixel_id": "1"}]),
                ("web_save", [ids, {"pixel_id": "1"}, {}]),
                ("create", [{"pixel_id": "1"}]),
                ("unlink", [ids]),
                ("copy", [ids]),
                ("load", [["pixel_id"], [["1"]]]),
            ):
                with self.subTest(model=model, method=method):
                    try:
                        answer = self.call_kw(model, method, args)
                    except RpcError as refusal:
                        self.assertEqual(refusal.name, "AccessError")
                    else:
                        self.assertEqual(method, "load")
                        self.assertFalse(answer["ids"])
        self.assertEqual(self.env["meta.capi.event"].search([]).state, "sent")
