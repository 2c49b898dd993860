import json
import xmlrpc.client
from base64 import b64encode
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO

from PIL import Image

from odoo import fields, models
from odoo.tests import HttpCase, get_db_name, new_test_user, tagged
from odoo.tools import mute_logger

from .common import MetaCapiCase

ADDON = "ih_meta_conversions_api"
API = "meta.conversions.api"
PASSWORD = "a password of its own"
PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"}
# Odoo 19 warns of two entries that Odoo 20 is to drop.
DEPRECATED = (
    "odoo.addons.rpc.controllers.jsonrpc",
    "odoo.addons.rpc.controllers.xmlrpc",
)


class RpcCase(MetaCapiCase, HttpCase):
    """A shop whose users call it over HTTP."""

    def json_rpc(self, url, params):
        """Return the result of a JSON-RPC call, or raise what it answers instead."""
        response = self.url_open(
            url,
            data=json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}),
            headers={"Content-Type": "application/json"},
        )
        answer = response.json()
        if "error" in answer:
            raise RpcError(answer["error"]["data"]["name"], response.text)
        return answer["result"]

    def call_kw(self, model, method, args=(), kwargs=None, *, button=False):
        return self.json_rpc(
            "/web/dataset/call_button" if button else "/web/dataset/call_kw",
            {"model": model, "method": method, "args": args, "kwargs": kwargs or {}},
        )


class RpcError(Exception):
    @property
    def name(self):
        return self.args[0].rpartition(".")[2]


