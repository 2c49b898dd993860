import json
import time

from odoo import api, models
from odoo.http import request
from odoo.tools import ormcache

from ...capi import browser
from ...capi.reading import start_of
from ...capi.url import is_same_host, sanitized_url
from ...capi.user_agent import is_person
from ..common.border import border
from ..recording.meta_capi_browser import KEPT
from ..settings import setting

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


class MetaCapiVisit(models.AbstractModel):
    """The visit at hand: the website, the visitor and the consent of the request that is
    being answered, and the snapshot of the browser that made it.
    """

    _name = "meta.capi.visit"
    _description = "Visit of a Website, for Meta"

    @api.model
    def _website(self):
        """Return the website that is being visited, or None."""
        is_visit = request and getattr(request, "is_frontend", False)
        return request.website if is_visit else None

    @api.model
    def _is_website_tracking(self):
        """Tell whether visitors of the website at hand are to leave any trace with us."""
        config = self.env["meta.capi.config"]
        website = self._website()
        return bool(website and config._is_enabled() and config._pixel_id(website))

    @api.model
    def _visitor(self):
        """Return the partner of the customer who is logged in, maybe empty."""
        user = request.env.user if self._website() else self.env["res.users"]
        known = user and not user._is_public() and not self._is_employee()
        return user.partner_id.sudo() if known else self.env["res.partner"]

    @api.model
    def _is_customer(self):
        """Tell whether it is somebody whose visit counts: no employee and no robot."""
        return self._is_person() and not self._is_employee()

    @api.model
    def _is_employee(self):
        """Tell whether the user is of the back office.

        By the group, which Odoo keeps for each user; ``_is_internal`` would read the user
        for it, and we ask with each event of a visitor.
        """
        return request.env.user.has_group("base.group_user")

    @api.model
    def _is_person(self):
        """Tell whether the request is a person's; Odoo's own list of robots takes the
        browsers of Meta's apps for some."""
        return is_person(request.httprequest.user_agent.string)

    @api.model
    def _is_on_behalf_of(self, partner):
        """Tell whether somebody of the back office does what is another's, ``partner``'s.

        :param partner: None: the visitor's own
        """
        is_own = partner is None or partner == request.env.user.partner_id
        return not is_own and self._is_employee()

    @api.model
    def _snapshot(self, partner=None):
        """Return what the visitor's request tells.

        Empty where no page of a website is being asked for, or by a robot, or by
        somebody of the back office on behalf of the customer; and while we are switched
        off or have no pixel.

        :param partner: the customer whom the event is about, None: the visitor
        """
        if not self._is_website_tracking():
            return {}
        if self._is_on_behalf_of(partner):
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
            "event_source_url": sanitized_url(page),
            "referrer_url": sanitized_url(referrer),
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
        self._recall_bar()
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
    def _recall_bar(self):
        """Let Odoo know without a statement whether the website has a cookies bar.

        It reads that field of the record, which fetches a hundred columns; and we ask it
        for each request of a visitor, also for a page that comes from a cache.
        """
        website = self._website()
        if "cookies_bar" not in website._cache:
            has_bar = self._has_bar(website.id)
            website._update_cache({"cookies_bar": has_bar}, validate=False)

    @api.model
    @ormcache("website_id")
    def _has_bar(self, website_id):
        # A change of a website clears the cache.
        return self.env["website"].sudo().browse(website_id).cookies_bar

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
    def _update_cookies(self):
        """See to the cookies of the visitor whose request is being answered.

        An employee's, too: who logs in for a moment keeps the click on an ad. Where the
        request has made an event, that is done.
        """
        if (
            _COOKIES in request.httprequest.environ
            or not self._is_website_tracking()
            or not self._is_person()
            or self._is_prefetch()
        ):
            return
        consent = self._consent()
        if consent:
            self._cookies()
        elif consent is False:
            with border(self.env.cr, "Withdrawn consent could not be honoured"):
                self._withdraw_consent()

    @api.model
    def _withdraw_consent(self):
        """Forget the browser whose user takes back the consent, and what waits of it.

        A read-only request cannot write: the cookies stay, and the next one sees to it.
        Where the consent tool has taken the cookies away itself, the visitor's order
        still tells them.
        """
        browsers = self.env["meta.capi.browser"]
        cookies = request.httprequest.cookies
        traces = {(cookies.get("_fbc"), cookies.get("_fbp"))} - {(None, None)}
        has_cookies, orders = bool(traces), self._orders_with_consent()
        if not (has_cookies or orders) or getattr(self.env.cr, "readonly", False):
            return
        for order in orders:
            kept = browsers._snapshot_of(order)
            traces.add((kept.get("fbc"), kept.get("fbp")))
            # What is kept may be the consent alone.
            browsers._upsert(order, {"consent": False, **dict.fromkeys(KEPT)})
        for fbc, fbp in traces:
            browsers._withdraw(self._visitor(), fbc, fbp)
        if has_cookies:
            domain, _index = browser.cookie_domain(request.httprequest.host)
            for key in ("_fbc", "_fbp"):
                self._set_cookie(key, "", 0, domain)

    @api.model
    def _orders_with_consent(self):
        """Return the orders of the visitor's session whose browser has consented."""
        browsers = self.env["meta.capi.browser"]
        keys = ("sale_order_id", "sale_last_order_id")
        ids = {request.session.get(key) for key in keys}
        orders = self.env["sale.order"].browse(i for i in ids if isinstance(i, int))
        return orders.filtered(
            lambda order: browsers._snapshot_of(order).get("consent")
        )

    # ------------------------------------------------------- kept with what is made

    @api.model
    def _keep(self, records):
        """Keep what the visitor's request tells with the records it makes or pays.

        The same browser may come by IPv4 one time and by IPv6 another; Meta prefers
        the latter. Of all clicks on ads that led here the newest is kept, whichever of
        the customer's browsers it was in.
        """
        if not self._is_website_tracking():
            return
        with border(self.env.cr, "The visitor's browser could not be kept"):
            self._keep_each(records.sudo())

    @api.model
    def _keep_newer(self, record):
        """Keep the visitor's browser of now with what a browser of theirs has made."""
        browsers = self.env["meta.capi.browser"]
        if browsers._snapshot_of(record):
            self._keep(record)

    def _keep_each(self, records):
        browsers = self.env["meta.capi.browser"]
        for record in records:
            data = self._snapshot(record._meta_capi_partner())
            if not data:
                continue
            kept = browsers._snapshot_of(record)
            if kept.get("client_user_agent") == data.get("client_user_agent"):
                data["client_ip_address"] = browser.public_address(
                    data.get("client_ip_address"), kept.get("client_ip_address")
                )
            consent = bool(data["consent"])
            if consent:
                data["fbc"] = browser.newest_fbc(data.get("fbc"), kept.get("fbc"))
            kept = {column: data.get(column) for column in KEPT}
            browsers._upsert(record, {"consent": consent, **kept})
