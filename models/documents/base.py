from odoo import _, api, fields, models

from ...capi.money import allocate, unit_price, whole_number
from ...capi.names import split_name
from ..apps.app_model import join_apps
from ..common.refusal import Refusal
from ..common.schema import commit_schema
from ..common.standard_events import CHECKOUT, EVENT_BY_CREATION, SALES
from ..settings import setting

# Where models that are not among our dependencies keep what a record is worth, and in
# which currency: CRM's opportunities.
_AMOUNT_FIELDS = (("expected_revenue", "company_currency"),)
_NUMBERS = ("float", "integer", "monetary")
_ADDON = "ih_meta_conversions_api"
# Countries whose states Meta wants as codes; elsewhere as names.
_STATE_CODE_COUNTRIES = ("US", "CA")


class Base(models.AbstractModel):
    """What any record can tell Meta when an event is about it.

    Each method is one answer, made to be overridden by the model that knows better.
    """

    _inherit = "base"

    def _auto_init(self):
        """Lock no table for longer than an update of this addon needs for it.

        Odoo goes through all models, since this one is extended, and some of its own
        lock a table that orders write to; it commits after the last view, seconds later.
        """
        if self.env.context.get("module") == _ADDON and not self.pool._is_install:
            commit_schema(self.env.cr)
        return super()._auto_init()

    def _register_hook(self):
        """Let what we know of apps join their models, before anybody patches those."""
        super()._register_hook()
        if self._name == "base":
            join_apps(self.pool)

    @api.model_create_multi
    def create(self, vals_list):
        """Tell Meta of what a visitor makes in an app that is not depended on."""
        records = super().create(vals_list)
        if self._name in EVENT_BY_CREATION:
            self.env["meta.capi.bridge"]._record_creation(records.sudo())
        return records

    def _meta_capi_partner(self):
        """Return the customer, a ``res.partner``, maybe empty."""
        self.ensure_one()
        if self._meta_capi_has("partner_id", "res.partner"):
            return self.partner_id
        return self.env["res.partner"]

    def _meta_capi_user_data(self):
        """Return raw ``user_data`` of the customer; it is hashed before it is stored.

        A lead or a message of the website may say itself how to reach the person; the
        partner, if there is one, knows better.
        """
        self.ensure_one()
        return {
            **self._meta_capi_contact(),
            **self._meta_capi_partner()._meta_capi_user_data(),
        }

    def _meta_capi_contact(self):
        """Return raw ``user_data`` from the fields Odoo's models keep a contact in.

        Not what a record has by way of its partner, who knows better what to tell.
        """

        def is_own(name):
            return not (self._fields[name].related or "").startswith("partner_id.")

        def text(*names):
            found = (name for name in names if self._meta_capi_has(name))
            values = (self[name] for name in found if is_own(name))
            return next(filter(None, values), None)

        def place(name, comodel):
            is_one = self._meta_capi_has(name, comodel) and is_own(name)
            return self[name] if is_one else None

        # Odoo 19 has no mobile number any more.
        phones = [phone for phone in (text("phone"), text("mobile")) if phone]
        country = place("country_id", "res.country")
        state = place("state_id", "res.country.state")
        has_code = country and country.code in _STATE_CODE_COUNTRIES
        first_names, last_names = self._meta_capi_split_name(text("contact_name"))
        contact = {
            "em": text("email_normalized", "email_from", "email"),
            "ph": phones[0] if len(phones) == 1 else phones,
            "fn": first_names,
            "ln": last_names,
            "ct": text("city"),
            "st": state and (state.code if has_code else state.name),
            "zp": text("zip"),
            "country": country and country.code,
        }
        return {key: value for key, value in contact.items() if value}

    def _meta_capi_split_name(self, name):
        """Return the first and the last name of a person known by one name.

        Either is a list where the name can be read in several ways.
        """
        if not name:
            return None, None
        country = language = title = None
        if self._meta_capi_has("country_id", "res.country"):
            country = self.country_id.code
        if self._meta_capi_has("lang_id", "res.lang"):
            language = self.lang_id.code
        elif "lang" in self._fields:
            language = self.lang
        # Odoo 19 has no titles any more.
        if self._meta_capi_has("title", "res.partner.title"):
            title = self.title.name
        return [
            found[0] if len(found) == 1 else found
            for found in split_name(name, country, language, title)
        ]

    def _meta_capi_has(self, name, comodel=None):
        """Tell whether the model has a field that means what its name says to us.

        A vehicle's state is no place.

        :param comodel: what the field has to point to; None: it has to be a text
        """
        field = self._fields.get(name)
        if comodel:
            is_one = field and field.type == "many2one"
            return bool(is_one) and field.comodel_name == comodel
        return bool(field) and field.type in ("char", "text")

    def _meta_capi_browser_data(self):
        """Return what was kept of the customer's browser; see ``meta.capi.browser``."""
        self.ensure_one()
        return self.env["meta.capi.browser"]._snapshot_of(self)

    def _meta_capi_custom_data(self, event_name):
        """Return the ``custom_data`` of an event about this record, or None."""
        self.ensure_one()
        for amount, currency in _AMOUNT_FIELDS:
            is_amount = getattr(self._fields.get(amount), "type", None) in _NUMBERS
            if not is_amount or not self._meta_capi_has(currency, "res.currency"):
                continue
            if self[currency]:
                return {"value": self[amount], "currency": self[currency].name}
        return None

    def _meta_capi_parameters(self, event_name):
        """Return what else the record knows of an event about it.

        Arguments of ``send_event`` that count where its caller leaves them out, such as
        ``action_source``, ``event_time`` and ``customer_segmentation``.
        """
        return {}

    def _meta_capi_products_data(self, value, currency, items, event_name=None):
        """Return the ``custom_data`` of products that are worth ``value`` together.

        What a discount takes off, or delivery adds, is spread over the products: the
        contents add up to the value to the cent. Of how many items there are Meta wants
        to know at the checkout only. Of a sale, the settings may want the margin to be
        the value, or to be told beside it.

        :param items: triples of a product, its quantity and the amount of its line
        """
        margin = self._meta_capi_margin() if event_name in SALES else None
        if margin is not None and self._meta_capi_value_is_margin():
            value = max(margin, 0)
        # As the currency rounds, halves up: that is how the value is shown.
        value = currency.round(value)
        amounts = [amount for _product, _quantity, amount in items]
        parts = allocate(value, amounts, currency.rounding)
        contents = [
            {
                "id": product._meta_capi_content_id(),
                "quantity": quantity,
                "item_price": unit_price(part, quantity, currency.rounding),
            }
            for (product, quantity, _amount), part in zip(items, parts, strict=True)
        ]
        custom_data = {
            "currency": currency.name,
            "value": value,
            "content_type": self.env["product.product"]._meta_capi_content_type(),
            "content_ids": [content["id"] for content in contents],
            "contents": contents,
        }
        if margin is not None and self.env["meta.capi.config"]._get(
            setting.NET_REVENUE
        ):
            net_revenue = currency.round(margin)
            if net_revenue > 0:
                custom_data["net_revenue"] = net_revenue
        if event_name == CHECKOUT:
            quantities = [quantity for _product, quantity, _amount in items]
            custom_data["num_items"] = whole_number(sum(quantities))
        return custom_data

    def _meta_capi_margin(self):
        """Return what is earned by this sale, in the currency of its value.

        Without tax and delivery; negative for a loss. None: it is not known.
        """
        return None

    @api.model
    def _meta_capi_value_is_margin(self):
        """Tell whether a sale is worth its margin: in all channels, or in none."""
        return (
            self.env["meta.capi.config"]._get(setting.VALUE) == "margin"
            and "margin" in self.env["sale.order"]._fields
        )

    def _meta_capi_predicted_ltv(self, event_name):
        """Return what the customer is expected to be worth, in the value's currency.

        Meta's ``predicted_ltv``, which is told of sales. None: nobody has an idea.
        """
        return None

    def _meta_capi_exclusion(self, event_name):
        """Return why an event about this record is not to be sent, or None.

        A ``Refusal``, or your own reason in words.

        Judged by the customer and the record, never by who happens to confirm it.
        """
        self.ensure_one()
        return self._meta_capi_partner()._meta_capi_exclusion(event_name)

    def _meta_capi_payment_exclusion(self, amount, currency, transactions):
        """Return why a payment of this amount by these transactions is none, or None."""
        config = self.env["meta.capi.config"]
        if (
            config._get(setting.EXCLUDE_ZERO_ORDERS)
            and currency.compare_amounts(amount, 0) <= 0
        ):
            return Refusal("nothing_to_pay", _("There is nothing to pay."))
        if config._get(setting.EXCLUDE_TEST_PAYMENTS) and any(
            transaction.provider_id.state == "test"
            for transaction in transactions
            if transaction.state in ("pending", "authorized", "done")
        ):
            return Refusal(
                "test_payment",
                _("It was paid through a payment provider in test mode."),
            )
        return None

    def _meta_capi_money_back_documents(self):
        """Return what may have given back money of this sale: a list of recordsets."""
        return []

    def _meta_capi_subjects(self, event_name):
        """Return the records that an event is about that this record sets off."""
        return self

    def _meta_capi_is_paid(self):
        """Tell whether it is paid in full; what nobody pays for is."""
        return True

    def _meta_capi_bought_at(self):
        """Return when the customer bought, as Odoo stores it.

        What the customer bought before that makes the customer a known one.
        """
        self.ensure_one()
        field = self._fields.get("date_order")
        is_moment = field and field.type == "datetime"
        moment = is_moment and self.date_order
        if not moment and "create_date" in self._fields:
            moment = self.create_date
        return moment or fields.Datetime.now()

    def _meta_capi_event_id(self, event_name):
        """Return the id of an event that happens once to this record, else None."""
        return None

    def _meta_capi_is_recorded(self, event_name):
        """Tell whether the event with that id is on record, even if purged since."""
        return False

    def _meta_capi_set_recorded(self, event_name):
        """Remember that the event with that id is on record."""

    def _meta_capi_sold_since(self, since, websites):
        """Return the domain of the records that may have been sold since a moment.

        Of a model that ``meta.capi.backfill`` names among its sources.
        """
        raise NotImplementedError

    def _meta_capi_sold_times(self):
        """Return the moments at which these records were sold, by their ids.

        One that is not sold, or not yet as the settings see it, is left out.
        """
        return {}

    def _meta_capi_sold_rule(self, websites):
        """Tell people what counts as sold."""
        return ""

    def _meta_capi_website(self):
        """Return the website this record belongs to, maybe empty."""
        self.ensure_one()
        if self._meta_capi_has("website_id", "website"):
            return self.website_id
        return self.env["website"]

    def _meta_capi_company(self):
        """Return the company this record belongs to, maybe empty."""
        self.ensure_one()
        if self._meta_capi_has("company_id", "res.company"):
            return self.company_id
        return self.env["res.company"]
