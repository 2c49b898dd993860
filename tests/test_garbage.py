import logging
from datetime import date, datetime, timezone
from decimal import Decimal
from types import MappingProxyType
from unittest.mock import patch

from psycopg2.errors import ReadOnlySqlTransaction, SerializationFailure

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models.recording.event_builder import EventBuilder
from ..models.recording.event_writer import EventWriter
from .common import MetaCapiCase

SECRET = "jane.secret@example.com"


class Angry:
    """An object that answers nothing: whatever is asked of it, it quotes a customer."""

    def _refuse(self, *args):
        raise ValueError(SECRET)

    __str__ = __repr__ = __eq__ = __hash__ = __iter__ = __bool__ = __len__ = _refuse
    __getitem__ = __lt__ = __float__ = __int__ = __index__ = __call__ = _refuse


class Impostor(Angry):
    """An object that refuses even to tell what it is."""

    __class__ = property(Angry._refuse)


class AngryText(str):
    __str__ = __repr__ = __eq__ = __hash__ = strip = upper = isprintable = Angry._refuse


class AngryMapping(dict):
    __iter__ = __getitem__ = __len__ = keys = items = get = pop = Angry._refuse


def cycle():
    loop = [SECRET]
    loop.append(loop)
    return loop


def angry_generator():
    yield {"event_name": "Lead", "user_data": {"external_id": "1"}}
    raise ValueError(SECRET)


# Of no use as any argument whatever.
NEVER = {
    "bytes": SECRET.encode(),
    "NaN": float("nan"),
    "infinity": float("inf"),
    "huge integer": 10**400,
    "negative": -(10**30),
    "NUL": "a\x00b",
    "lone surrogate": "a\ud800b",
    "cycle": cycle(),
    "nested date": [[date(2024, 1, 1)]],
    "decimal": Decimal("NaN"),
    "megabyte": SECRET + "x" * 1_000_000,
    "object": object(),
    "type": dict,
    "function": cycle,
    "generator": (item for item in [SECRET]),
    "angry object": Angry(),
    "impostor": Impostor(),
    "angry mapping": AngryMapping(a=SECRET),
    "set": {SECRET},
    "complex": 1j,
    "datetime with a strange zone": [datetime(1, 1, 1, tzinfo=timezone.utc)],
    "angry text in a list": [AngryText(SECRET)],
}
ARGUMENTS = (
    "event_name",
    "event_time",
    "event_id",
    "user_data",
    "custom_data",
    "test_event_code",
    "action_source",
    "opt_out",
    "data_processing_options",
    "origin",
    "website",
)
# What an event can be sent without.
OPTIONAL = (
    "event_source_url",
    "referrer_url",
    "customer_segmentation",
    "original_event_data",
    "app_data",
    "messaging_channel",
    "attribution_data",
)


