"""Reading e-mail addresses as people and programs write them."""

from __future__ import annotations

import re

from .text import compatible

_ATOM = r"[^\s@<>()\[\],;:\\\".]+"
_LABEL = r"[^\s@<>()\[\],;:\\\".'’!?]+"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_DOMAIN}")
# Japanese carriers gave out addresses with dots where none may be.
_DOTTED = re.compile(
    r"[^\s@<>()\[\],;:\\\"]+"
    rf"@(?:(?:{_LABEL}\.)*(?:docomo|ezweb|softbank|vodafone)\.ne\.jp|au\.com)"
)
_MAILBOX = re.compile(r"[^<>@]*<([^<>]*)>\s*")
_QUOTED = re.compile(r"\"[^\"]*\"")
_SEMICOLON = re.compile(r"[,;\n]+")
_SEPARATOR = re.compile(r"\s/\s|[,;|\s]+")
_COMMENT = re.compile(r"\s+\([^()@]*\)")
_MAX_ADDRESSES = 20


def read_emails(value: object) -> list[str]:
    """Return the addresses of a text in lower case; none if it holds anything else."""
    text = compatible(value)
    if _ADDRESS.fullmatch(text):
        return [text]
    if "@" not in text:
        return []
    if "<" in text:
        return _read_mailboxes(text)
    parts = filter(None, map(_bare, _SEPARATOR.split(_COMMENT.sub("", text))))
    addresses = list(dict.fromkeys(parts))
    if len(addresses) > _MAX_ADDRESSES or not all(map(_is_address, addresses)):
        return []
    return addresses


def _read_mailboxes(text: str) -> list[str]:
    """Return the addresses of a list in which some have a name before them."""
    addresses = []
    for part in _SEMICOLON.split(_QUOTED.sub(" ", text)):
        if match := _MAILBOX.fullmatch(part):
            addresses.append(_bare(match[1]))
        elif "@" in part or "<" in part:
            addresses.append(_bare(part))
        # Else it is a part of a name: "Doe, Jane <jane@example.com>".
    if not all(map(_is_address, addresses)):
        return []
    return list(dict.fromkeys(addresses))


def _bare(text: str) -> str:
    """Return an address without what stands around it."""
    text = text.strip().strip("\"'").removeprefix("mailto:").partition("?")[0]
    return text.rstrip(".,;:>\"'").lstrip("<\"'")


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text) or _DOTTED.fullmatch(text))
