"""Who may call a public method over RPC, told by the entry and not by the user."""

import functools
import sys

from odoo import _, api
from odoo.exceptions import AccessError


class OverRpc:
    """A method that portal users may not call over RPC.

    Code that runs for a portal user may: it is the same user, so the entry has to tell.
    Every RPC entry of Odoo looks the method up on the model's class, where Python code
    calls it on a recordset. Only Odoo 18 looks it up on a recordset, in ``call_kw``,
    and nothing but the caller's frame tells the two apart there. ``api.private`` is
    missing on Odoo 17, and would shut out internal users too.

    :param registry_class: the class of the registry, on which all overrides are found
    :param name: of the method
    """

    _call_kw = getattr(getattr(api, "call_kw", None), "__code__", None)

    def __init__(self, registry_class, name):
        self._class = registry_class
        self._name = name
        method, local = getattr(registry_class, name), self._local

        @api.model
        @functools.wraps(method)
        def remote(self, *args, **kwargs):  # by this name Odoo finds the language
            if not (self.env.su or self.env.user._is_internal()):
                raise AccessError(_("Events are recorded by the server, not over RPC."))
            return local(self)(*args, **kwargs).ids

        self._remote = remote

    def __get__(self, records, owner=None):
        is_rpc = records is None or sys._getframe(1).f_code is self._call_kw
        return self._remote.__get__(records, owner) if is_rpc else self._local(records)

    def _local(self, records):
        return getattr(super(self._class, records), self._name)


def guard(registry_class, *names):
    """Guard these methods of a model as they are after all overrides by other modules."""
    unguard(registry_class, *names)
    for name in names:
        setattr(registry_class, name, OverRpc(registry_class, name))


def unguard(registry_class, *names):
    """Take the guards away, so that modules can be loaded anew."""
    for name in names:
        if isinstance(vars(registry_class).get(name), OverRpc):
            delattr(registry_class, name)
