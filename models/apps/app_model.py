"""Models of apps that the addon does not depend on, taught what ours are taught.

Odoo inherits only from what is there whenever the addon is: a class with
``_inherit = "pos.order"`` could not be loaded without the point of sale. The classes of
this folder join their model once all apps are loaded, if it is there, behind those of the
app and of whoever extends it, and before ``base``: ``super()`` and overrides work as in
any class of Odoo's. They can have methods, but no fields. A class that has to see what
the app itself does, and not only what it leaves to ``super()``, joins in front of all.
"""


class AppModel:
    """What a model of an app is taught; a subclass names it in ``_meta_capi_joins``."""

    __slots__ = ()

    _meta_capi_is_in_front = False


def join_apps(registry):
    """Let each subclass of ``AppModel`` join its model, where the app is installed."""
    for joining in AppModel.__subclasses__():
        name = joining._meta_capi_joins
        if name in registry:
            _join(joining, registry[name])


def _join(joining, model):
    # What is joined without Odoo's knowledge is lost when models are set up anew.
    # Odoo 19 has another name for what it knows.
    known_as = "_base_classes__"
    if not hasattr(model, known_as):
        known_as = "_BaseModel__base_classes"
    *classes, base = getattr(model, known_as)
    if joining not in classes:
        if joining._meta_capi_is_in_front:
            bases = (joining, *classes, base)
        else:
            bases = (*classes, joining, base)
        setattr(model, known_as, bases)
        model.__bases__ = bases
