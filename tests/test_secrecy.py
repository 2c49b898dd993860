import json
import logging

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import get_db_name, new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..dev.sandbox import error, http
from ..models.common import redaction
from .common import VisitCase
from .test_rpc import DEPRECATED, PASSWORD, RpcCase, RpcError

PARAMETER = "meta_capi.access_token"
FIELD = "meta_capi_access_token"


class Recorder(logging.Handler):
    """Keeps all that is logged, as a log file would show it."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.lines = []

    def emit(self, record):
        self.lines.append(logging.Formatter("%(name)s: %(message)s").format(record))


def is_about_tests(record):
    return record.levelno > logging.DEBUG and record.name != "meta.conversions.api"


class SecrecyCase(RpcCase):
    """A shop whose log and tables are searched for what must not be there."""

    def record_log(self):
        """Log everything, whatever the logger, from now on."""
        recorder = Recorder()
        names = ["", "odoo", "odoo.sql_db", "odoo.http", "urllib3", "werkzeug"]
        names += [name for name in logging.root.manager.loggerDict if "odoo" in name]
        for name in names:
            logger = logging.getLogger(name)
            self.addCleanup(logger.setLevel, logger.level)
            logger.setLevel(logging.DEBUG)
        # Nobody else is to see it, least of all what these tests break on purpose.
        for handler in logging.getLogger().handlers:
            handler.addFilter(is_about_tests)
            self.addCleanup(handler.removeFilter, is_about_tests)
        logging.getLogger().addHandler(recorder)
        self.addCleanup(logging.getLogger().removeHandler, recorder)
        return recorder

    def places(self, token):
        """Return the tables that have the token anywhere in a row."""
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind IN ('r', 'p', 'm') AND nspname = 'public'"
        )
        tables = [name for (name,) in self.env.cr.fetchall()]
        self.assertIn("queue_job", tables)
        places = {}
        for table in tables:
            self.env.cr.execute(
                SQL(
                    "SELECT row_to_json(t) FROM %s t WHERE position(%s IN t::text) > 0",
                    SQL.identifier(table),
                    token,
                )
            )
            for (row,) in self.env.cr.fetchall():
                for column, value in row.items():
                    if token in json.dumps(value):
                        name = row.get("key") if table == "ir_config_parameter" else ""
                        places.setdefault((table, column, name), 0)
        return set(places)

    # ---------------------------------------------------------------------- the log


@tagged("post_install", "-at_install", "requests")
class TestSecrecy(SecrecyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env,
            "boss",
            groups="base.group_system,website.group_website_designer",
            password=PASSWORD,
        )
        cls.count = 0

    def setUp(self):
        super().setUp()
        # What another worker would know: nothing of the tokens this process was given.
        self.addCleanup(redaction.token_filter._tokens.update, [self.token])
        redaction.token_filter._tokens.clear()

    def new_token(self):
        """Return a token never seen before, which does not look like one of Meta's."""
        self.__class__.count += 1
        return f"secret-of-the-shop-{self.count:04}"

    def assertUnlogged(self, recorder, token):
        lines = [line[:2000] for line in recorder.lines if token in line]
        self.assertFalse(lines)

    def ways_to_save(self, token):
        """Yield a name and a call, each of which hands the token to the server."""
        parameter = self.env["ir.config_parameter"].search([("key", "=", PARAMETER)])
        call, website = self.call_kw, self.website
        config = "ir.config_parameter"
        settings = {FIELD: token, "meta_capi_enabled": True}
        yield (
            "settings",
            lambda: self.call_kw(
                "res.config.settings",
                "execute",
                [
                    call(
                        "res.config.settings",
                        "web_save",
                        [[], settings],
                        {"specification": {FIELD: {}, "display_name": {}}},
                    )[0]["id"]
                ],
            ),
        )
        yield (
            "settings create",
            lambda: call("res.config.settings", "create", [settings]),
        )
        yield (
            "settings onchange",
            lambda: call(
                "res.config.settings", "onchange", [[], settings, [FIELD], {FIELD: {}}]
            ),
        )
        yield "set_param", lambda: call(config, "set_param", [PARAMETER, token])
        yield (
            "set_param by name",
            lambda: call(config, "set_param", [], {"value": token, "key": PARAMETER}),
        )
        yield (
            "parameter write",
            lambda: call(config, "write", [parameter.ids, {"value": token}]),
        )
        yield (
            "parameter save",
            lambda: call(
                config,
                "web_save",
                [parameter.ids, {"value": token}],
                {"specification": {"key": {}}},
            ),
        )
        yield (
            "parameter create",
            lambda: (
                call(config, "unlink", [parameter.ids]),
                call(config, "create", [{"value": token, "key": PARAMETER}]),
            ),
        )
        yield (
            "parameter create many",
            lambda: (
                call(
                    config, "unlink", [parameter.search([("key", "=", PARAMETER)]).ids]
                ),
                call(
                    config,
                    "create",
                    [
                        [
                            {"key": "a.b", "value": "c"},
                            {"value": token, "key": PARAMETER},
                        ]
                    ],
                ),
            ),
        )
        yield (
            "website write",
            lambda: call("website", "write", [website.ids, {FIELD: token}]),
        )
        yield (
            "website save",
            lambda: call(
                "website",
                "web_save",
                [website.ids, {FIELD: token}],
                {"specification": {}},
            ),
        )
        yield (
            "website create",
            lambda: call("website", "create", [{"name": "Other", FIELD: token}]),
        )
        secret = {"meta_capi_app_secret": token}
        yield (
            "app secret in the settings",
            lambda: call("res.config.settings", "create", [secret]),
        )
        yield (
            "app secret",
            lambda: call(config, "set_param", ["meta_capi.app_secret", token]),
        )
        pasted = f' "Bearer {token[:9]}\n  {token[9:]}" '
        yield "pasted", lambda: call(config, "set_param", [PARAMETER, pasted])
        yield (
            "pasted in the settings",
            lambda: call("res.config.settings", "create", [{FIELD: pasted}]),
        )
        yield (
            "json-rpc",
            lambda: self.json_rpc(
                "/jsonrpc",
                {
                    "service": "object",
                    "method": "execute_kw",
                    "args": [
                        get_db_name(),
                        self.admin.id,
                        PASSWORD,
                        config,
                        "set_param",
                        [PARAMETER, token],
                    ],
                },
            ),
        )

    def test_no_way_to_save_a_token_leaves_it_in_the_log(self):
        self.authenticate(self.admin.login, PASSWORD)
        self.call_kw("ir.config_parameter", "set_param", ["other.key", "a"])
        number = len(list(self.ways_to_save("")))
        with mute_logger(*DEPRECATED):
            for index in range(number):
                token = self.new_token()
                name, save = list(self.ways_to_save(token))[index]
                with self.subTest(way=name):
                    recorder = self.record_log()
                    save()
                    self.env.flush_all()
                    self.assertGreater(len(recorder.lines), 10)
                    self.assertUnlogged(recorder, token)
                    # Nor by halves, as a broken line has it.
                    self.assertUnlogged(recorder, token[9:])

    def test_the_log_is_recorded_as_these_tests_think(self):
        self.authenticate(self.admin.login, PASSWORD)
        recorder = self.record_log()
        self.call_kw("ir.config_parameter", "set_param", ["other.key", "a word"])
        self.env.flush_all()
        log = "\n".join(recorder.lines)
        self.assertRegex(log, r"call ir.config_parameter\(.*\)\.set_param.*a word")
        self.assertRegex(log, r"odoo.sql_db: .*INSERT INTO.*a word")

    # ------------------------------------------------------------ the whole life

    def test_a_token_is_where_it_belongs_and_nowhere_else(self):
        self.authenticate(self.admin.login, PASSWORD)
        shared, own = self.new_token(), self.new_token()
        pixel = "20" + self.pixel_id[2:]
        self.graph.pixels[self.pixel_id] = {shared}
        self.graph.pixels[pixel] = {own}
        self.addCleanup(self.graph.pixels.update, {self.pixel_id: {self.token}})
        self.addCleanup(self.graph.pixels.pop, pixel)
        recorder = self.record_log()
        saved = self.call_kw(
            "res.config.settings",
            "web_save",
            [[], {FIELD: shared, "meta_capi_enabled": True}],
            {"specification": {FIELD: {}, "meta_capi_access_token_set": {}}},
        )[0]
        self.assertEqual((saved[FIELD], saved[f"{FIELD}_set"]), (False, True))
        self.call_kw("res.config.settings", "execute", [[saved["id"]]])
        self.call_kw(
            "website",
            "write",
            [self.website.ids, {FIELD: own, "meta_capi_pixel_id": pixel}],
        )
        for pixel_id, token, website in (
            (self.pixel_id, shared, None),
            (pixel, own, self.website),
        ):
            sent = self.record(website=website)
            self.deliver(pixel_id)
            self.assertEqual(sent.state, "sent", sent.error_message)
            refused = self.record(website=website)
            self.graph.poison([refused.event_id])
            self.deliver(pixel_id)
            self.assertEqual(refused.failure_reason, "invalid")
            for fault in (
                http(502, f"<html>{token}</html>", "text/html"),
                http(
                    500, json.dumps({"error": {"message": token}}), "application/json"
                ),
                error(1, message=f"Bearer {token}"),
                error(190, message=f"Malformed access token {token}", http_status=401),
            ):
                waiting = self.record(website=website)
                self.graph.fail_next(fault)
                self.deliver(pixel_id)
            stopped = self.env["meta.capi.pixel"].search([("pixel_id", "=", pixel_id)])
            self.assertEqual(stopped.state, "stopped")
            self.assertIn("Malformed", waiting.error_message)
        self.parameters.set_param("meta_capi.graph_url", "http://127.0.0.1:9")
        self.record()
        self.deliver()
        for job in self.jobs.enqueued_jobs:
            job.store()
        column = ("website", FIELD, "")
        self.assertEqual(
            self.places(shared), {("ir_config_parameter", "value", PARAMETER)}
        )
        self.assertEqual(self.places(own), {column})
        self.assertUnlogged(recorder, shared)
        self.assertUnlogged(recorder, own)

    def test_the_wizard_has_no_column_for_the_token(self):
        self.env.cr.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'res_config_settings' AND column_name = %s",
            [FIELD],
        )
        self.assertFalse(self.env.cr.fetchall())

    def test_a_copy_of_a_website_has_no_token(self):
        self.website.meta_capi_access_token = self.new_token()
        self.assertFalse(self.website.copy({"domain": False}).meta_capi_access_token)

    # ------------------------------------------------------------------- exceptions

    @mute_logger("odoo.http")
    def test_an_unusable_token_is_refused_without_being_quoted(self):
        self.authenticate(self.admin.login, PASSWORD)
        token = f"{self.new_token()} {self.new_token()}"
        for model, method, args in (
            ("ir.config_parameter", "set_param", [PARAMETER, token]),
            ("website", "write", [self.website.ids, {FIELD: token}]),
            ("res.config.settings", "create", [{FIELD: token}]),
        ):
            with self.subTest(model=model):
                recorder = self.record_log()
                with self.assertRaises(RpcError) as refusal:
                    self.call_kw(model, method, args)
                self.assertEqual(refusal.exception.name, "ValidationError")
                self.assertNotIn(token, str(refusal.exception))
                self.assertUnlogged(recorder, token)
        with self.assertRaises(ValidationError):
            self.website.meta_capi_access_token = token

    # -------------------------------------------------------------- who may read it

    def reads(self):
        """Yield calls that might tell the token, or something about it."""
        begins = [[FIELD, "=like", "secret%"]]
        website, config = self.website.ids, "ir.config_parameter"
        yield "website", "read", [website, [FIELD]], {}
        yield "website", "read", [website], {}
        yield "website", "web_read", [website, {FIELD: {}}], {}
        yield "website", "search_read", [[], [FIELD]], {}
        yield "website", "search_read", [begins, ["name"]], {}
        yield "website", "search", [begins], {}
        yield "website", "search_count", [begins], {}
        yield "website", "search", [[]], {"order": FIELD}
        yield "website", "web_search_read", [[], {FIELD: {}}], {}
        yield "website", "export_data", [website, [FIELD]], {}
        yield "website", "read_group", [[], [FIELD], [FIELD]], {}
        yield "website", "formatted_read_group", [[], [FIELD], ["__count"]], {}
        yield "website", "onchange", [website, {}, [], {FIELD: {}}], {}
        yield "website", "mapped", [website, FIELD], {}
        yield "website", "copy_data", [website], {}
        yield "website", "name_search", ["", begins], {}
        yield "res.users", "search", [[[f"website_id.{FIELD}", "=like", "secret%"]]], {}
        yield (
            "sale.order",
            "search",
            [[[f"website_id.{FIELD}", "=like", "secret%"]]],
            {},
        )
        yield "sale.order", "export_data", [self.order_ids, [f"website_id/{FIELD}"]], {}
        yield config, "get_param", [PARAMETER], {}
        yield config, "search_read", [[["key", "=", PARAMETER]], ["value"]], {}
        yield config, "search", [[["value", "=like", "secret%"]]], {}
        yield config, "read_group", [[], ["value"], ["value"]], {}
        yield config, "export_data", [self.parameter_ids, ["value"]], {}
        yield "res.config.settings", "default_get", [[FIELD]], {}
        yield "res.config.settings", "onchange", [[], {}, [], {FIELD: {}}], {}
        yield "res.config.settings", "create", [{}], {}
        yield "res.config.settings", "read", [self.settings_ids, [FIELD]], {}
        yield "res.config.settings", "web_read", [self.settings_ids, {FIELD: {}}], {}
        yield "res.config.settings", "search_read", [[], [FIELD]], {}

    def outcome(self, call):
        """Return what a call gives, in a way that two calls can be compared."""
        try:
            return self.call_kw(*call)
        except RpcError as refusal:
            return refusal.name

    @mute_logger("odoo.http", "odoo.models", "odoo.addons.base.models.ir_rule")
    def test_nobody_but_an_administrator_learns_anything_of_the_token(self):
        token = self.new_token()
        self.parameters.set_param(PARAMETER, token)
        self.website.meta_capi_access_token = token
        self.order_ids = self.order().ids
        self.parameter_ids = self.parameters.search([("key", "=", PARAMETER)]).ids
        self.settings_ids = self.env["res.config.settings"].create({}).ids
        for groups in (
            "base.group_portal",
            "base.group_user",
            "website.group_website_designer,sales_team.group_sale_manager",
            "ih_meta_conversions_api.group_meta_capi_manager,"
            "sales_team.group_sale_salesman",
        ):
            user = new_test_user(
                self.env, groups.split(".")[1][:20], groups=groups, password=PASSWORD
            )
            self.assertFalse(user.has_group("base.group_system"))
            self.authenticate(user.login, PASSWORD)
            for call in self.reads():
                with self.subTest(groups=groups, call=call):
                    answer = json.dumps(self.outcome(call))
                    self.assertNotIn(token, answer)
                    # Nor may a search find it letter by letter.
                    if "=like" in json.dumps(call):
                        other = json.loads(
                            json.dumps(call).replace("secret%", "other%")
                        )
                        self.assertEqual(answer, json.dumps(self.outcome(other)))

    @mute_logger("odoo.http")
    def test_the_settings_do_not_send_the_token_back_even_to_an_administrator(self):
        token = self.new_token()
        self.parameters.set_param(PARAMETER, token)
        self.parameter_ids = self.parameters.browse().ids
        self.order_ids = []
        self.settings_ids = self.env["res.config.settings"].create({}).ids
        self.authenticate(self.admin.login, PASSWORD)
        for call in self.reads():
            if call[0] == "res.config.settings":
                with self.subTest(call=call):
                    self.assertNotIn(token, json.dumps(self.outcome(call)))
        self.assertEqual(
            self.call_kw("ir.config_parameter", "get_param", [PARAMETER]), token
        )

    def test_code_of_a_user_cannot_read_the_token_of_a_website(self):
        self.website.meta_capi_access_token = self.new_token()
        designer = new_test_user(
            self.env, "designer", groups="website.group_website_designer"
        )
        self.env.invalidate_all()
        with self.assertRaises(AccessError):
            self.website.with_user(designer).meta_capi_access_token  # noqa: B018


