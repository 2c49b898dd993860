from . import settings
from . import outbox
from . import recording
from . import documents
from . import apps
from . import website
from . import admin
from . import quality
