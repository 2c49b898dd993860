from . import ir_http
from . import meta_capi_bridge
from . import website_page
