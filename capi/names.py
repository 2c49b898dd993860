"""Telling a person's first and last name apart, where they are kept as one.

Which part is which depends on where a person is from. What is told are all readings that
are plausible, for ``fn`` and ``ln`` each take a list; most names have one.
"""

from __future__ import annotations

import re

from .text import fold

Names = tuple[list[str], list[str]]

# What stands before a name. What has a dot here counts with it only: without, it is a
# name or a word as well.
_TITLES = frozenset(
    """
    dr dr.in dra drs dott dott.ssa dottor dottore dottoressa prof prof.in prof.ssa profa
    professor professorin professeur professore professoressa profesor profesora doctor
    doctora docteur doktor dokter doutor doutora mr mrs ms miss mx mister mistress madam
    sir herr hr hrn frau fräulein frl fam familie family mme mlle monsieur madame
    mademoiselle señor señora señorita senhor senhora senhorita sra srta signore signor
    signora signorina sig.ra sig.na dhr mevr mevrouw mw meneer heer mej doña dipl
    dipl.-ing dipl.-kfm dipl.-inf dipl-ing habil rev reverend
    السيد السيدة الآنسة سيد سيدة دكتور دكتورة أستاذ د. م. أ.
    arch. arq. avv. capt. col. d. eng. fr. gen. geom. h.c. hon. ing. ir. jur. lic. lt. m.
    mag. maj. med. nat. oec. phil. pol. rag. rer. sgt. sig. sr. theol. vet.
    """.split()
)
# What stands behind it.
_SUFFIXES = frozenset(
    """
    jr jnr jun. junior júnior sr snr sen. senior sénior ii iii iv 2nd 3rd 4th fils père
    phd ph.d dphil m.d dds dvm esq esquire mba m.b.a cpa msc m.sc bsc b.sc m.a b.a llm
    ll.m llb ll.b j.d cfa obe mbe cbe m.eng b.eng beng meng bba dr prof dipl.-ing ing.
    mag.
    """.split()
)
# What a last name begins with.
_PARTICLES = frozenset(
    """
    van von vom zu zum zur der den des de del dela dell della dello degli dei di da das
    do dos du dal dalla la las le les lo los 't ter ten te op in het af av auf am bin
    ibn bint abu al el st. saint san santa بن ابن بنت آل
    """.split()
)
_JOINS = frozenset("y e i".split())
_AND = frozenset("and und et y e en".split())
# What "María del …", "María de los …" is called.
_DEVOTIONS = frozenset(
    """
    angeles carmen pilar mar rosario consuelo dolores luz jesus fatima lourdes mercedes
    nieves socorro soledad sol valle rocio camino cruz guadalupe concepcion remedios
    milagro milagros castillo graca gracas conceicao ceu
    """.split()
)
_GIVEN_SECOND = frozenset(
    """
    maria jose juan carlos luis antonio manuel miguel angel jesus javier francisco
    fernando alberto eduardo enrique andres pablo pedro rafael ramon ricardo roberto
    alejandro david daniel ignacio isabel elena teresa cristina carmen ana rosa luisa
    fernanda laura beatriz patricia lucia clara sofia victoria alejandra gabriela paulo
    mercedes joao vitor henrique gabriel felipe eduarda
    """.split()
)
# The last names of most people who have two.
_HISPANIC = frozenset(
    """
    garcia rodriguez gonzalez fernandez lopez martinez sanchez perez gomez martin jimenez
    ruiz hernandez diaz moreno munoz alvarez romero alonso gutierrez navarro torres
    dominguez vazquez vasquez ramos gil ramirez serrano blanco molina morales suarez
    ortega delgado castro ortiz rubio marin sanz nunez iglesias medina garrido cortes
    castillo santos guerrero lozano cano prieto mendez cruz flores herrera pena marquez
    cabrera gallego calvo vidal campos reyes vega fuentes carrasco aguilar silva rojas
    vargas mendoza guzman salazar chavez rivera juarez soto contreras acosta sosa ibanez
    gimenez benitez velasquez velazquez valdez espinoza espinosa ferreira figueroa
    miranda cardenas pineda ochoa montoya escobar zapata quintero restrepo giraldo
    saavedra quispe mamani huaman choque condori aguirre ponce paredes solis
    """.split()
)
_PORTUGUESE = frozenset("ao br cv mz pt".split())
_TWO_LAST_NAMES = _PORTUGUESE | frozenset(
    "ar bo cl co cr cu do ec es gq gt hn mx ni pa pe pr py sv uy ve".split()
)
_TWO_LAST_NAMES_LANGUAGES = frozenset("ca es eu gl pt".split())