@tagged("post_install", "-at_install")
class TestGarbage(MetaCapiCase):
    def assertInvalid(self, send, *fields):
        """``send`` leaves one readable row that names these fields, and nothing else."""
        before = self.env["meta.capi.event"].search([])
        with self.assertNoLogs(level=logging.WARNING):
            returned = send()
        event = self.env["meta.capi.event"].search([]) - before
        self.assertEqual(returned, event)
        self.assertEqual(len(event), 1)
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        for field in fields:
            self.assertRegex(event.error_message, rf"(?m)^{field}\b")
        self.assertNotIn("jane", event.error_message.lower())
        self.assertLess(len(event.error_message), 5000)
        # The row can be shown, and so can the caller's transaction go on.
        event.read()
        self.env.cr.execute("SELECT 1")
        event.sudo().unlink()

    def assertWeak(self, send, *fields):
        """``send`` leaves one row to be sent, weak because of these fields."""
        with self.assertNoLogs(level=logging.WARNING):
            event = send()
        self.assertEqual((len(event), event.state), (1, "pending"))
        for field in fields:
            self.assertRegex(event.weakness, rf"(?m)^{field}\b")
        self.assertNotIn("jane", event.weakness.lower())
        self.assertLess(len(event.weakness), 5000)
        event.read()
        self.env.cr.execute("SELECT 1")
        event.sudo().unlink()

    def test_garbage_in_any_argument_is_one_invalid_row_that_names_it(self):
        for kind, value in NEVER.items():
            for argument in ARGUMENTS:
                if (kind, argument) in FINE:
                    continue
                with self.subTest(kind=kind, argument=argument):
                    self.assertInvalid(
                        lambda: self.record(**{argument: value}), argument
                    )

    def test_garbage_that_an_event_can_do_without_is_one_weak_row_that_names_it(self):
        for kind, value in NEVER.items():
            for argument in OPTIONAL:
                if (kind, argument) in FINE:
                    continue
                with self.subTest(kind=kind, argument=argument):
                    self.assertWeak(lambda: self.record(**{argument: value}), argument)
        # What is left of a dictionary stays.
        event = self.record(app_data={"extinfo": ["a2"], "mine": object()})
        self.assertEqual(event.app_data, {"extinfo": ["a2"]})
        self.assertIn("app_data.mine", event.weakness)

    def test_garbage_raises_a_user_error_where_that_is_asked_for(self):
        for kind, value in NEVER.items():
            for argument in ARGUMENTS:
                if (kind, argument) in FINE:
                    continue
                with self.subTest(kind=kind, argument=argument):
                    with self.assertRaises(UserError) as caught:
                        self.record(**{argument: value}, raise_on_error=True)
                    self.assertIn(argument, str(caught.exception))
                    self.assertNotIn("jane", str(caught.exception).lower())
        self.assertFalse(self.env["meta.capi.event"].search([]))

    def test_garbage_inside_user_data_is_one_weak_row_that_names_the_key(self):
        for kind in ("bytes", "NaN", "huge integer", "NUL", "cycle", "object", "type"):
            for key in ("em", "ph", "db", "country", "client_user_agent", "fbc"):
                user_data = {"external_id": "1", key: NEVER[kind]}
                with self.subTest(kind=kind, key=key):
                    self.assertWeak(
                        lambda: self.record(user_data=user_data), f"user_data.{key}"
                    )

    def test_an_event_is_weak_where_garbage_leaves_one_to_match(self):
        self.assertInvalid(lambda: self.record(user_data={"em": b"x"}), "user_data")

    def test_garbage_inside_custom_data_is_one_weak_row_that_names_the_key(self):
        for kind, value in NEVER.items():
            if kind in (
                "set",
                "nested date",
                "datetime with a strange zone",
                "negative",
            ):
                continue  # read as JSON; a set with an address in it is seen below
            for key in ("content_ids", "contents", "num_items", "mine"):
                with self.subTest(kind=kind, key=key):
                    if kind in PERSONAL.get(key, ()):
                        # Not a matter of what can be read.
                        check = self.assertInvalid
                    else:
                        check = self.assertWeak
                    check(
                        lambda: self.record(custom_data={key: value}),
                        f"custom_data.{key}",
                    )
            for key in ("currency", "value"):
                with self.subTest(kind=kind, key=key):
                    self.assertInvalid(
                        lambda: self.record(custom_data={key: value}),
                        f"custom_data.{key}",
                    )
        self.assertInvalid(
            lambda: self.record(custom_data={"mine": {SECRET}}), "custom_data.mine"
        )

    def test_records_where_they_do_not_belong_are_invalid(self):
        for argument in ARGUMENTS:
            if argument == "origin":
                continue
            with self.subTest(argument=argument):
                self.assertInvalid(
                    lambda: self.record(**{argument: self.customer}), argument
                )
        for user_data in (
            {"em": self.customer},
            {"external_id": self.customer.browse()},
        ):
            self.assertInvalid(lambda: self.record(user_data=user_data), "user_data")

    def test_records_that_an_event_can_do_without_are_left_out(self):
        for argument in OPTIONAL:
            with self.subTest(argument=argument):
                self.assertWeak(
                    lambda: self.record(**{argument: self.customer}), argument
                )

    def test_an_origin_that_is_not_one_stored_record_is_invalid(self):
        deleted = self.order()
        deleted.copy().unlink()
        gone = self.order()
        gone.unlink()
        for origin in (
            5,
            "sale.order,1",
            self.env["sale.order"],
            self.order() | self.order(),
            self.env["sale.order"].new({"partner_id": self.customer.id}),
            gone,
            self.env["sale.order"].browse(10**9),
        ):
            with self.subTest(origin=origin):
                self.assertInvalid(lambda: self.record(origin=origin), "origin")

    def test_a_website_that_is_not_one_stored_website_is_invalid(self):
        gone = self.website.copy({"domain": False})
        gone.unlink()
        for website in (5, "1", self.customer, gone, self.website.browse(), Angry()):
            with self.subTest(website=type(website)):
                self.assertInvalid(lambda: self.record(website=website), "website")

    def test_unreadable_raise_on_error_is_invalid_and_does_not_raise(self):
        for value in (Angry(), Impostor()):
            self.assertInvalid(
                lambda: self.record(raise_on_error=value), "raise_on_error"
            )

    def test_an_item_that_is_no_dictionary_is_invalid(self):
        for kind, value in NEVER.items():
            with self.subTest(kind=kind):
                self.assertInvalid(lambda: self.api.send_events([value]), "arguments")
        self.assertInvalid(lambda: self.api.send_events([{1: 2}]), "arguments")
        self.assertInvalid(lambda: self.api.send_events([None]), "arguments")

    def test_what_is_no_list_of_events_is_one_invalid_row(self):
        for events in (None, 5, SECRET, SECRET.encode(), object(), Angry(), Impostor()):
            with self.subTest(events=type(events)):
                self.assertInvalid(lambda: self.api.send_events(events), "arguments")
        self.assertInvalid(lambda: self.api.send_events(angry_generator()), "arguments")

    def test_any_iterable_of_events_and_a_single_one_are_taken(self):
        event = {"event_name": "Lead", "user_data": {"em": SECRET}}
        for events in ((event,), iter([event]), event, MappingProxyType(event)):
            self.assertEqual(self.api.send_events(events).state, "pending")
        self.assertFalse(self.api.send_events([]))

    def test_an_unknown_key_is_invalid_and_named(self):
        event = {"event_name": "Lead", "user_data": {"external_id": "1"}}
        self.assertInvalid(
            lambda: self.api.send_events([event | {"event_nam": "Lead"}]), "event_nam"
        )
        self.assertInvalid(lambda: self.api.send_events([event | {SECRET: 1}]))

    def test_one_bad_item_does_not_harm_the_others(self):
        good = {"event_name": "Lead", "user_data": {"external_id": "1"}}
        events = self.api.send_events(
            [good, Angry(), {**good, "event_name": "Contact"}]
        )
        self.assertEqual(
            [(event.event_name, event.state) for event in events],
            [("Lead", "pending"), ("", "failed"), ("Contact", "pending")],
        )

    def test_a_name_too_long_keeps_its_start(self):
        event = self.record(event_name="Lead" * 1000, event_id="7" * 1000)
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        self.assertEqual(event.event_name, ("Lead" * 25))
        self.assertEqual(event.event_id, "7" * 100)

    def test_empty_fields_of_odoo_count_as_left_out(self):
        order = self.order()
        event = self.record(
            event_name=" Purchase ",
            origin=order,
            **dict.fromkeys(ARGUMENTS[1:-2], False),
        )
        self.assertEqual(event.state, "pending", event.error_message)
        self.assertEqual(event.event_id, order.meta_capi_event_id)
        self.assertEqual(event.custom_data["order_id"], order.name)
        self.assertIn("em", event.user_data)

    def test_any_mapping_is_completed_from_the_origin(self):
        event = self.record(
            origin=self.order(), user_data=MappingProxyType({"ln": "Miller", "em": ""})
        )
        self.assertEqual(event.state, "pending", event.error_message)
        self.assertLessEqual({"em", "ph", "ln"}, set(event.user_data))

    # ----------------------------------------------- what breaks while it is read

    def test_an_origin_that_cannot_be_read_is_invalid_and_the_sale_goes_on(self):
        order = self.order()
        for method in ("_meta_capi_user_data", "_meta_capi_custom_data"):
            broken = patch.object(
                type(order), method, side_effect=KeyError(SECRET), autospec=True
            )
            with broken, self.assertLogs("meta.conversions.api", "ERROR") as log:
                event = self.record(origin=order)
            self.assertRegex(event.error_message, r"(?m)^origin\b.*KeyError")
            self.assertEqual((event.res_model, event.res_id), ("sale.order", order.id))
            self.assertIn("in _ask_origin", log.output[0])
            self.assertNotIn("jane", "".join(log.output))
        order.action_confirm()

    def test_whatever_breaks_in_the_preparation_leaves_a_row_and_no_personal_data(self):
        broken = patch.object(
            EventBuilder, "_complete", side_effect=ValueError(SECRET), autospec=True
        )
        with broken, self.assertLogs("meta.conversions.api", "ERROR") as log:
            event = self.record(event_id="kept")
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        self.assertEqual((event.event_name, event.event_id), ("Lead", "kept"))
        self.assertIn("in _build", log.output[0])
        self.assertNotIn("jane", "".join(log.output))
        with broken, mute_logger("meta.conversions.api"), self.assertRaises(UserError):
            self.record(raise_on_error=True)

    def test_what_postgresql_refuses_leaves_a_row_and_no_personal_data(self):
        row = EventWriter.to_row

        def unstorable(writer, draft):
            values = row(writer, draft)
            return (
                values
                | {"event_source_url": SECRET}
                | ({"opt_out": SECRET} if draft.event.user_data else {})
            )

        with (
            patch.object(EventWriter, "to_row", unstorable),
            self.assertLogs("meta.conversions.api", "ERROR") as log,
        ):
            event = self.record()
        self.assertEqual((event.state, event.failure_reason), ("failed", "invalid"))
        self.assertNotIn("jane", "".join(log.output))
        self.env.cr.execute("SELECT 1")

    def test_errors_that_make_odoo_replay_the_request_pass_through(self):
        order = self.order()
        config = type(self.env["meta.capi.config"])
        for error in (SerializationFailure, ReadOnlySqlTransaction):
            for owner, method in (
                (type(order), "_meta_capi_user_data"),
                (config, "_pixel_id"),
                (EventWriter, "_execute_insert"),
                (type(self.job), "_schedule"),
            ):
                with (
                    self.subTest(error=error, method=method),
                    patch.object(owner, method, side_effect=error, autospec=True),
                    patch.object(
                        EventWriter, "_is_recorded_elsewhere", lambda *a: False
                    ),
                    self.assertRaises(error),
                ):
                    self.record(origin=order)

    # -------------------------------------------------- the caller's pending writes

    def dirty(self, record, name):
        """Tell whether this field has a value that PostgreSQL does not know yet."""
        field = record._fields[name]
        if hasattr(self.env, "cache") and hasattr(self.env.cache, "get_dirty_records"):
            return record in self.env.cache.get_dirty_records(record, field)
        return record.id in self.env._field_dirty.get(field, ())

    def test_pending_writes_of_the_caller_stay_pending(self):
        order, other = self.order(), self.order()
        bystander = self.env["res.partner"].create({"name": "Bystander"})
        pending = [
            (order, "client_order_ref"),
            (self.customer, "function"),
            (bystander, "street"),
            (self.website, "social_github"),
            (other.order_line, "name"),
        ]
        for warm in (True, False):
            self.env.flush_all()
            self.env.invalidate_all()
            if warm:
                order.order_line.mapped("product_uom_qty")
            for record, name in pending:
                record[name] = f"pending {warm}"
            # The lines of an order are sorted by it: reading them would flush it.
            order.date_order = datetime(2024, 1, 1 + warm)
            self.assertTrue(all(self.dirty(*item) for item in pending))
            event = self.record(event_name="Purchase", origin=order, user_data=None)
            for record, name in [*pending, (order, "date_order")]:
                with self.subTest(warm=warm, field=f"{record._name}.{name}"):
                    self.assertTrue(self.dirty(record, name))
            self.assertEqual(event.state, "pending", event.error_message)
            order.meta_capi_event_id = f"another {warm}"
            order.meta_capi_purchase_recorded_at = False
        self.env.flush_all()
        self.assertFalse(any(self.dirty(*item) for item in pending))


# Garbage that holds a person's address, where it is found.
PERSONAL = dict.fromkeys(("content_ids", "mine"), ("cycle", "angry text in a list"))
# Garbage elsewhere, but something there: (kind, argument).
FINE = {
    ("negative", "event_id"),
    ("negative", "raise_on_error"),
}
