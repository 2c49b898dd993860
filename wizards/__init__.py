from . import meta_capi_retry
