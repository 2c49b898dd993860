from . import meta_capi_browser
from . import meta_conversions_api
