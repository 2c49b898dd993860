from . import ir_actions_server
from . import ir_actions_server_form
from . import meta_capi_alert
from . import meta_capi_overview
from . import meta_capi_reconciliation
