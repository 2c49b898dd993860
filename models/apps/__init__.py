from . import app_model
from . import crm_lead
from . import crm_stage
from . import mail_thread_cc
from . import meta_capi_lead_stage
from . import pos_order
from . import stock_move
