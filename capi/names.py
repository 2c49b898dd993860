"""Telling a person's first and last name apart, where they are kept as one.

Which part is which depends on where a person is from. What is told are all readings that
are plausible, for ``fn`` and ``ln`` each take a list; most names have one.
"""

from __future__ import annotations

import re
from itertools import chain

from . import name_words as known
from .name_text import Origin, is_among, is_firm, persons_in, without_remarks, words_of
from .text import fold

Names = tuple[list[str], list[str]]

_LANGUAGE = re.compile("[_-]")


def split_name(
    name: object,
    country: str | None = None,
    language: str | None = None,
    title: str | None = None,
) -> Names:
    """Return the first and the last names that a whole name can be read as.

    :param country: ISO 3166-1 alpha-2, of the person
    :param language: a code such as ``hu_HU``, of the person
    :param title: what the person is addressed by, if it is known

    Titles, suffixes, birth names and what is said in parentheses are no part of a name.
    An address, a number or a firm is none at all. Of a couple, both are told.

    >>> split_name("Dr. Jan van der Berg"), split_name("Müller, Hans")
    ((['Jan'], ['van der Berg']), (['Hans'], ['Müller']))
    >>> split_name("Mary Ann Smith"), split_name("Nagy István", "HU")
    ((['Mary Ann', 'Mary'], ['Smith']), (['István'], ['Nagy']))
    >>> split_name("John & Jane Smith"), split_name("Pan Kowalski", "PL")
    ((['John', 'Jane'], ['Smith']), ([], ['Kowalski']))
    >>> split_name("Jane"), split_name("jane@example.com"), split_name(False)
    ((['Jane'], []), ([], []), ([], []))
    """
    if not isinstance(name, str):
        return [], []
    origin = Origin(
        (country or "").strip().lower(), _LANGUAGE.split(language or "")[0].lower()
    )
    words = name.split()
    if words[1:] and known.PARTICLES.issuperset(words[:-1]) and words[-1][0].isupper():
        return [], [" ".join(words)]  # "van Dijk"
    if len(words) > 1 and not title and all(map(_is_plain, words)):
        if len(words) == 2 and not _is_last_first(origin):
            return words[:1], words[1:]
        return _split_words(_join_devotions(words), origin)
    text = without_remarks(" ".join(words), title)
    words = text.split()
    if not any(map(str.isalpha, text)):
        return [], []
    if is_firm(words) and "," not in text and "/" not in text:
        return [], []  # "Smith & Sons Ltd"
    return _split_persons(text, origin)


def _split_persons(text: str, origin: Origin) -> Names:
    """Split the names of one person or of a couple, who may share a last name."""
    split = _split_east_asian if known.EAST_ASIAN.search(text) else _split_person
    persons = persons_in(text, origin)
    found = [split(person, origin) for person in persons]
    for index, (firsts, lasts) in enumerate(found[:-1]):
        if len(lasts) == 1 and not firsts and all(found[index + 1]):
            # "Dr. Hans und Anna Müller", and maybe "Mr. John and Mrs. Jane Smith"
            is_titled = _is_title(words_of(persons[index + 1]), origin)
            found[index] = lasts, lasts if is_titled else []
    all_firsts, all_lasts = map(chain.from_iterable, zip(*found, strict=True))
    return list(dict.fromkeys(all_firsts)), list(dict.fromkeys(all_lasts))


def _is_plain(word: str) -> bool:
    """Tell whether nothing but a name can be meant, if another one is beside it."""
    return (
        len(word) > 2
        and word.isalpha()
        and max(word) <= known.LAST_LATIN_LETTER
        and not word.isupper()
        and word.lower() not in known.NO_NAMES
    )


