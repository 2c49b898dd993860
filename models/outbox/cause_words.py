from odoo import _

# Why an event is not with Meta, in a few words: they have to fit a line of a list.
CAUSES = [
    ("token_expired", "Access token expired"),
    ("token", "Access token not valid"),
    ("no_token", "No access token"),
    ("unused", "Pixel of no website"),
    ("signature", "App requires a signature"),
    ("permission", "No permission for the pixel"),
    ("blocked", "Blocked for breaking a policy"),
    ("pixel_id", "Pixel not found"),
    ("version", "API version retired"),
    ("setting", "Setting not usable"),
    ("no_reason", "Refused without a reason"),
    ("rate_limit", "Too many requests"),
    ("meta_down", "Trouble at Meta"),
    ("unreachable", "Meta not reached"),
    ("no_runner", "Nothing delivers"),
    ("off", "Switched off"),
    ("unknown", "Undocumented answer"),
    ("exhausted", "Given up after ten tries"),
    ("expired", "Too late for Meta"),
    ("expired_copy", "Too late for a second copy"),
    ("clock", "Server's clock is ahead"),
    ("event_time", "Time too old or in the future"),
    ("event_name", "Name or ID not usable"),
    ("user_data", "Insufficient customer information"),
    ("user_data_key", "Customer data not usable"),
    ("currency", "Currency missing or wrong"),
    ("value", "Value missing or wrong"),
    ("contents", "Products not usable"),
    ("custom_data", "Event data not usable"),
    ("url", "URL not usable"),
    ("origin", "Record gone or not named"),
    ("ldu", "Limited Data Use not usable"),
    ("lead_id", "Lead not known to Meta"),
    ("channel", "Not an event of a website"),
    ("too_large", "Too large"),
    ("argument", "Argument not usable"),
    ("unprepared", "Error while recording"),
    ("refused", "Refused by Meta"),
    ("no_consent", "No consent to cookies"),
    ("consent_withdrawn", "Consent withdrawn"),
    ("objection", "Customer objects"),
    ("no_browser", "Made without a browser"),
    ("internal_user", "Customer is an internal user"),
    ("excluded_tag", "Customer has an excluded tag"),
    ("nothing_to_pay", "Nothing to pay"),
    ("test_payment", "Paid in test mode"),
    ("deleted", "Customer deleted"),
    ("anonymised", "Customer anonymised"),
    ("cancelled_by_hand", "Cancelled manually"),
    ("cancelled", "Not to be sent"),
]


