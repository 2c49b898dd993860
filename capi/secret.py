"""Reading a secret the way people paste it."""

from __future__ import annotations

import re
import unicodedata

_BEARER = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
# Straight and typographic quotes, and the backtick of Markdown.
_QUOTES = "\"'`“”„‟‘’‚‛«»‹›"
_LINE_BREAK = re.compile(r"\s*[\n\r\v\f\x85\u2028\u2029]\s*")


def clean_secret(text: str) -> str:
    """Return a pasted token or app secret without what came along with it.

    Spaces and quotes around it, the scheme of the header it was copied from, the line
    breaks of a narrow window, and characters that cannot be seen.

    >>> clean_secret(' "EAAB12" '), clean_secret("Authorization: Bearer EAAB12")
    ('EAAB12', 'EAAB12')
    >>> clean_secret("EAAB\\n  12"), clean_secret("\\ufeff“EAAB12”")
    ('EAAB12', 'EAAB12')
    """
    text = _LINE_BREAK.sub("", text.strip())
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf"))
    before = None
    while text != before:
        before, text = text, text.strip().strip(_QUOTES).strip()
        text = _BEARER.sub("", text, count=1) if _BEARER.match(text) else text
    return text