# The last name comes first. Where Latin letters are not people's own, and abroad, it is
# written either way.
_LAST_FIRST = frozenset("cn hk hu jp kp kr mo tw vn".split())
_LAST_FIRST_LANGUAGES = frozenset("hu ja ko vi zh".split())
_LAST_FIRST_CERTAIN = frozenset(("hu", "vn", ""))

_EAST_ASIAN = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_HANGUL = re.compile("[\uac00-\ud7a3]+")
_HAN = re.compile("[\u3400-\u9fff]+")
# Last names of two characters; of all others, the first is the whole.
_LONG_HAN = frozenset(
    "欧阳 歐陽 司马 司馬 诸葛 諸葛 上官 司徒 东方 東方 皇甫 尉迟 尉遲 公孙 公孫 令狐 慕容 端木 夏侯".split()
)
_LONG_HANGUL = frozenset("남궁 황보 제갈 사공 선우 독고 동방 서문".split())

_ASIDE = re.compile(r"<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]|\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]")
# What follows a dash that stands alone, and the like.
_REMARK = re.compile(r"\s[-–—|/]+\s|\s(?:c/o|attn\.?|z\. ?hd\.?)\s", re.IGNORECASE)
_HONORIFIC = re.compile(r"(?<=\S)\s*(?:様|さん|先生|女士|小姐|씨|님)$")
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

    Titles, suffixes and what is said in parentheses are no part of a name. An address or
    a number is none at all.

    >>> split_name("Dr. Jan van der Berg"), split_name("Müller, Hans")
    ((['Jan'], ['van der Berg']), (['Hans'], ['Müller']))
    >>> split_name("Mary Ann Smith"), split_name("Nagy István", "HU")
    ((['Mary Ann', 'Mary'], ['Smith']), (['István'], ['Nagy']))
    >>> split_name("Jane"), split_name("jane@example.com"), split_name(False)
    ((['Jane'], []), ([], []), ([], []))
    """
    if not isinstance(name, str):
        return [], []
    country = (country or "").strip().lower()
    language = _LANGUAGE.split(language or "")[0].lower()
    words = name.split()
    if words[1:] and _PARTICLES.issuperset(words[:-1]) and words[-1][0].isupper():
        return [], [" ".join(words)]  # "van Dijk"
    if len(words) == 2 and all(map(_is_plain, words)):
        return _split_words(words, country, language)
    text = " ".join(words)
    if title and text.lower().startswith(f"{title.strip().lower()} "):
        text = text[len(title.strip()) :]
    text = " ".join(word for word in text.split() if "@" not in word)
    text = _ASIDE.sub(" ", text).strip() or text.strip("()[]")
    if not any(map(str.isalpha, text)):
        return [], []
    if _EAST_ASIAN.search(text):
        return _split_east_asian(_HONORIFIC.sub("", text), country, language)
    before, _comma, after = text.partition(",")
    firsts = _bare_words(after)
    if firsts and not _is_among(firsts[0], _SUFFIXES):
        # "Müller, Hans"
        last = " ".join(_bare_words(before))
        return _given(firsts), [last] if last else []
    words = _bare_words(before)
    has_title = bool(words) and _is_among(_words(before)[0], _TITLES)
    if has_title and (len(words) == 1 or words[0].lower() in _PARTICLES):
        return [], [" ".join(words)]  # "Mr. Smith", "Frau von der Leyen"
    return _split_words(words, country, language) if words else ([], [])


def _is_plain(word: str) -> bool:
    """Tell whether nothing but a name can be meant, if another one is beside it."""
    return (
        len(word) > 2
        and word.isascii()
        and word.isalpha()
        and not word.isupper()
        and (lowered := word.lower()) not in _TITLES
        and lowered not in _SUFFIXES
    )


def _bare_words(text: str) -> list[str]:
    """Return the words of a name without titles and suffixes."""
    words = _words(text)
    while words and _is_among(words[0], _TITLES):
        del words[0]
        if len(words) > 2 and words[0].lower() in _AND and _is_among(words[1], _TITLES):
            del words[0]  # "Mr and Mrs Smith"
    while len(words) > 1 and _is_among(words[-1], _SUFFIXES):
        del words[-1]
    return _join_devotions(words)


def _words(text: str) -> list[str]:
    text = _REMARK.split(text)[0]
    return [word for word in text.split() if any(map(str.isalpha, word))]


def _is_among(word: str, known: frozenset[str]) -> bool:
    word = word.lower().strip(",;")
    return word in known or (word.endswith(".") and word.rstrip(".") in known)


def _join_devotions(words: list[str]) -> list[str]:
    """Make one word of "María del Carmen", if a last name follows."""
    for start, word in enumerate(words[1:-2], 1):
        if word.lower() in _PARTICLES:
            end = start + 1 + (words[start + 1].lower() in _PARTICLES)
            if end < len(words) - 1 and fold(words[end]) in _DEVOTIONS:
                whole = " ".join(words[start - 1 : end + 1])
                return [*words[: start - 1], whole, *words[end + 1 :]]
    return words


def _split_words(words: list[str], country: str, language: str) -> Names:
    if len(words) == 1:
        return [words[0]], []
    if country in _LAST_FIRST or language in _LAST_FIRST_LANGUAGES:
        return _split_last_first(words, country, language)
    if _is_shouted(words[0]) and not any(map(_is_shouted, words[1:])):
        # "DUPONT Jean", as the French write.
        return _given(words[1:]), [words[0]]
    if start := _start_of_particles(words):
        if start > 1 and fold(words[start - 1]) in _HISPANIC:
            start -= 1
        return _given(words[:start]), [" ".join(words[start:])]
    if len(words) == 2:
        return [words[0]], [words[1]]
    if _has_two_last_names(words, country, language):
        return _split_hispanic(words, country)
    *first, last = words
    return _given(first), [last]


def _given(words: list[str]) -> list[str]:
    """Return first names: all of them, and the first alone, as most people use it."""
    whole = " ".join(words)
    is_initial = len(words[0].rstrip(".")) == 1
    return [whole] if len(words) == 1 or is_initial else [whole, words[0]]


def _split_last_first(words: list[str], country: str, language: str) -> Names:
    last, *first = words
    if country == "vn" or language == "vi":
        # Vietnamese go by the last of their first names.
        firsts, lasts = [" ".join(first), first[-1]], [last]
    else:
        firsts, lasts = _given(first), [last]
    if country not in _LAST_FIRST_CERTAIN:
        firsts += _given(words[:-1])
        lasts.append(words[-1])
    return list(dict.fromkeys(firsts)), list(dict.fromkeys(lasts))


def _is_shouted(word: str) -> bool:
    # "J.K." are initials.
    return len(word) > 2 and word.isupper() and "." not in word


def _start_of_particles(words: list[str]) -> int:
    """Return where the last name begins, if it tells so by a particle, else 0."""
    for index, word in enumerate(words[1:-1], 1):
        lowered = word.lower()
        if lowered in _PARTICLES:
            return index
        if lowered in _JOINS and index > 1:
            return index - 1  # "Ortega y Gasset"
    return 0


def _has_two_last_names(words: list[str], country: str, language: str) -> bool:
    return (
        country in _TWO_LAST_NAMES
        or language in _TWO_LAST_NAMES_LANGUAGES
        or (fold(words[-2]) in _HISPANIC and fold(words[-1]) in _HISPANIC)
    )


def _split_hispanic(words: list[str], country: str) -> Names:
    """Split a name of three words or more that may end with two last names.

    The first is the father's, by which most people go; in Portuguese it is the second.
    """
    firsts: list[str] = []
    lasts: list[str] = []
    second = fold(words[1])
    if len(words) > 3 or second in _HISPANIC or second not in _GIVEN_SECOND:
        *first, father, mother = words
        firsts += _given(first)
        lasts += [f"{father} {mother}", mother if country in _PORTUGUESE else father]
    if len(words) == 3 and second not in _HISPANIC:
        firsts += _given(words[:2])
        lasts.append(words[2])
    elif country and country not in _TWO_LAST_NAMES:
        lasts.append(words[-1])
    return list(dict.fromkeys(firsts)), list(dict.fromkeys(lasts))


def _split_east_asian(text: str, country: str, language: str) -> Names:
    """Split a name whose last name comes first."""
    words = re.split(r"[\s・,]+", text)
    if len(words) > 1:
        last, *first = words
        return ["".join(first) if len(first) == 1 else " ".join(first)], [last]
    if _HANGUL.fullmatch(text) and 2 <= len(text) <= 5:
        length = 2 if text[:2] in _LONG_HANGUL and len(text) > 2 else 1
        return [text[length:]], [text[:length]]
    is_chinese = country in ("cn", "tw", "hk", "mo", "sg") or (
        not country and language == "zh"
    )
    if is_chinese and _HAN.fullmatch(text) and 2 <= len(text) <= 4:
        length = 2 if text[:2] in _LONG_HAN and len(text) > 2 else 1
        return [text[length:]], [text[:length]]
    # Where a Japanese name without a space is to be split, only its owner knows.
    return [text], []