class CauseWords:
    """The words for what keeps an event from Meta, in the reader's language."""

    def __init__(self, env):
        self.env = env

    def label(self, key):
        """Return a cause in a few words."""
        labels = self.env["ir.model.fields"].get_field_selection(
            "meta.capi.event", "cause"
        )
        return dict(labels).get(key, "")

    def cure(self, key):
        """Return what to do about a cause, in a sentence or two."""
        return self.cures().get(key, "")

    def cures(self):
        """Return all of them by their keys: one function, as each text is one literal."""
        no_consent = _(
            "Nothing to do: it is the visitor's choice in the cookies bar. Consent given"
            " later counts from then on."
        )
        settings = _(
            "On purpose. To send such events, change it in Website ▸ Configuration ▸"
            " Settings, under What is never sent."
        )
        gone = _("Nothing to do: nothing about this person is kept or sent.")
        return {
            "no_consent": no_consent,
            "consent_withdrawn": no_consent,
            "objection": _(
                "On purpose: No Events to Meta is ticked on the customer, or on the company"
                " the customer buys for."
            ),
            **dict.fromkeys(
                (
                    "internal_user",
                    "excluded_tag",
                    "nothing_to_pay",
                    "test_payment",
                ),
                settings,
            ),
            "no_browser": _(
                "On purpose. To send such events, tick Send events of documents that no"
                " browser made in Website ▸ Configuration ▸ Settings."
            ),
            "deleted": gone,
            "anonymised": gone,
            "cancelled_by_hand": _(
                "Nothing to do: somebody took it out, and that cannot be undone."
            ),
            "token_expired": _(
                "In Meta's Events Manager open the pixel's Settings, generate a new token"
                " under Conversions API, and paste it in Website ▸ Configuration ▸"
                " Settings. What waits is then sent by itself."
            ),
            "token": _(
                "The token was withdrawn, was cut off when it was copied, or belongs to"
                " another pixel. In Meta's Events Manager open the pixel's Settings, generate"
                " a new token under Conversions API, and paste it in Website ▸ Configuration"
                " ▸ Settings. What waits is then sent by itself."
            ),
            "no_token": _(
                "In Meta's Events Manager open the pixel's Settings, generate a token"
                " under Conversions API, and paste it in Website ▸ Configuration ▸"
                " Settings. What waits is then sent by itself."
            ),
            "unused": _(
                "The website sends to another pixel now. What was never sent can be"
                " moved there: open the pixel and click Move Events."
            ),
            "signature": _(
                "The token belongs to an app of yours at Meta that wants each call signed."
                " Enter the app's secret in Website ▸ Configuration ▸ Settings, switch off"
                " Require App Secret in the app's advanced settings, or use a token"
                " generated in Events Manager."
            ),
            "permission": _(
                "The token may not send to this pixel. In Meta's Business Settings give"
                " the token's system user access to the pixel, or generate a token in"
                " the pixel's own Settings and paste it in Website ▸ Configuration ▸"
                " Settings."
            ),
            "blocked": _(
                "Meta has blocked the account or the app for a while. Look for the notice"
                " in Meta's Business Support Home. We try again every hour."
            ),
            "pixel_id": _(
                "Meta knows no such pixel, or the token may not see it. Compare the pixel"
                " ID in Website ▸ Configuration ▸ Settings with the one in Events Manager,"
                " and generate the token in that pixel's Settings."
            ),
            "version": _(
                "Meta has retired the version of its API that is set. Put a newer one into"
                " the system parameter meta_capi.api_version, or delete it: then the"
                " addon's own is used."
            ),
            "setting": _(
                "A system parameter, meta_capi.graph_url or meta_capi.api_version, cannot"
                " be used. Correct it, or delete it: then the addon's own is used."
            ),
            "no_reason": _(
                "Usually a permission: generate a new token in the pixel's own Settings in"
                " Events Manager and paste it in Website ▸ Configuration ▸ Settings."
                " Otherwise show the trace ID to Meta's support."
            ),
            "rate_limit": _("Nothing to do: we wait as long as Meta asks."),
            "meta_down": _(
                "Nothing to do: it is sent again until Meta takes it. Whether Meta knows"
                " of it is at metastatus.com."
            ),
            "unreachable": _(
                "It is sent again by itself. If it lasts, see whether this server reaches"
                " graph.facebook.com: a firewall, the proxy or the name service may be in"
                " the way."
            ),
            "no_runner": _(
                "Neither the job runner nor the scheduled actions run. Start Odoo with"
                " queue_job among its server-wide modules, and look at the scheduled"
                " action Meta Conversions API: deliver what no job delivers."
            ),
            "off": _(
                "Sending is switched off. Switch the Meta Conversions API on in Website ▸"
                " Configuration ▸ Settings: what waits is then sent by itself."
            ),
            "unknown": _(
                "It is tried a few times. If it goes on, show the trace ID to Meta's"
                " support."
            ),
            "exhausted": _(
                "Look at the requests: Meta's words and the trace ID are there, for Meta's"
                " support. Then press Retry."
            ),
            "expired": _(
                "It cannot be sent any more: Meta takes events for 7 days. See why it waited"
                " so long, so that no others follow."
            ),
            "expired_copy": _(
                "Meta may have a copy from more than 48 hours ago and would count another"
                " one again, so it was not sent. See why it waited so long, so that no"
                " others follow."
            ),
            "clock": _(
                "By Meta's clock the event lies in the future. Set this server's clock by the"
                " network. The event is sent when its time has come by Meta's clock."
            ),
            "event_time": _(
                "Meta takes events of the last 7 days, and none from the future. Correct the"
                " date that the action or the code gives, or leave it out: then it is now."
            ),
            "event_name": _(
                "Give a name, and an ID, of up to 100 characters without an e-mail address"
                " or a phone number, in the action or the code that sends the event."
            ),
            "user_data": _(
                "The event says too little about the person. Fill in the customer's e-mail"
                " address or phone number, with its country code, on the record, and press"
                " Retry."
            ),
            "user_data_key": _(
                "The message names the key. Correct what the action or the code passes as"
                " user_data."
            ),
            "currency": _(
                "A value needs the currency it is in: three letters, such as EUR. Pick the"
                " currency in the server action, or pass it in custom_data."
            ),
            "value": _(
                "A Purchase needs what it is worth, as a number. Pick the value in the"
                " server action, or pass it in custom_data."
            ),
            "contents": _(
                "Each product needs an ID. If products are known by their internal"
                " reference or barcode, see that each has one, or choose another ID in"
                " Website ▸ Configuration ▸ Settings."
            ),
            "custom_data": _(
                "The message names the key. Correct what the action or the code passes as"
                " custom_data; e-mail addresses and phone numbers must not be in it."
            ),
            "url": _("Pass a URL that begins with https://, or none."),
            "origin": _(
                "The record is gone, or the action ran on several at once and did not tell"
                " which one is meant: use an action of the type Send Meta Event, or pass"
                " origin= in its code."
            ),
            "ldu": _(
                "Choose Limited Data Use in Website ▸ Configuration ▸ Settings instead of"
                ' passing it, or pass ["LDU"] with the numbers Meta documents.'
            ),
            "lead_id": _(
                "Meta knows no lead with this ID, or deleted it. Correct the Meta Lead ID,"
                " of 15 to 17 digits, on the lead, or empty it; then Retry."
            ),
            "channel": _(
                "Events of apps and of messengers need data that a shop does not have."
                " Leave action_source out: then it is website, or other."
            ),
            "too_large": _("Pass less custom_data: one event fills a whole request."),
            "argument": _(
                "The message names the argument. Correct the action or the code that sends"
                " the event."
            ),
            "unprepared": _(
                "Something broke while the event was recorded. Odoo's log tells what, under"
                " the name meta.conversions.api."
            ),
            "refused": _(
                "Meta's own words are in the message. Correct the record or the action that"
                " sends the event: those to come are then taken."
            ),
            "cancelled": _("Nothing to do: it is deliberately not sent."),
        }