def _split_person(text: str, origin: Origin) -> Names:
    """Split the name of one person, its titles and suffixes included."""
    parts = [words for part in text.split(",") if (words := words_of(part))]
    before, *others = [words for words in parts if not is_firm(words)] or [[]]
    words = _bare_words(before, origin)
    is_whole = len(words) > 1
    for other in others:
        firsts = _bare_words(other, origin)
        if all(_is_suffix(word, is_whole, True) for word in firsts):
            continue
        while firsts and firsts[-1] in known.PARTICLES:
            words.insert(0, firsts.pop())  # "Berg, Jan van den"
        if firsts:
            # "Müller, Hans"
            return _given(firsts), [" ".join(words)] if words else []
    if not words:
        return [], []
    if _is_title(before, origin):
        particles = {word.lower() for word in words[:-1]}
        if particles and particles <= known.PARTICLES and not _is_last_first(origin):
            return [], [" ".join(words)]  # "Frau von der Leyen"
        if len(words) == 1:
            title = before[0].lower().rstrip(".")
            is_first = title in known.TITLES_OF_FIRST_NAMES
            return (words, []) if is_first else ([], words)  # "Don Juan", "Mr. Smith"
    return _split_words(words, origin)


def _bare_words(words: list[str], origin: Origin) -> list[str]:
    """Return the words of a name without titles and suffixes."""
    words = list(words)
    while _is_title(words, origin) or (
        len(words) > 2
        and known.DEGREE.fullmatch(words[0])
        and is_among(words[0], known.SUFFIXES)  # "B.Sc. Jane Doe"
    ):
        del words[0]
    while len(words) > 1 and _is_suffix(words[-1], len(words) > 2, False):
        del words[-1]
    return _join_devotions(words)


def _is_title(words: list[str], origin: Origin) -> bool:
    """Tell whether the first word is a title, by what follows and where one is from."""
    if not words:
        return False
    word = words[0].lower()
    if is_among(word, known.TITLES):
        return True
    homes = known.LOCAL_TITLES.get(word.rstrip("."))
    if not homes or len(words) == 1:
        return False
    if origin.is_of(homes):
        return True
    is_common = word in known.COMMON_LOCAL_TITLES or words[0] == "DI"
    return is_common and len(words) > 2 and not any(origin)


def _is_suffix(word: str, is_whole: bool, is_behind_comma: bool) -> bool:
    """Tell whether a word is what stands behind a name, as *Jr.* and *PhD* do.

    :param is_whole: both a first and a last name stand before it
    """
    if is_among(word, known.SUFFIXES):
        return True
    if not is_whole:
        return False
    if is_behind_comma and (
        is_among(word, known.SUFFIXES_BEHIND_COMMA)
        or known.DEGREE.fullmatch(word)
        or (len(word) > 2 and set(word) <= known.CONSONANTS)
    ):
        return True
    return is_among(word, known.SUFFIXES_OF_WHOLE_NAMES)


def _join_devotions(words: list[str]) -> list[str]:
    """Make one word of "Abdul Rahman", and of "María del Carmen" before a last name."""
    for start, word in enumerate(words[:-1]):
        # "Abdul" alone is a first name that people go by.
        if word.lower() in known.JOINED_TO_NEXT and (start or not word.isascii()):
            whole = " ".join(words[start : start + 2])
            return [*words[:start], whole, *words[start + 2 :]]
    for start, word in enumerate(words[1:-2], 1):
        if word.lower() in known.PARTICLES:
            end = start + 1 + (words[start + 1].lower() in known.PARTICLES)
            if end < len(words) - 1 and fold(words[end]) in known.DEVOTIONS:
                whole = " ".join(words[start - 1 : end + 1])
                return [*words[: start - 1], whole, *words[end + 1 :]]
    return words


def _is_last_first(origin: Origin) -> bool:
    return (
        origin.country in known.LAST_FIRST
        or origin.language in known.LAST_FIRST_LANGUAGES
    )


