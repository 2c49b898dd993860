"""Reading e-mail addresses as people and programs write them."""

from __future__ import annotations

import re

from .text import compatible

# Quotation marks and the punctuation of other scripts; NFKC has made ASCII of the rest.
_MARKS = "«»‹›“”„‟‘’‚‛、،؛。·•…–—"
_ATOM = rf"[^\s@<>()\[\],;:\\\".{_MARKS}]+"
# What some mail programs allow to begin with, and people put before an address, is no
# part of it: quotation marks, asterisks, bullets, separators.
_FIRST = r"[\w.!#$%+=?^`{}~-]"
_LOCAL = rf"(?={_FIRST})(?=[^\s@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*"
_SIGN = rf"[^\s!-/:-@\[-^`{{-\x7f{_MARKS}]"
_LABEL = rf"{_SIGN}(?:(?:{_SIGN}|-){{0,61}}{_SIGN})?"
# A domain's end has letters only, so an IP address is none.
_TOP = rf"(?:xn--[a-z0-9-]+|[a-z]{{2,63}}|[^\x00-\x7f\s{_MARKS}]{{2,63}})"
_PLAIN = rf"{_LOCAL}@(?:{_LABEL}\.)+{_TOP}"
# Japanese carriers gave out addresses with dots where none may be.
_DOTTED = (
    rf"(?={_FIRST})[^\s@<>()\[\],;:\\\"]{{1,64}}"
    rf"@(?:(?:{_LABEL}\.)*(?:docomo|ezweb|softbank|vodafone)\.ne\.jp|au\.com)"
)
_ADDRESS = re.compile(_PLAIN)
# As most are, told faster.
_USUAL = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@[a-z0-9]+(?:[.-][a-z0-9]+)*\.[a-z]{2,}"
)
_USUAL_LENGTH = 60
_TOKEN = re.compile(
    rf"و(?=[a-z0-9][^\s@]*@)"
    rf"|(?![{{`])(?P<address>{_PLAIN}|{_DOTTED})(?:\?\S*)?"
    rf"(?=\.*(?:[\s,;:|/&<>()\[\]{{}}*!`\"'{_MARKS}]|$))"
    r"|(?P<between>[,;|/&、،؛])"
    r"|(?P<colon>:)"
    r"|(?P<open>[<(\[])"
    r"|(?P<close>[>)\]])"
    rf"|(?P<word>[\w@.!#$%+=?^~\\-][^\s,;|/&:<>()\[\]\"'*`{{}}{_MARKS}]*)"
)
_NAME_IN_QUOTES = re.compile(r"\"[^\"]*\"\s*(?=<)")
# What may be the end of an address that somebody has put a space into: "a@b.co .uk".
_FRAGMENT = re.compile(r"\..*|.*\w\.\w.*|[a-z]{1,2}\.?")
_AND = frozenset(
    """
    and or und oder u bzw resp et ou y e o en of og eller och i lub a nebo alebo ili és
    vagy şi și sau ve veya kai ja tai και ή и или та або و أو או 和 或 と 또는
    """.split()
)
# What people write before an address, without a colon too.
_CAPTIONS = frozenset(
    """
    email e-mail mail mailto e-mail-adresse emailadresse e-mailadres epost e-post
    e-posta eposta correo courriel mél posta sähköposti почта имейл メール البريد
    """.split()
)
_MAX_ADDRESSES = 20


def normalize_emails(value: object) -> list[str]:
    """Return the addresses of a text, each trimmed and in lower case.

    Dots and ``+tags`` stay, also for Gmail, and so do international domains. What people
    and programs put around addresses is left out: ``mailto:``, a display name with the
    address in angle brackets, the comma after it. There are none if an address may have
    been torn apart, or the text holds something that looks like an address and is none.

    >>> normalize_emails("E-Mail: Jane@Example.com (privat) oder joe@example.com,")
    ['jane@example.com', 'joe@example.com']
    >>> normalize_emails("ja ne@example.com"), normalize_emails("jane@127.0.0.1")
    ([], [])
    """
    text = compatible(value)
    is_usual = len(text) <= _USUAL_LENGTH and _USUAL.fullmatch(text)
    if is_usual or _ADDRESS.fullmatch(text):
        return [text]
    if "@" not in text or "://" in text:
        return []
    if not text.isascii():
        text = text.replace("。", ".")  # as Chinese and Japanese keyboards write it
    found = _scan(_NAME_IN_QUOTES.sub(" ", text)) or []
    return found if len(found) <= _MAX_ADDRESSES else []


def _scan(text: str) -> list[str] | None:
    """Return the addresses among a text's words, or None if it cannot be told.

    Words behind an address are a remark. Words before one have to be told from it: by
    a colon, or brackets around the address.
    """
    found: list[str] = []
    bracket = ""
    has_words = is_loose = False  # since the last address; since the last separator
    is_behind = is_pending = False  # right behind an address; behind an "or"
    for token in _TOKEN.finditer(text):
        if address := token["address"]:
            if not bracket and (is_loose or (has_words and not found)):
                return None
            if bracket == "<" and is_behind and address != found[-1]:
                return None  # "joe@example.com <jane@example.com>": whose is it?
            found.append(address)
            has_words = is_loose = is_pending = False
            is_behind = True
        elif token["open"]:
            bracket = token[0]
        elif token["close"]:
            bracket = ""
        elif token["colon"]:
            has_words = is_loose = is_behind = False
        elif word := token["word"]:
            if "@" in word:
                return None
            if bracket or word in _CAPTIONS or not word.strip("."):
                continue
            is_and = bool(found) and word.rstrip(".") in _AND
            if is_behind and not is_and and _FRAGMENT.fullmatch(word):
                if any(map(str.isalnum, word)):
                    return None
            is_pending = is_pending or is_and
            is_behind = False
            is_loose = not is_and and any(map(str.isalnum, word))
            has_words = has_words or is_loose
        elif token["between"]:
            is_loose = is_behind = False
    return None if is_pending else list(dict.fromkeys(found))
