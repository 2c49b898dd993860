"""The words for female and male, and the titles that say as much."""

from __future__ import annotations

from .text import compatible

# In the languages that the addon speaks, and their neighbours'. A space inside is
# written ``_``. *Sr* and *M* are men's titles, unlike *Jr*, which is no title.
_FEMALE = """
    f female woman girl feminine fem w lady mrs ms miss mistress madam maam missus
    v frau fr fräulein frl weiblich femme féminin féminine fille mme madame mlle
    mademoiselle mujer femenino femenina señora sra sr.a señorita srta doña
    mulher feminino feminina senhora senhorita dona menina vrouw vrouwelijk mevrouw
    mevr mw mej juffrouw donna femmina femminile signora signorina sig.ra sig.na
    m.me m.lle kobieta pani paní kvinna kvinne kvinde žena женщина женский ж госпожа
    bayan kadın κα κυρία
    سيدة السيدة آنسة الآنسة أنثى امرأة انثى
    女 女性 女士 여 여성 여자
"""
_MALE = """
    m male man boy masculine masc gentleman mr mister sir master
    herr hr mann männlich homme masculin garçon monsieur mons hombre masculino señor
    sr senor varón varon macho don homem senhor menino man mannelijk meneer dhr
    heer de_heer uomo maschio maschile signore signor sig mężczyzna pan
    mann muž мужчина мужской господин bay erkek κος κύριος
    سيد السيد ذكر رجل
    男 男性 先生 남 남성 남자
"""
_GENDERS = dict.fromkeys(_FEMALE.split(), "f") | dict.fromkeys(_MALE.split(), "m")
# Around a word. What is inside one, as in "Sr(a)" or "Mr/Mrs", means either.
_AROUND = " .,:;!()[]\"'"


def normalize_gender(value: object) -> str | None:
    """Return ``f`` or ``m``, from the initial, the word or a title; None for all else.

    A title for either, such as ``Mr/Mrs`` or ``Sr(a)``, is neither.

    >>> normalize_gender("Frau"), normalize_gender("Sr.ª"), normalize_gender("Mr/Mrs")
    ('f', 'f', None)
    """
    # Arabic words can be stretched.
    words = compatible(value).replace("\u0640", "").strip(_AROUND).split()
    return _GENDERS.get("_".join(words))
