from . import controllers
from . import models
from . import wizards
from .models.outbox.event_summary import drop_summary


def uninstall_hook(env):
    """Drop what is no model's."""
    drop_summary(env.cr)
