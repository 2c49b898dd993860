from werkzeug.exceptions import abort

from odoo import models
from odoo.http import Response, request

from ..common.border import PASSED_THROUGH, log_error
from . import admission

# Where the shop gets the addresses of a wallet: the only page of an express checkout.
_EXPRESS_CHECKOUT = "/shop/express_checkout"
# What the script asks for beside the request that brings it the cookies: were they set
# by each, an event would tell of others than the next one.
_BESIDE = ("/meta_capi/order", "/meta_capi/sent")


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _match(cls, path_info):
        """Refuse who may not speak to the bridge.

        Here, so that a flood costs the shop as little as Odoo lets us: no language, no
        website, no user is looked up, and no body is read.
        """
        if "/meta_capi/" in path_info:
            status = admission.refusal(request.httprequest)
            if status:
                request.session.can_save = False
                abort(Response(status=status))
        return super()._match(path_info)

    @classmethod
    def _post_dispatch(cls, response):
        """Give the visitor's browser the cookies by which Meta knows it.

        With the first page, so that a click on an ad is not lost on the way to the
        order; also where the page itself comes from a cache of Odoo's.
        """
        try:
            path = request.httprequest.path
            if not path.endswith(_BESIDE):
                request.env["meta.capi.visit"]._update_cookies()
            if path.endswith(_EXPRESS_CHECKOUT):
                request.env["meta.capi.bridge"]._begin_express_checkout()
            request.env["meta.capi.bridge"]._hand_over(response)
        except PASSED_THROUGH:
            raise
        except Exception as error:
            # The border: no page of the shop breaks because of us.
            log_error("The visitor's cookies could not be seen to", error)
        return super()._post_dispatch(response)