@tagged("post_install", "-at_install", "requests")
class TestPersonalData(SecrecyCase, VisitCase):
    def setUp(self):
        super().setUp()
        automation = "ih_meta_conversions_api.automation_purchase"
        self.env.ref(automation).active = True

    def person(self, number):
        """Return a customer who is like no other, and all that tells of this one."""
        names = (f"Zebulon{number}", f"Quartermain{number}")
        partner = self.env["res.partner"].create(
            {
                "name": " ".join(names),
                "email": f"Zeb.{number}@Example.com",
                "phone": f"+49 30 9018{number}",
                "city": f"Kleinmachnow{number}",
                "zip": f"14{number}",
                "country_id": self.env.ref("base.de").id,
            }
        )
        needles = [
            *names,
            f"Zeb.{number}@",
            f"030 9018{number}",
            f"30 9018{number}",
            f"309018{number}",
            partner.city,
        ]
        return partner, {*needles, *map(str.lower, needles)}

    def trade(self, partner):
        """Do with a customer whatever a shop does; nothing that names the person lasts."""
        path = f"/shop?email={partner.email}&phone={partner.phone}&fbclid=Click"
        with self.visit(path=path):
            order, refused = (self.order(partner_id=partner.id) for _time in range(2))
            self.api.send_event("PageView")
        order.action_confirm()
        refused.action_confirm()
        for custom_data in (
            {"content_name": f"For {partner.email}"},
            {"note": f"call {partner.phone}"},
            {partner.email: 1},
        ):
            self.api.send_event("Lead", origin=partner, custom_data=custom_data)
        self.api.send_event(partner.email, event_id=partner.email, origin=partner)
        self.api.send_event("Lead", user_data={"em": [partner.email], "ph": object()})
        self.api.send_event("Lead", user_data={partner.email: partner.phone})
        self.graph.fail_next(error(100, 2804019))
        self.deliver()
        self.deliver()
        with self.visit(consent=False):
            self.env["meta.capi.visit"]._update_cookies()
        self.env.flush_all()

    def tables_with(self, needles):
        return {table for needle in needles for table in self.places(needle)}

    def test_no_table_log_or_request_tells_who_the_customer_is(self):
        self.parameters.set_param("meta_capi.enabled", "False")
        partner, needles = self.person("4711")
        self.trade(partner)
        without_us = self.tables_with(needles)
        self.assertLess({("res_partner", "name", "")}, without_us)

        self.parameters.set_param("meta_capi.enabled", "True")
        partner, needles = self.person("4712")
        recorder = self.record_log()
        self.trade(partner)
        lines = [
            # What the ORM itself asks and writes of the customer is not ours.
            line
            for line in recorder.lines
            if not line.startswith("odoo.sql_db") or "meta_capi" in line
        ]
        self.assertEqual(self.tables_with(needles), without_us)
        requests = self.graph.requests
        self.assertTrue(requests and lines)
        for needle in needles:
            for request in requests:
                self.assertNotIn(needle, request.raw.decode())
                self.assertNotIn(needle, request.path)
            self.assertFalse([line[:500] for line in lines if needle in line])
