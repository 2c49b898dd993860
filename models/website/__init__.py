from . import ir_http
from . import meta_capi_bridge
from . import meta_capi_page
from . import meta_capi_visit
from . import website_page
