from . import meta_capi_quality
from . import meta_capi_quality_alert
from . import meta_capi_quality_fetch
