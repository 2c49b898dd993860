from . import ir_actions_server
from . import meta_capi_alert
from . import meta_capi_connection
from . import meta_capi_health
from . import meta_capi_overview
from . import meta_capi_reconciliation
from . import res_config_settings
