from . import meta_capi_backfill
from . import meta_capi_backfill_line
from . import meta_capi_backfill_result
