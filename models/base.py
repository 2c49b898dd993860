from odoo import _, models

from ..capi.money import allocate, unit_price
from ..capi.names import split_name
from .refusal import Refusal

# Where models that are not among our dependencies keep what a record is worth, and in
# which currency: CRM's opportunities.
_AMOUNT_FIELDS = (("expected_revenue", "company_currency"),)
# Countries whose states Meta wants as codes; elsewhere as names.
_STATE_CODE_COUNTRIES = ("US", "CA")


class Base(models.AbstractModel):
    """What any record can tell Meta when an event is about it.

    Each method is one answer, made to be overridden by the model that knows better.
    """

    _inherit = "base"

    def _meta_capi_partner(self):
        """Return the customer, a ``res.partner``, maybe empty."""
        self.ensure_one()
        field = self._fields.get("partner_id")
        if field and field.comodel_name == "res.partner":
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
        """Return raw ``user_data`` from the fields Odoo's models keep a contact in."""

        def get(*names):
            values = (self[name] for name in names if name in self._fields)
            return next(filter(None, values), None)

        # Odoo 19 has no mobile number any more.
        phones = [phone for phone in (get("phone"), get("mobile")) if phone]
        country, state = get("country_id"), get("state_id")
        has_code = country and country.code in _STATE_CODE_COUNTRIES
        first_names, last_names = self._meta_capi_split_name(get("contact_name"))
        contact = {
            "em": get("email_normalized", "email_from", "email"),
            "ph": phones[0] if len(phones) == 1 else phones,
            "fn": first_names,
            "ln": last_names,
            "ct": get("city"),
            "st": state and (state.code if has_code else state.name),
            "zp": get("zip"),
            "country": country and country.code,
        }
        return {key: value for key, value in contact.items() if value}

    def _meta_capi_split_name(self, name):
        """Return the first and the last name of a person known by one name.

        Either is a list where the name can be read in several ways.
        """
        if not name:
            return None, None
        fields = self._fields
        country = self.country_id.code if "country_id" in fields else None
        language = title = None
        if "lang" in fields:
            language = self.lang
        elif "lang_id" in fields and fields["lang_id"].comodel_name == "res.lang":
            language = self.lang_id.code
        # Odoo 19 has no titles any more.
        if "title" in fields and fields["title"].comodel_name == "res.partner.title":
            title = self.title.name
        return [
            found[0] if len(found) == 1 else found
            for found in split_name(name, country, language, title)
        ]

    def _meta_capi_browser_data(self):
        """Return what was kept of the customer's browser; see ``meta.capi.browser``."""
        self.ensure_one()
        return self.env["meta.capi.browser"]._of(self)

    def _meta_capi_custom_data(self, event_name):
        """Return the ``custom_data`` of an event about this record, or None."""
        self.ensure_one()
        for amount, currency in _AMOUNT_FIELDS:
            if {amount, currency} <= self._fields.keys() and self[currency]:
                return {"value": self[amount], "currency": self[currency].name}
        return None

    def _meta_capi_products_data(self, value, currency, items):
        """Return the ``custom_data`` of products that are worth ``value`` together.

        What a discount takes off, or delivery adds, is spread over the products: the
        contents add up to the value to the cent.

        :param items: triples of a product, its quantity and the amount of its line
        """
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
        return {
            "currency": currency.name,
            "value": currency.round(value),
            "content_type": self.env["meta.capi.config"]._content_type(),
            "content_ids": [content["id"] for content in contents],
            "contents": contents,
            "num_items": int(sum(quantity for _product, quantity, _amount in items)),
        }

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
        if config._excludes_zero_orders() and currency.compare_amounts(amount, 0) <= 0:
            return Refusal("nothing_to_pay", _("There is nothing to pay."))
        if config._excludes_test_payments() and any(
            transaction.provider_id.state == "test"
            for transaction in transactions
            if transaction.state in ("pending", "authorized", "done")
        ):
            return Refusal(
                "test_payment",
                _("It was paid through a payment provider in test mode."),
            )
        return None

    def _meta_capi_subjects(self, event_name):
        """Return the records that an event is about that this record sets off."""
        return self

    def _meta_capi_is_paid(self):
        """Tell whether it is paid in full; what nobody pays for is."""
        return True

    def _meta_capi_event_id(self, event_name):
        """Return the id of an event that happens once to this record, else None."""
        return None

    def _meta_capi_is_recorded(self, event_name):
        """Tell whether the event with that id is on record, even if purged since."""
        return False

    def _meta_capi_set_recorded(self, event_name):
        """Remember that the event with that id is on record."""

    def _meta_capi_website(self):
        """Return the website this record belongs to, maybe empty."""
        self.ensure_one()
        field = self._fields.get("website_id")
        if field and field.comodel_name == "website":
            return self.website_id
        return self.env["website"]

    def _meta_capi_company(self):
        """Return the company this record belongs to, maybe empty."""
        self.ensure_one()
        field = self._fields.get("company_id")
        if field and field.comodel_name == "res.company":
            return self.company_id
        return self.env["res.company"]
