import json
import time
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.http import request
from odoo.tools import SQL
from odoo.tools.sql import column_exists

from ...capi import browser, const
from ...capi.reading import start_of
from ...capi.url import is_same_host, tellable_url
from ...capi.user_agent import is_person
from ..common.border import border
from ..common.refusal import Refusal
from ..outbox.outbox import EventTable
from ..settings import setting

# Keys of user_data that a browser's request tells, and what it tells besides.
TRACES = ("client_ip_address", "client_user_agent", "fbc", "fbp")
URLS = ("event_source_url", "referrer_url")
_KEPT = (*TRACES, *URLS)
_NOTHING = SQL(", ").join(SQL("%s = NULL", SQL.identifier(column)) for column in _KEPT)

# Where a request's own cookies are kept while it lasts: it may be asked several times.
_COOKIES = "meta_capi.cookies"
_CONSENT_COOKIE = "website_cookies_bar"
# What the script has heard from the page's own tools; "-": asked, and not answered yet.
_ANSWER_COOKIE = "meta_capi_consent"
_ANSWERS = {"1": True, "0": False, "-": None}
# Pages that the visitor has not opened, and perhaps never will, are asked for with it.
_PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")
# Where the pages that an event tells of are kept while its request lasts.
_PAGES = "meta_capi.pages"
# After which a copy that the browser sends again would soon count as another.
REPEAT_AFTER = timedelta(seconds=const.DAY)
# Rows deleted by one run of the retention; the next run goes on.
_PURGE_LIMIT = 50_000
# The answer to the question for consent is kept for as long as an order can wait.
_CONSENT_DAYS = 730


