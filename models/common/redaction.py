"""Keeping access tokens out of the log.

Odoo itself logs, at debug levels, the arguments of every RPC call and every SQL query:
an administrator who saves a token would leave it in the log. A filter on those few
loggers cuts it out, whatever the level, instead of care at each call. What our own
logger, ``meta.conversions.api``, says of Meta's answers has lost it before, by
``storable`` in ``capi/parsing.py``.
"""

from __future__ import annotations

import logging
import re

from ...capi.const import REDACTED

# The loggers of Odoo that print arguments of calls or queries.
LOGGERS = (
    "odoo.api",
    "odoo.http",
    "odoo.http.rpc.request",
    "odoo.http.rpc.response",
    "odoo.models",
    "odoo.service.model",
    "odoo.sql_db",
)

# Shorter texts are no tokens; to cut them out would cut words.
_MIN_LENGTH = 6

_QUOTED = r"(?P<quote>['\"]).*?(?P=quote)"
_PATTERNS = (
    # {'meta_capi_access_token': '…'}, set_param('meta_capi.access_token', '…')
    re.compile(
        r"(?P<keep>meta_capi[._](?:access_token|app_secret)['\"]\s*[:,=]\s*)" + _QUOTED
    ),
    # The form of Meta's own tokens.
    re.compile(r"(?P<keep>)\bEAA[A-Za-z0-9]{16,}"),
)
# A call on System Parameters, write({'value': '…'}), set_param(value='…'): nothing
# tells which parameter it is.
_PARAMETERS = "ir.config_parameter"
_VALUE = re.compile(rf"(?P<keep>\bvalue['\"]?\s*[:=]\s*){_QUOTED}")


class TokenFilter(logging.Filter):
    """Replace access tokens in what is logged; never suppress a record."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: set[str] = set()

    def remember(self, token: str) -> None:
        """Cut ``token`` out of whatever is logged from now on, wherever it stands."""
        if len(token) >= _MIN_LENGTH:
            self._tokens.add(token)

    def redact(self, text: str) -> str:
        for token in self._tokens:
            text = text.replace(token, REDACTED)
        patterns = (*_PATTERNS, _VALUE) if _PARAMETERS in text else _PATTERNS
        for pattern in patterns:
            text = pattern.sub(rf"\g<keep>{REDACTED}", text)
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        redacted = self.redact(message)
        if redacted != message:
            record.msg, record.args = redacted, None
        return True


token_filter = TokenFilter()
for _name in LOGGERS:
    logging.getLogger(_name).addFilter(token_filter)
