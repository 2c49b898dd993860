"""Whom and what an event is about, as its origin, an action or the visitor tells."""

from dataclasses import dataclass, field, replace

import psycopg2

from odoo import models
from odoo.exceptions import MissingError

from ...capi.reading import is_absent
from ..common.border import log_error
from ..common.refusal import Refusal
from ..common.standard_events import SALES


@dataclass(frozen=True)
class Subject:
    """Whom and what an event is about: what its origin tells, or the visitor."""

    website: models.BaseModel | None = None
    company: models.BaseModel | None = None
    partner: models.BaseModel | None = None
    # What was kept of the customer's browser.
    browser: dict = field(default_factory=dict)
    user_data: dict = field(default_factory=dict)
    custom_data: dict | None = None
    # Other arguments of ``send_event`` that the origin knows.
    parameters: dict = field(default_factory=dict)
    event_id: str | None = None
    is_recorded: bool = False
    exclusion: str | Refusal | None = None


def ask(env, arguments, visited, problems):
    """Return what the origin tells of the event; without one, what the visitor does.

    :param visited: the website whose page is being asked for, or None
    """
    if arguments.origin:
        return _ask_origin(env, arguments, problems)
    visitor = env["meta.capi.visit"]._visitor() if visited else None
    partner = visitor and visitor._meta_capi_somebody()
    if not partner:
        return Subject()
    return Subject(
        partner=partner,
        user_data=partner._meta_capi_user_data(),
        exclusion=partner._meta_capi_exclusion(arguments.event_name),
    )


def _ask_origin(env, arguments, problems):
    """Return what the origin tells; nothing where it cannot be read."""
    origin, event_name = arguments.origin, arguments.event_name
    wants_custom_data = is_absent(arguments.parameters.get("custom_data"))
    try:
        return Subject(
            website=origin._meta_capi_website(),
            company=origin._meta_capi_company(),
            partner=origin._meta_capi_partner()._meta_capi_somebody(),
            browser=dict(origin._meta_capi_browser_data()),
            user_data=dict(origin._meta_capi_user_data()),
            custom_data=(
                _custom_data(origin, event_name) if wants_custom_data else None
            ),
            parameters=dict(origin._meta_capi_parameters(event_name)),
            event_id=origin._meta_capi_event_id(event_name),
            is_recorded=origin._meta_capi_is_recorded(event_name),
            exclusion=origin._meta_capi_exclusion(event_name),
        )
    except psycopg2.Error:
        raise
    except MissingError:
        problems.note("origin", "no longer exists")
    except Exception as error:
        problems.note("origin", f"cannot be read ({type(error).__name__})")
        log_error(f"{origin} could not tell what Meta is to know", error)
    # Whoever it is: not the user who happens to be there.
    return Subject(partner=env["res.partner"])


def _custom_data(origin, event_name):
    custom_data = origin._meta_capi_custom_data(event_name)
    if event_name in SALES:
        predicted_ltv = origin._meta_capi_predicted_ltv(event_name)
        if predicted_ltv is not None:
            return {"predicted_ltv": predicted_ltv, **(custom_data or {})}
    return custom_data


def ask_action(action, arguments, subject, problems):
    """Return arguments and subject with what ``action`` takes from its own fields."""
    event_name = arguments.event_name
    try:
        picked = action._meta_capi_pick(arguments.origin, event_name, problems)
        parameters = {**arguments.parameters, **picked.pop("arguments", {})}
        if "custom_data" in picked:
            picked["custom_data"] = {
                **(subject.custom_data or {}),
                **picked["custom_data"],
            }
        if "partner" in picked:
            partner = picked["partner"]._meta_capi_somebody()
            picked.update(
                partner=partner,
                user_data=partner._meta_capi_user_data(),
                exclusion=subject.exclusion or partner._meta_capi_exclusion(event_name),
            )
        return (
            replace(arguments, parameters=parameters),
            replace(subject, **picked),
        )
    except psycopg2.Error:
        raise
    except MissingError:  # noted where the origin was asked
        return arguments, subject
    except Exception as error:
        problems.note("origin", f"cannot be read ({type(error).__name__})")
        log_error(f"The fields that {action} takes could not be read", error)
        return arguments, subject
