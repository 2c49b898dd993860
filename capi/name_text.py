"""The text in which a name stands: what is no part of it, its words, the people in it."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from . import name_words as known


class Origin(NamedTuple):
    """Where a person is from, in lower case: ISO 3166-1 alpha-2, and a language's code.

    Either is empty if it is not known.
    """

    country: str
    language: str

    def is_of(self, homes: frozenset[str]) -> bool:
        return self.country in homes or self.language in homes

    def has_two_last_names(self) -> bool:
        """Tell whether most people there have a father's and a mother's last name."""
        return (
            self.country in known.TWO_LAST_NAMES
            or self.language in known.TWO_LAST_NAMES_LANGUAGES
        )


def without_remarks(text: str, title: str | None) -> str:
    if title and text.lower().startswith(f"{title.strip().lower()} "):
        text = text[len(title.strip()) :]
    text = " ".join(word for word in text.split() if "@" not in word)
    text = known.ASIDE.sub(" ", text).strip() or text.strip("()[]\"“”„«»'‘’")
    for written, meant in known.RAISED:
        text = text.replace(written, meant)
    name = known.REMARK_IN_LOWER_CASE.split(known.REMARK.split(text)[0])[0].strip(" ,")
    if " " not in name:
        # "Müller geb. Schmidt, Anna"
        name += "".join(text[len(name) :].partition(",")[1:])
    return known.PREFIX.sub("", name)


def persons_in(text: str, origin: Origin) -> list[str]:
    """Return the names of the people in a text: "John and Jane Smith" are two."""
    first, *others = known.SLASH.split(text)
    if " " in first.strip():
        # "Anna Müller / privat": behind a whole name, only a whole name is one.
        others = [
            other
            for other in others
            if len(words_of(other)) > 1 and not is_firm(other.split())
        ]
    persons: list[str] = []
    for part in chain.from_iterable(map(known.BETWEEN.split, (first, *others))):
        words, start = part.split(), 0
        for index in range(1, len(words) - 1):
            if index > start and _is_and(words, index, start, origin):
                persons.append(" ".join(words[start:index]))
                start = index + 1
        rest = " ".join(words[start:])
        before, _comma, after = map(str.split, rest.partition(","))
        if min(len(before), len(after)) > 1 and before[-1] == after[-1]:
            persons += " ".join(before), " ".join(after)  # "Al Smith, Jo Smith"
        else:
            persons.append(rest)
    return persons


def _is_and(words: list[str], index: int, start: int, origin: Origin) -> bool:
    """Tell whether a word stands between two people, not inside the name of one."""
    word = words[index].lower()
    if word not in known.AND and not (word == "a" and origin.is_of(known.AND_A)):
        return False
    if words[index] != word and (len(word) < 3 or not words[index].isupper()):
        return words[index].upper() == word and not word.isascii()
    if words[index - 1].lower() in known.PARTICLES:
        return False  # "von und zu"
    behind = len(words) - index - 1
    if len(word) == 1 and behind == 1 and index - start == 1:
        return False  # "john e smith"
    if word in known.JOINS and index - start > 1 and behind == 1:
        # "Ortega y Gasset", where people have two last names.
        return bool(origin.country) and not origin.has_two_last_names()
    return True


def words_of(text: str) -> list[str]:
    words = []
    for word in text.split():
        if word.lower().startswith("dipl") and "-" in word:
            word = "Dipl."  # "Dipl.-Kfm."
        while not is_among(word, known.TITLES):
            head, dot, rest = word.partition(".")
            if not (dot and rest and len(head) > 1):
                break
            if not is_among(f"{head}.", known.TITLES):
                break
            words.append(f"{head}.")  # "Dr.Hans", "Prof.Dr.med."
            word = rest.lstrip("-")
        if any(map(str.isalpha, word)):
            words.append(word)
    if len(words) > 1 and words[0].lower() == "de" and words[1].lower() == "heer":
        del words[0]
    return words


def is_firm(words: list[str]) -> bool:
    if not words:
        return False
    return (
        words[-1].lower() in known.FIRMS
        or words[0].lower() in known.FIRST_OF_FIRMS
        or known.AND_CO.search(" ".join(words)) is not None
    )


def is_among(word: str, words: frozenset[str]) -> bool:
    word = word.lower().strip(",;")
    return word in words or (word.endswith(".") and word.rstrip(".") in words)
