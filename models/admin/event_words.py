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
            "AddPaymentInfo": _("A customer adds payment information."),
            "AddToCart": _("A product is added to the cart."),
            "AddToWishlist": _("A product is added to a wishlist."),
            "CompleteRegistration": _("A person completes a registration."),
            "Contact": _("A person contacts the shop by phone, e-mail or chat."),
            "CustomizeProduct": _("A product is configured."),
            "Donate": _("A person donates."),
            "FindLocation": _("A person looks for one of your locations."),
            "InitiateCheckout": _("A customer begins to check out."),
            "Lead": _("A person becomes a lead, such as by filling in a form."),
            "PageView": _("A visitor opens a page."),
            "Purchase": _("A purchase is made."),
            "Schedule": _("A person books an appointment."),
            "Search": _("A visitor searches the website."),
            "StartTrial": _("A person starts a free trial."),
            "SubmitApplication": _("A person applies for a product or a service."),
            "Subscribe": _("A person starts a paid subscription."),
            "ViewContent": _("A visitor views a product or another important page."),
        }