def _split_words(words: list[str], origin: Origin) -> Names:
    if len(words) == 1:
        return [words[0]], []
    if _is_last_first(origin):
        return _split_last_first(words, origin)
    for split in (_split_lone, _split_shouted, _split_initials, _split_patronymic):
        if found := split(words, origin):
            return found
    if start := _start_of_particles(words):
        return _split_at_particle(words, start, origin)
    if len(words) == 2:
        return [words[0]], [words[1]]
    if _has_two_last_names(words, origin):
        return _split_hispanic(words, origin.country)
    *first, last = words
    return _given(first), [last]


def _given(words: list[str]) -> list[str]:
    """Return first names: all of them, and the first alone, as most people use it."""
    if len(words) == 2 and known.PATRONYMIC.fullmatch(words[1].lower()):
        words = words[:1]
    whole = " ".join(words)
    is_initial = len(words[0].rstrip(".")) == 1
    return [whole] if len(words) == 1 or is_initial else [whole, words[0]]


def _split_last_first(words: list[str], origin: Origin) -> Names:
    last, *first = words
    if "vn" in origin or "vi" in origin:
        # Vietnamese go by the last of their first names.
        firsts, lasts = [" ".join(first), first[-1]], [last]
    else:
        firsts, lasts = _given(first), [last]
    if origin.country not in known.LAST_FIRST_CERTAIN:
        firsts += _given(words[:-1])
        lasts.append(words[-1])
    return list(dict.fromkeys(firsts)), list(dict.fromkeys(lasts))


def _split_lone(words: list[str], _origin: Origin) -> Names | None:
    """Split a name that begins with what a last name begins with."""
    if len(words) == 2 and words[0].lower() in known.LONE_PARTICLES:
        return [], [" ".join(words)]  # "Ó Briain"
    if words[0] not in known.PARTICLES or not words[0].islower():
        return None
    end = 1
    while end < len(words) - 1 and words[end].lower() in known.PARTICLES:
        end += 1
    last, first = words[: end + 1], words[end + 1 :]
    if not first or last[-1].islower():
        return None
    return _given(first), [" ".join(last)]  # "van Dijk Jan"


def _split_shouted(words: list[str], origin: Origin) -> Names | None:
    """Split a name whose last name is in capitals, as the French write: "DUPONT Jean"."""
    if not any(map(_is_shouted, words)):
        return None
    shouted = [
        _is_shouted(word) or (word.isupper() and word.lower() in known.PARTICLES)
        for word in words
    ]
    count = sum(shouted)
    if count == len(words) or shouted not in (sorted(shouted), sorted(shouted)[::-1]):
        return None
    first, last = words[:-count], words[-count:]
    if shouted[0]:
        last, first = words[:count], words[count:]
    if known.PARTICLES.intersection(first):
        return None  # "Anna de SOUZA"
    lasts = [" ".join(last)]
    if count == 2 and _has_two_last_names(last, origin):
        lasts.append(last[origin.country in known.PORTUGUESE])
    return _given(first), lasts


def _is_shouted(word: str) -> bool:
    # "J.K." are initials.
    return len(word) > 2 and word.isupper() and "." not in word


def _split_initials(words: list[str], origin: Origin) -> Names | None:
    """Split a name that ends with initials: of first names, or of a last name."""
    if not known.INITIALS.fullmatch(words[-1]):
        return None
    behind = " ".join(words[1:])
    if (len(words) > 2 or behind.count(".") > 1) and all(
        map(known.INITIALS.fullmatch, words[1:])
    ):
        return [behind], words[:1]  # "Иванов И. И."
    if _has_two_last_names(words, origin) and len(words) > 2:
        return _split_words(words[:-1], origin)
    return _given(words[:-1]), []  # "Jane D."


