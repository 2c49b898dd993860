from . import ir_config_parameter
from . import meta_capi_config
from . import meta_capi_money_back
from . import meta_capi_purchase
from . import meta_capi_store
from . import meta_capi_token
from . import res_groups
from . import website