@tagged("post_install", "-at_install", "requests")
class TestRpc(RpcCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.portal = cls.user("customer", "base.group_portal")
        cls.internal = cls.user("employee", "base.group_user")
        cls.arguments = {"event_name": "Lead", "user_data": {"em": "jane@example.com"}}

    @classmethod
    def user(cls, login, groups):
        return new_test_user(
            cls.env, login, groups=groups, password=PASSWORD, email=f"{login}@a.com"
        )

    # Each entry: call a method of the API as the user, with these keyword arguments.

    def over_call_kw(self, user, method, kwargs):
        self.authenticate(user.login, PASSWORD)
        return self.call_kw(API, method, [], kwargs)

    def over_call_kw_positional(self, user, method, kwargs):
        self.authenticate(user.login, PASSWORD)
        return self.call_kw(API, method, self.positional(kwargs))

    def over_call_button(self, user, method, kwargs):
        # Its answer is an action, or False where there is none.
        self.authenticate(user.login, PASSWORD)
        before = self.env["meta.capi.event"].search([])
        self.call_kw(API, method, self.positional(kwargs), button=True)
        return (self.env["meta.capi.event"].search([]) - before).ids

    def over_jsonrpc(self, user, method, kwargs):
        self.authenticate(None, None)
        args = [get_db_name(), user.id, PASSWORD, API, method, [], kwargs]
        return self.json_rpc(
            "/jsonrpc", {"service": "object", "method": "execute_kw", "args": args}
        )

    def over_jsonrpc_execute(self, user, method, kwargs):
        self.authenticate(None, None)
        args = [get_db_name(), user.id, PASSWORD, API, method, *self.positional(kwargs)]
        return self.json_rpc(
            "/jsonrpc", {"service": "object", "method": "execute", "args": args}
        )

    def over_xmlrpc(self, user, method, kwargs):
        self.authenticate(None, None)
        args = get_db_name(), user.id, PASSWORD, API, method, [], kwargs
        response = self.url_open(
            "/xmlrpc/2/object",
            data=xmlrpc.client.dumps(args, "execute_kw"),
            headers={"Content-Type": "text/xml"},
        )
        try:
            (result,), _method = xmlrpc.client.loads(response.content)
        except xmlrpc.client.Fault as fault:
            names = {4: "AccessError", 3: "AccessDenied"}
            raise RpcError(names.get(fault.faultCode, "other"), str(fault)) from fault
        return result

    def over_json_2(self, user, method, kwargs):
        self.authenticate(None, None)
        key = (
            self.env["res.users.apikeys"]
            .with_user(user)
            ._generate(None, "test", fields.Datetime.now() + timedelta(hours=1))
        )
        response = self.url_open(
            f"/json/2/{API}/{method}",
            data=json.dumps(kwargs),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {key}",
            },
        )
        answer = response.json()
        if response.status_code != 200:
            raise RpcError(answer["name"], response.text)
        return answer

    def positional(self, kwargs):
        if "events" in kwargs:
            return [kwargs["events"]]
        return [kwargs["event_name"], None, None, kwargs["user_data"]]

    def entries(self):
        yield self.over_call_kw
        yield self.over_call_kw_positional
        yield self.over_call_button
        yield self.over_jsonrpc
        yield self.over_jsonrpc_execute
        yield self.over_xmlrpc
        if self.env["ir.module.module"]._get("rpc").state == "installed":
            yield self.over_json_2  # since Odoo 19

    def calls(self):
        for entry in self.entries():
            yield entry, "send_event", self.arguments
            yield entry, "send_events", {"events": [self.arguments, self.arguments]}

    @contextmanager
    def overriding(self):
        """Let another module override both methods, as ``_inherit`` does.

        Gives the list of the calls that reach it.
        """
        calls = []

        class Override:
            def send_event(self, *args, **kwargs):
                calls.append("send_event")
                return super().send_event(*args, **kwargs)

            def send_events(self, events):
                calls.append("send_events")
                return super().send_events(events)

        registry_class = type(self.api)
        bases = registry_class.__bases__
        registry_class.__bases__ = (Override, *bases)
        self.api._unregister_hook()
        self.api._register_hook()
        try:
            yield calls
        finally:
            registry_class.__bases__ = bases

    @mute_logger("odoo.http", *DEPRECATED)
    def test_an_override_of_another_module_lets_no_portal_user_in(self):
        with self.overriding() as calls:
            self.test_a_portal_user_is_refused_at_every_entry()
            self.test_an_internal_user_gets_the_ids_back_at_every_entry()
            event = self.api.with_user(self.portal).send_event("Lead", event_id="local")
            self.assertEqual(event.sudo().event_id, "local")
        self.assertGreater(len(calls), len(list(self.calls())))

    @mute_logger("odoo.http", *DEPRECATED)
    def test_a_portal_user_is_refused_at_every_entry(self):
        for entry, method, kwargs in self.calls():
            with self.subTest(entry=entry.__name__, method=method):
                with self.assertRaises(RpcError) as refusal:
                    entry(self.portal, method, kwargs)
                self.assertEqual(refusal.exception.name, "AccessError")
                self.assertIn("not over RPC", str(refusal.exception))
        self.assertFalse(self.env["meta.capi.event"].search([]))

    @mute_logger(*DEPRECATED)
    def test_an_internal_user_gets_the_ids_back_at_every_entry(self):
        events = self.env["meta.capi.event"]
        for entry, method, kwargs in self.calls():
            with self.subTest(entry=entry.__name__, method=method):
                before = events.search([])
                ids = entry(self.internal, method, kwargs)
                recorded = events.search([]) - before
                self.assertEqual(len(recorded), len(kwargs.get("events", [1])))
                self.assertCountEqual(ids, recorded.ids)
                self.assertEqual(recorded.create_uid, self.internal)
                self.assertEqual(set(recorded.mapped("state")), {"pending"})

    def test_garbage_over_rpc_is_an_invalid_row(self):
        self.authenticate(self.internal.login, PASSWORD)
        for kwargs in (
            {"event_name": {"a": [1]}, "user_data": 7},
            {"event_name": "Lead", "origin": 5},
            {"event_name": "Lead", "website": 1},
        ):
            ids = self.call_kw(API, "send_event", [], kwargs)
            event = self.env["meta.capi.event"].browse(ids)
            self.assertEqual(event.failure_reason, "invalid")

    def test_a_client_cannot_claim_to_be_an_action(self):
        self.authenticate(self.internal.login, PASSWORD)
        order = self.order()
        for origin in (
            ["sale.order", [order.id]],
            {"model": "sale.order", "ids": [order.id]},
        ):
            context = {
                "meta_capi_origin": origin,
                "active_model": "sale.order",
                "active_id": order.id,
                "active_ids": order.ids,
            }
            ids = self.call_kw(
                API, "send_event", [], {**self.arguments, "context": context}
            )
            self.assertFalse(self.env["meta.capi.event"].browse(ids).res_id)

    def test_nothing_else_of_ours_can_be_called(self):
        offered = {
            "meta.conversions.api": {"send_event", "send_events"},
            "meta.capi.event": {
                "action_send_now",
                "action_retry",
                "action_cancel",
                "action_open_document",
                "action_open_jobs",
                "action_open_money_back",
                "action_open_pixel",
            },
            "meta.capi.pixel": {
                "action_try_again",
                "action_move_events",
                "action_open_events",
                "action_open_events_manager",
                "action_ask_quality",
                "action_open_quality",
            },
            "meta.capi.quality": {"advice"},
            "meta.capi.retry": {"action_retry"},
            "meta.capi.overview": {
                "get_dashboard",
                "get_orders_action",
                "get_missing_action",
            },
            "meta.capi.backfill": {
                "action_count",
                "action_send",
                "action_stop",
                "action_go_on",
            },
            "meta.capi.backfill.result": {"action_open_documents"},
        }
        ours = [name for name in self.env if name.startswith("meta.")]
        self.assertGreater(len(ours), 12)
        for name in ours:
            model = type(self.env[name])
            public = {
                attribute
                for attribute in dir(model)
                if not attribute.startswith("_")
                and attribute not in self.env[name]._fields
                and not hasattr(models.BaseModel, attribute)
                and ADDON in getattr(getattr(model, attribute), "__module__", "")
            }
            with self.subTest(name):
                self.assertEqual(public, offered.get(name, set()))

    # ------------------------------------------------------ code that runs for them

    def test_code_that_runs_for_a_portal_user_may_record(self):
        for user in (self.portal, self.env.ref("base.public_user")):
            api = self.env(user=user)[API]
            event = api.send_event("Lead", user_data={"external_id": str(user.id)})
            self.assertEqual(event.sudo().state, "pending")
            events = api.send_events(
                [{"event_name": "Lead", "user_data": {"em": "a@b.de"}}]
            )
            self.assertEqual(events.sudo().state, "pending")

    def test_a_portal_customer_who_signs_the_quotation_records_the_purchase(self):
        self.env.ref("ih_meta_conversions_api.automation_purchase").active = True
        image = BytesIO()
        Image.new("RGB", (1, 1)).save(image, "PNG")
        for login in (self.portal.login, None):
            order = self.order(
                partner_id=self.portal.partner_id.id,
                require_signature=True,
                require_payment=False,
            )
            order.action_quotation_sent()
            self.authenticate(login, login and PASSWORD)
            self.json_rpc(
                f"/my/orders/{order.id}/accept",
                {
                    "access_token": order._portal_ensure_token(),
                    "name": "Jane",
                    "signature": b64encode(image.getvalue()).decode(),
                },
            )
            self.assertEqual(order.state, "sale")
            event = self.env["meta.capi.event"].search([("res_id", "=", order.id)])
            self.assertEqual((event.event_name, event.state), ("Purchase", "pending"))

    def test_a_visitor_of_the_website_may_set_off_an_event(self):
        actions = self.env["ir.actions.server"]
        visitors = self.env.ref("base.group_public") | self.env.ref("base.group_portal")
        actions.create(
            {
                "name": "Visit",
                "group_ids"
                if "group_ids" in actions._fields
                else "groups_id": visitors,
                "model_id": self.env["ir.model"]._get("website").id,
                "state": "code",
                "website_published": True,
                "website_path": "visit",
                "code": f"env['{API}'].send_event('Lead', user_data="
                "{'external_id': 'visitor'})\n"
                "response = request.make_response('done')",
            }
        )
        for login in (None, self.portal.login):
            self.authenticate(login, login and PASSWORD)
            before = self.env["meta.capi.event"].search([])
            answer = self.url_open("/website/action/visit", headers=PERSON)
            self.assertEqual(answer.text, "done")
            event = self.env["meta.capi.event"].search([]) - before
            self.assertEqual(event.state, "pending")
            self.assertEqual(event.action_source, "website")
            self.assertEqual(event.website_id, self.website)
            self.assertIn("/website/action/visit", event.event_source_url)
            self.assertIn("client_user_agent", event.user_data)
