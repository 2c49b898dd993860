from . import meta_capi_pixel
from . import meta_capi_quality
from . import meta_capi_quality_advice
from . import meta_capi_quality_alert
from . import meta_capi_quality_fetch
from . import meta_capi_quality_form