def _split_patronymic(words: list[str], origin: Origin) -> Names | None:
    """Split a name in which that of the father stands beside the first name.

    "Иванов Иван Иванович" and "Иван Иванович Иванов" are the same man. In Latin letters
    it may be a last name as well, which the other words and a person's origin tell.
    """
    if len(words) > 4:
        return None
    is_father = [bool(known.PATRONYMIC.fullmatch(word.lower())) for word in words]
    for index, word in enumerate(words[2:], 2):
        if word.lower() in known.OF_FATHER:  # "Гасан оглы"
            words = [*words[: index - 1], *words[index:]]
            is_father = [at == index - 1 for at in range(len(words))]
    if not any(is_father[1:]) or len(words) > 3:
        return None
    if len(words) == 2:
        # A woman's is no last name, unlike "Шушкевич".
        is_sure = words[1].lower().endswith("на") or words[1].lower() in known.OF_FATHER
        return ([words[0]], []) if is_sure else None
    first, last = (0, 2) if is_father[1] else (1, 0)
    father = words[1 if is_father[1] else 2].lower()
    if (
        father.isascii()
        and not father.endswith("na")
        and not origin.is_of(known.PATRONYMIC_HOMES)
        and not known.SLAVIC_LAST_NAME.fullmatch(words[last].lower())
    ):
        return None
    return [words[first]], [words[last]]


def _start_of_particles(words: list[str]) -> int:
    """Return where the last name begins, if it tells so by a particle, else 0."""
    for index, word in enumerate(words[1:-1], 1):
        lowered = word.lower()
        if lowered in known.PARTICLES:
            return index
        if lowered in known.JOINS and index > 1:
            return index - 1  # "Ortega y Gasset"
    return 0


def _split_at_particle(words: list[str], start: int, origin: Origin) -> Names:
    if start > 1 and words[start].lower() in ("s/o", "d/o") and origin.country == "in":
        return _split_words(words[:start], origin)  # only in Malaysia it is a last name
    lasts = [" ".join(words[start:])]
    if start > 1 and fold(words[start - 1]) in known.HISPANIC:
        start -= 1
        lasts = []
    elif start > 1 and words[start - 1].lower() in known.NOBLE:
        start -= 1  # "Graf von Stein"
    whole = " ".join(words[start:])
    return _given(words[:start]), list(dict.fromkeys((whole, *lasts)))


def _has_two_last_names(words: list[str], origin: Origin) -> bool:
    return origin.has_two_last_names() or all(
        fold(word) in known.HISPANIC for word in words[-2:]
    )


def _split_hispanic(words: list[str], country: str) -> Names:
    """Split a name of three words or more that may end with two last names.

    The first is the father's, by which most people go; in Portuguese it is the second.
    """
    firsts: list[str] = []
    lasts: list[str] = []
    second = fold(words[1])
    if len(words) > 3 or second in known.HISPANIC or second not in known.GIVEN_SECOND:
        *first, father, mother = words
        firsts += _given(first)
        lasts += [f"{father} {mother}", words[-1 - (country not in known.PORTUGUESE)]]
    if len(words) == 3 and second not in known.HISPANIC:
        firsts += _given(words[:2])
        lasts.append(words[2])
    elif country and country not in known.TWO_LAST_NAMES:
        lasts.append(words[-1])
    return list(dict.fromkeys(firsts)), list(dict.fromkeys(lasts))


def _split_east_asian(text: str, origin: Origin) -> Names:
    """Split a name whose last name comes first."""
    text = known.HONORIFIC.sub("", text)
    words = list(filter(None, re.split(r"[\s・,]+", text)))
    if not words:
        return [], []
    last, *first = words
    if first:
        return ["".join(first) if len(first) == 1 else " ".join(first)], [last]
    if known.HANGUL.fullmatch(text) and 2 <= len(text) <= 5:
        length = 2 if text[:2] in known.LONG_HANGUL and len(text) > 2 else 1
        return [text[length:]], [text[:length]]
    is_chinese = origin.country in ("cn", "tw", "hk", "mo", "sg") or (
        not origin.country and origin.language == "zh"
    )
    if is_chinese and known.HAN.fullmatch(text) and 2 <= len(text) <= 4:
        length = 2 if text[:2] in known.LONG_HAN and len(text) > 2 else 1
        return [text[length:]], [text[:length]]
    # Where a Japanese name without a space is to be split, only its owner knows.
    return [text], []
