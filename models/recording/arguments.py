"""What a caller of ``send_event`` hands over, read and checked."""

from dataclasses import dataclass

from odoo import models

from ...capi.const import MAX_NAME_LENGTH
from ...capi.errors import InvalidParameter
from .action_origin import ORIGIN_KEY, ActionOrigin


@dataclass(frozen=True)
class Arguments:
    """What a caller hands over: records of ours, and the parameters of Meta's event."""

    parameters: dict
    origin: models.BaseModel | None
    website: models.BaseModel | None
    test_event_code: str | None
    # The origin would be one of several records that an action runs on.
    is_origin_unclear: bool

    @property
    def event_name(self):
        """The name among the parameters, if it is a text, else an empty one."""
        name = self.parameters.get("event_name")
        return str.__str__(name).strip() if issubclass(type(name), str) else ""


def read_arguments(env, given, problems):
    """Return what ``given`` holds for us, and what is Meta's.

    :param problems: takes note of what cannot be used
    """
    parameters = dict(given)
    own = {key: parameters.pop(key, None) for key in ("origin", "website")}
    code = parameters.pop("test_event_code", None)
    origin = problems.read("origin", _read_origin, env, own["origin"])
    action = None if origin else env.context.get(ORIGIN_KEY)
    is_origin_unclear = False
    if isinstance(action, ActionOrigin):
        if len(action.ids) == 1:
            origin = env[action.model].sudo().browse(action.ids)
        is_origin_unclear = len(action.ids) > 1
    return Arguments(
        parameters,
        origin,
        problems.read("website", _read_website, env, own["website"]),
        problems.read("test_event_code", _read_test_event_code, code),
        is_origin_unclear,
    )


def _read_origin(env, value):
    """Return the record that ``value`` is, as superuser, or None."""
    if value is None or value is False:
        return None
    if not isinstance(value, models.BaseModel):
        raise InvalidParameter("origin", "must be a record")
    if len(value) != 1 or not isinstance(value.id, int):
        raise InvalidParameter("origin", "must be one stored record")
    return value.with_env(env(su=True))


def _read_website(env, value):
    """Return the website that ``value`` is, as superuser, or None."""
    if value is None or value is False:
        return None
    if not isinstance(value, models.BaseModel) or value._name != "website":
        raise InvalidParameter("website", "must be a website")
    if len(value) != 1 or not isinstance(value.id, int):
        raise InvalidParameter("website", "must be one stored website")
    website = value.with_env(env(su=True)).exists()
    if not website:
        raise InvalidParameter("website", "no longer exists")
    return website


def _read_test_event_code(value):
    if value is None or value is False:
        return None
    if not isinstance(value, str):
        raise InvalidParameter("test_event_code", "must be a text")
    code = str.__str__(value).strip()
    if len(code) > MAX_NAME_LENGTH or not code.isprintable():
        raise InvalidParameter(
            "test_event_code", f"must be a text of up to {MAX_NAME_LENGTH} characters"
        )
    return code
