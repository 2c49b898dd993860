from odoo import _

from ..common.standard_events import EVENTS, standard_name


class EventWords:
    """Meta's standard events in the words of the person who chooses one."""

    def __init__(self, env):
        self.env = env

    def rules(self, name):
        """Return in words what Meta wants of an event of this name."""
        event = EVENTS.get(name)
        if not event:
            lines = [
                _(
                    "A custom event. Meta counts it under this name; to optimise ads for"
                    " it, make a Custom Conversion of it in Events Manager."
                ),
                _(
                    "Its name must not tell anything of a person's health, finances,"
                    " religion, politics, sex life, ethnic origin or offences, nor be of"
                    " children: Meta forbids it."
                ),
            ]
            if standard_name(name):
                known = standard_name(name)
                lines.insert(
                    0,
                    _(
                        "Meta knows %s, spelled exactly like this; this is not it.",
                        known,
                    ),
                )
            return "\n".join(lines)
        lines = [self._meanings()[name]]
        if event.required:
            lines.append(_("Required: %s.", self._tell_keys(event.required)))
        if event.taken:
            lines.append(_("Optional: %s.", self._tell_keys(event.taken)))
        if event.is_about_products:
            lines.append(_("For ads of a catalogue: the products, or their IDs."))
        if not (event.required or event.taken):
            lines.append(_("It needs nothing but the person it happened to."))
        return "\n".join(lines)

    def _tell_keys(self, keys):
        """Return keys of ``custom_data`` in words, with Meta's own name."""
        labels = {
            "content_ids": _("IDs of the products"),
            "content_type": _("what the IDs are of"),
            "contents": _("products with quantity and price"),
            "currency": _("currency"),
            "num_items": _("number of items"),
            "predicted_ltv": _("expected lifetime value"),
            "search_string": _("what was searched for"),
            "status": _("whether it succeeded"),
            "value": _("value"),
        }
        return ", ".join(
            label if label == key else f"{label} ({key})"
            for key, label in ((key, labels[key]) for key in keys)
        )

    def _meanings(self):
        return {
            "AddPaymentInfo": _("Somebody enters how to pay."),
            "AddToCart": _("Somebody puts a product in the cart."),
            "AddToWishlist": _("Somebody puts a product on the wishlist."),
            "CompleteRegistration": _("Somebody signs up."),
            "Contact": _("Somebody contacts the shop, by phone, e-mail or chat."),
            "CustomizeProduct": _("Somebody configures a product."),
            "Donate": _("Somebody donates."),
            "FindLocation": _("Somebody looks up a place to go to."),
            "InitiateCheckout": _("Somebody begins to check out."),
            "Lead": _("Somebody becomes a lead, such as by filling in a form."),
            "PageView": _("Somebody opens a page."),
            "Purchase": _("Somebody buys."),
            "Schedule": _("Somebody makes an appointment."),
            "Search": _("Somebody searches the website."),
            "StartTrial": _("Somebody begins a free trial."),
            "SubmitApplication": _("Somebody applies for something."),
            "Subscribe": _("Somebody begins a paid subscription."),
            "ViewContent": _("Somebody looks at a product or a page that matters."),
        }
