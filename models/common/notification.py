def notification(message, kind):
    """Return the action that shows ``message`` and has the page read its data anew.

    :param kind: ``success``, ``info``, ``warning`` or ``danger``; only a success goes by itself
    """
    return {
        "type": "ir.actions.client",
        "tag": "display_notification",
        "params": {
            "type": kind,
            "message": message,
            "sticky": kind != "success",
            "next": {"type": "ir.actions.client", "tag": "soft_reload"},
        },
    }
