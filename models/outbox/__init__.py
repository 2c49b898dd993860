from . import meta_capi_attempt
from . import meta_capi_delivery
from . import meta_capi_event
from . import meta_capi_job
from . import meta_capi_once
from . import meta_capi_pixel