class MetaCapiBrowser(models.Model):
    """The browser of a customer: what its request tells, kept with what was made.

    A row belongs to one record, an order or a lead, made in the visitor's request.
    When that is confirmed hours later, by a payment provider's message, an employee or
    a scheduled action, the event still carries the customer's browser.

    What is kept is a dict: ``consent``, the keys of ``user_data`` in ``TRACES``, and
    ``URLS``. Consent is True, False, or None where the visitor was asked and has not
    answered; without it there is nothing else.
    """

    _name = "meta.capi.browser"
    _description = "Browser of a Customer, for Meta"
    _rec_name = "res_model"

    res_model = fields.Char("Document Model", readonly=True, required=True)
    res_id = fields.Many2oneReference(
        "Document ID", model_field="res_model", readonly=True, required=True
    )
    consent = fields.Boolean(readonly=True)
    client_ip_address = fields.Char("Client IP Address", readonly=True)
    client_user_agent = fields.Char(readonly=True)
    fbc = fields.Char(readonly=True)
    fbp = fields.Char(readonly=True)
    event_source_url = fields.Char("Event Source URL", readonly=True)
    referrer_url = fields.Char("Referrer URL", readonly=True)
    purchase_handed_at = fields.Datetime(
        readonly=True, help="Since when the browser knows the Purchase's ID."
    )
    purchase_sent_at = fields.Datetime(
        readonly=True, help="When the browser's Pixel had really sent the Purchase."
    )

    def _auto_init(self):
        """Take what earlier versions kept for what it was: the ID was handed out."""
        cr = self.env.cr
        is_earlier = column_exists(cr, self._table, "purchase_sent_at")
        is_earlier = is_earlier and not column_exists(
            cr, self._table, "purchase_handed_at"
        )
        result = super()._auto_init()
        if is_earlier:
            cr.execute(
                "UPDATE meta_capi_browser SET purchase_handed_at = purchase_sent_at,"
                " purchase_sent_at = NULL WHERE purchase_sent_at IS NOT NULL"
            )
        return result

    def init(self):
        cr = self.env.cr
        cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS meta_capi_browser_unique"
            " ON meta_capi_browser (res_model, res_id)"
        )
        # Consent withdrawn: what was kept of this browser.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_browser_fbp"
            " ON meta_capi_browser (fbp) WHERE fbp IS NOT NULL"
        )
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_browser_fbc"
            " ON meta_capi_browser (fbc) WHERE fbc IS NOT NULL"
        )
        # The retention.
        cr.execute(
            "CREATE INDEX IF NOT EXISTS meta_capi_browser_write_date"
            " ON meta_capi_browser (write_date)"
        )

    # ------------------------------------------------------------- the request at hand

    @api.model
    def _website(self):
        """Return the website that is being visited, or None."""
        is_visit = request and getattr(request, "is_frontend", False)
        return request.website if is_visit else None

    @api.model
    def _is_followed(self):
        """Tell whether visitors of the website at hand are to leave any trace with us."""
        config = self.env["meta.capi.config"]
        website = self._website()
        return bool(website and config._is_enabled() and config._pixel_id(website))

    @api.model
    def _visitor(self):
        """Return the partner of the customer who is logged in, maybe empty."""
        user = request.env.user if self._website() else self.env["res.users"]
        known = user and not user._is_public() and not user._is_internal()
        return user.partner_id.sudo() if known else self.env["res.partner"]

    @api.model
    def _is_customer(self):
        """Tell whether it is somebody whose visit counts: no employee and no robot."""
        return self._is_person() and not request.env.user._is_internal()

    @api.model
    def _is_person(self):
        """Tell whether the request is a person's; Odoo's own list of robots takes the
        browsers of Meta's apps for some."""
        return is_person(request.httprequest.user_agent.string)

    @api.model
    def _of_request(self, partner=None):
        """Return what the visitor's request tells.

        Empty where no page of a website is being asked for, or by a robot, or by
        somebody of the back office on behalf of the customer; and while we are switched
        off or have no pixel.

        :param partner: the customer whom the event is about, None: the visitor
        """
        if not self._is_followed():
            return {}
        user = request.env.user
        if partner is not None and user._is_internal() and partner != user.partner_id:
            return {}
        if not self._is_person() or self._is_prefetch():
            return {}
        consent = self._consent()
        if not consent:
            return {"consent": consent}
        httprequest = request.httprequest
        page, referrer = httprequest.url, httprequest.referrer
        if httprequest.method != "GET":
            # A script's call is made from the page that refers to it.
            page, referrer = referrer, None
        data = {
            "consent": True,
            "client_ip_address": browser.public_address(
                browser.address_of_cookie(httprequest.cookies.get("_fbi")),
                httprequest.remote_addr,
            ),
            "client_user_agent": start_of(httprequest.user_agent.string),
            **self._cookies(),
            "event_source_url": tellable_url(page),
            "referrer_url": tellable_url(referrer),
        }
        return {key: value for key, value in data.items() if value}

    @api.model
    def _consent(self):
        """Return whether the visitor lets us; None where there is no answer yet.

        Whoever asks: a no of the website's bar, or of a tool of the page's, is one, and
        where two disagree the stricter wins.
        """
        source = self.env["meta.capi.config"]._get(
            setting.CONSENT_SOURCE, self._website()
        )
        unasked = None if source == "external" else True
        answers = [
            _ANSWERS.get(request.httprequest.cookies.get(_ANSWER_COOKIE), unasked)
        ]
        of_bar = self._consent_of_bar()
        if source == "odoo" or of_bar is False:
            answers.append(of_bar)
        return next((strict for strict in (False, None) if strict in answers), True)

    @api.model
    def _consent_of_bar(self):
        """Return what the visitor has told the website's cookies bar, if it has one."""
        try:
            if request.env["ir.http"]._is_allowed_cookie("optional"):
                return True
        except ValueError:  # the cookie holds no JSON
            return None
        try:
            answer = json.loads(request.httprequest.cookies.get(_CONSENT_COOKIE) or "")
        except ValueError:
            return None
        # One of before Odoo 16 is no answer: the visitor is asked again.
        return False if isinstance(answer, dict) and "optional" in answer else None

    @api.model
    def _is_prefetch(self):
        """Tell whether the browser asks for a page that nobody looks at, yet."""
        headers = getattr(request.httprequest, "headers", {})
        return any("prefetch" in headers.get(name, "") for name in _PREFETCH_HEADERS)

    @api.model
    def _cookies(self):
        """Return ``fbc`` and ``fbp`` of the visitor's browser, made where missing.

        A click on an ad is in the URL of the page it led to, and in the referrer of the
        next one, which is what is left of it where consent was given on the first: of
        two tabs it may be the older one, so that it replaces no click that is known.
        The event of a page that was not asked for in its own request tells both.
        """
        httprequest = request.httprequest
        if _COOKIES in httprequest.environ:
            return httprequest.environ[_COOKIES]
        domain, index = browser.cookie_domain(httprequest.host)
        now = int(time.time() * 1000)
        cookies = httprequest.cookies
        shown = [httprequest.url, *httprequest.environ.get(_PAGES, ())[:1]]
        before = [httprequest.referrer, *httprequest.environ.get(_PAGES, ())[1:]]
        if httprequest.method != "GET":
            # A script's call is made from the page that refers to it.
            shown, before = [*shown, httprequest.referrer], before[1:]
        fbc = browser.current_fbc(
            cookies.get("_fbc"), self._click_of(shown), now, index
        )
        if not fbc:
            fbc = browser.current_fbc(None, self._click_of(before), now, index)
        found = {
            "fbc": fbc,
            # Where a Pixel comes later, it takes over the one that is there.
            "fbp": (
                cookies.get("_fbp")
                if browser.is_browser_id(cookies.get("_fbp"))
                else browser.make_fbp(now, index)
            ),
        }
        for key, value in found.items():
            if value and value != cookies.get(f"_{key}"):
                self._set_cookie(f"_{key}", value, browser.COOKIE_MAX_AGE, domain)
        httprequest.environ[_COOKIES] = found
        return found

    @api.model
    def _click_of(self, pages):
        """Return the click that one of these pages of the website was led to by."""
        host = request.httprequest.host
        own = (page for page in pages if is_same_host(page, host))
        return next(filter(None, map(browser.read_fbclid, own)), None)

    @api.model
    def _note_pages(self, *urls):
        """Let the click that one of these pages of the visit came by count."""
        request.httprequest.environ[_PAGES] = urls

    @api.model
    def _set_cookie(self, key, value, max_age, domain):
        request.future_response.set_cookie(
            key,
            value,
            max_age=max_age,
            expires=None,
            domain=domain,
            secure=request.httprequest.scheme == "https",
            # Not HttpOnly: the Pixel reads and uses the same cookies.
            samesite="Lax",
        )

    @api.model
    def _follow(self):
        """See to the cookies of the visitor whose request is being answered."""
        if not self._is_followed() or not self._is_person() or self._is_prefetch():
            return
        consent = self._consent()
        if consent:
            self._cookies()
        elif consent is False:
            with border(self.env.cr, "Withdrawn consent could not be honoured"):
                self._honour_withdrawal()

    @api.model
    def _honour_withdrawal(self):
        """Forget the browser whose user takes back the consent, and what waits of it.

        A read-only request cannot write: the cookies stay, and the next one sees to it.
        Where the consent tool has taken the cookies away itself, the visitor's order
        still tells them.
        """
        cookies = request.httprequest.cookies
        traces = {(cookies.get("_fbc"), cookies.get("_fbp"))} - {(None, None)}
        has_cookies, orders = bool(traces), self._orders_with_consent()
        if not (has_cookies or orders) or getattr(self.env.cr, "readonly", False):
            return
        for order in orders:
            kept = self._of(order)
            traces.add((kept.get("fbc"), kept.get("fbp")))
            # What is kept may be the consent alone.
            self._upsert(order, {"consent": False, **dict.fromkeys(_KEPT)})
        for fbc, fbp in traces:
            self._withdraw(self._visitor(), fbc, fbp)
        if has_cookies:
            domain, _index = browser.cookie_domain(request.httprequest.host)
            for key in ("_fbc", "_fbp"):
                self._set_cookie(key, "", 0, domain)

    @api.model
    def _orders_with_consent(self):
        """Return the orders of the visitor's session whose browser has consented."""
        keys = ("sale_order_id", "sale_last_order_id")
        ids = {request.session.get(key) for key in keys}
        orders = self.env["sale.order"].browse(i for i in ids if isinstance(i, int))
        return orders.filtered(lambda order: self._of(order).get("consent"))

    @api.model
    def _withdraw(self, partner, fbc=None, fbp=None):
        """Cancel what is still to be sent of this browser or partner, and forget it."""
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_browser SET consent = false, %s,"
                " write_date = now() AT TIME ZONE 'UTC'"
                " WHERE fbp = %s OR fbc = %s",
                _NOTHING,
                fbp,
                fbc,
            )
        )
        table = EventTable(self.env(su=True))
        ids = table.lock_of_visitor(fbp, fbc, partner.id or None)
        refusal = Refusal(
            "consent_withdrawn",
            _("The visitor has withdrawn the consent to optional cookies."),
        )
        table.refuse(ids, refusal)
        self.invalidate_model(flush=False)

    # -------------------------------------------------------------- kept with a record

    @api.model
    def _of(self, record):
        """Return what is kept with ``record``; empty where no browser ever made it."""
        columns = ("consent", *_KEPT)
        self.env.cr.execute(
            SQL(
                "SELECT %s FROM meta_capi_browser WHERE res_model = %s AND res_id = %s"
                " AND consent IS NOT NULL",
                SQL(", ").join(map(SQL.identifier, columns)),
                record._name,
                record.id,
            )
        )
        row = self.env.cr.fetchone() or ()
        kept = dict(zip(columns, row, strict=False))
        return {key: value for key, value in kept.items() if value is not None}

    @api.model
    def _keep(self, records):
        """Keep what the visitor's request tells with the records it makes or pays.

        The same browser may come by IPv4 one time and by IPv6 another; Meta prefers
        the latter. Of all clicks on ads that led here the newest is kept, whichever of
        the customer's browsers it was in.
        """
        if not self._is_followed():
            return
        with border(self.env.cr, "The visitor's browser could not be kept"):
            self._keep_each(records.sudo())

    @api.model
    def _keep_newer(self, record):
        """Keep the visitor's browser of now with what a browser of theirs has made."""
        if self._of(record):
            self._keep(record)

    def _keep_each(self, records):
        for record in records:
            data = self._of_request(record._meta_capi_partner())
            if not data:
                continue
            kept = self._of(record)
            if kept.get("client_user_agent") == data.get("client_user_agent"):
                data["client_ip_address"] = browser.public_address(
                    data.get("client_ip_address"), kept.get("client_ip_address")
                )
            consent = bool(data["consent"])
            if consent:
                data["fbc"] = browser.newest_fbc(data.get("fbc"), kept.get("fbc"))
            kept = {column: data.get(column) for column in _KEPT}
            self._upsert(record, {"consent": consent, **kept})

    @api.model
    def _upsert(self, record, values):
        """Write ``values`` on the row of ``record``, made where missing."""
        columns = [SQL.identifier(column) for column in values]
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO meta_capi_browser (
                    res_model, res_id, create_uid, create_date, write_uid, write_date, %s
                ) VALUES (%s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (res_model, res_id) DO UPDATE
                   SET write_date = EXCLUDED.write_date, %s
                """,
                SQL(", ").join(columns),
                record._name,
                record.id,
                self.env.uid,
                now,
                self.env.uid,
                now,
                SQL(", ").join(SQL("%s", value) for value in values.values()),
                SQL(", ").join(SQL("%s = EXCLUDED.%s", c, c) for c in columns),
            )
        )
        self.invalidate_model(flush=False)

    @api.model
    def _hand_out_purchase(self, record):
        """Remember that the browser learns the id of ``record``'s Purchase.

        Meta tells two copies by their id for 48 hours from the first one. Whether the
        Pixel sends what it was given is not known: at the earliest, now.

        :return: whether the browser has had it for so long that it must not send again
        """
        self.env.cr.execute(
            SQL(
                "SELECT purchase_handed_at FROM meta_capi_browser"
                " WHERE res_model = %s AND res_id = %s",
                record._name,
                record.id,
            )
        )
        (handed_at,) = self.env.cr.fetchone() or (None,)
        now = fields.Datetime.now()
        if not handed_at:
            self._upsert(record, {"purchase_handed_at": now})
        return bool(handed_at and now - handed_at > REPEAT_AFTER)

    @api.model
    def _note_purchase_sent(self, record):
        """Remember that the browser's Pixel has sent the Purchase, from the first time."""
        self.env.cr.execute(
            SQL(
                "UPDATE meta_capi_browser SET purchase_sent_at = %s"
                " WHERE res_model = %s AND res_id = %s AND purchase_sent_at IS NULL"
                " AND purchase_handed_at IS NOT NULL",
                fields.Datetime.now(),
                record._name,
                record.id,
            )
        )
        self.invalidate_model(flush=False)

    @api.model
    def _forget(self, documents):
        """Forget the browsers that made these documents, but not whether they consented.

        :param documents: pairs of a model and an id
        """
        if documents:
            self.env.cr.execute(
                SQL(
                    "UPDATE meta_capi_browser SET %s WHERE (res_model, res_id) IN %s",
                    _NOTHING,
                    tuple(documents),
                )
            )
            self.invalidate_model(flush=False)

    @api.autovacuum
    def _gc_personal(self):
        """Forget browsers past the retention of personal data."""
        days = self.env["meta.capi.config"]._get(setting.USER_DATA_RETENTION_DAYS)
        if days >= 0:
            self.env.cr.execute(
                SQL(
                    """
                    UPDATE meta_capi_browser SET %s
                     WHERE id IN (
                        SELECT id FROM meta_capi_browser
                         WHERE write_date < %s
                           AND (client_user_agent IS NOT NULL OR fbp IS NOT NULL)
                         LIMIT %s
                     )
                    """,
                    _NOTHING,
                    fields.Datetime.now() - timedelta(days=days),
                    _PURGE_LIMIT,
                )
            )
        self.search(
            [
                (
                    "write_date",
                    "<",
                    fields.Datetime.now() - timedelta(days=_CONSENT_DAYS),
                )
            ],
            limit=_PURGE_LIMIT,
        ).unlink()
        self.invalidate_model(flush=False)
