"""Countries by their codes, and by their names in the languages that people use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers

from .text import clean, compatible, fold, squeeze

# ISO 3166-1 alpha-2 in lower case, as Meta compares it, and the xk in use for Kosovo.
COUNTRIES = frozenset(
    """
    ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm
    bn bo bq br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx
    cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg
    gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir
    is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv
    ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne
    nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro
    rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf
    tg th tj tk tl tm tn to tr tt tv tw tz ua ug um us uy uz va vc ve vg vi vn vu wf
    ws xk ye yt za zm zw
    """.split()
)

# Codes in use that are not ISO's: the EU's for Greece and Northern Ireland, and those of
# Kosovo.
_OTHER_CODES = {"uk": "gb", "el": "gr", "xi": "gb", "xkx": "xk", "kos": "xk"}

# Names that Unicode's tables do not have: common, former and ISO's own ones, as ``_key``
# writes them.
_OTHER_NAMES = {
    "us": "us",
    "usa": "us",
    "usofa": "us",
    "usofamerica": "us",
    "unitedstatesofamerica": "us",
    "uk": "gb",
    "greatbritain": "gb",
    "unitedkingdomofgreatbritainnorthernireland": "gb",
    "britain": "gb",
    "england": "gb",
    "scotland": "gb",
    "wales": "gb",
    "northernireland": "gb",
    "grossbritannien": "gb",
    "grandebretagne": "gb",
    "angleterre": "gb",
    "inglaterra": "gb",
    "granbretana": "gb",
    "holland": "nl",
    "holanda": "nl",
    "hollande": "nl",
    "czechrepublic": "cz",
    "tschechischerepublik": "cz",
    "republiquetcheque": "cz",
    "republicacheca": "cz",
    "slovakrepublic": "sk",
    "republicofireland": "ie",
    "eire": "ie",
    "russianfederation": "ru",
    "russischefoderation": "ru",
    "brd": "de",
    "federalrepublicofgermany": "de",
    "turkiye": "tr",
    "turkey": "tr",
    "hongkong": "hk",
    "macau": "mo",
    "macao": "mo",
    "mainlandchina": "cn",
    "prc": "cn",
    "peoplesrepublicofchina": "cn",
    "taiwanprovinceofchina": "tw",
    "republicofkorea": "kr",
    "korearepublicof": "kr",
    "koreasouth": "kr",
    "koreanorth": "kp",
    "democraticpeoplesrepublicofkorea": "kp",
    "koreademocraticpeoplesrepublicof": "kp",
    "vietnam": "vn",
    "burma": "mm",
    "ivorycoast": "ci",
    "capeverde": "cv",
    "swaziland": "sz",
    "easttimor": "tl",
    "macedonia": "mk",
    "republicofnorthmacedonia": "mk",
    "macedoniaformeryugoslavrepublicof": "mk",
    "palestine": "ps",
    "stateofpalestine": "ps",
    "palestinestateof": "ps",
    "vatican": "va",
    "holysee": "va",
    "holyseevaticancitystate": "va",
    "drcongo": "cd",
    "democraticrepublicofcongo": "cd",
    "congodemocraticrepublicof": "cd",
    "congokinshasa": "cd",
    "congodrc": "cd",
    "congorepublic": "cg",
    "congo": "cg",
    "republicofcongo": "cg",
    "moldovarepublicof": "md",
    "republicofmoldova": "md",
    "iranislamicrepublicof": "ir",
    "islamicrepublicofiran": "ir",
    "syrianarabrepublic": "sy",
    "laopeoplesdemocraticrepublic": "la",
    "bruneidarussalam": "bn",
    "tanzaniaunitedrepublicof": "tz",
    "unitedrepublicoftanzania": "tz",
    "boliviaplurinationalstateof": "bo",
    "plurinationalstateofbolivia": "bo",
    "venezuelabolivarianrepublicof": "ve",
    "bolivarianrepublicofvenezuela": "ve",
    "micronesiafederatedstatesof": "fm",
    "federatedstatesofmicronesia": "fm",
    "falklandislandsmalvinas": "fk",
    "falklandislands": "fk",
    "virginislandsus": "vi",
    "virginislandsusa": "vi",
    "virginislandsbritish": "vg",
    "usaminoroutlyingislands": "um",
    "unitedstatesminoroutlyingislands": "um",
    "reunion": "re",
    "cocoskeelingislands": "cc",
    "pitcairn": "pn",
    "sthelenaascensiontristandacunha": "sh",
    "sthelenaascensiontristandacunhaislands": "sh",
    "stmartinfrenchpart": "mf",
    "stmartindutchpart": "sx",
    "sintmaartendutchpart": "sx",
    "bonairesinteustatiussaba": "bq",
    "svalbardjanmayen": "sj",
    "southgeorgiasouthsandwichislands": "gs",
    "uae": "ae",
    "emirates": "ae",
    "ksa": "sa",
    "kingdomofsaudiarabia": "sa",
    "rsa": "za",
    # the same in other languages
    "vereinigtestaatenvonamerika": "us",
    "estadosunidosdeamerica": "us",
    "estadosunidosdaamerica": "us",
    "eeuu": "us",
    "eua": "us",
    "etatsunisdamerique": "us",
    "verenigdestatenvanamerika": "us",
    "vs": "us",
    "statiunitidamerica": "us",
    "сша": "us",
    "großbritannien": "gb",
    "grootbrittannie": "gb",
    "grabretanha": "gb",
    "granbretagna": "gb",
    "engeland": "gb",
    "schottland": "gb",
    "ecosse": "gb",
    "escocia": "gb",
    "weißrussland": "by",
    "weissrussland": "by",
    "witrusland": "by",
    "bielorrusia": "by",
    "tschechei": "cz",
    "tsjechischerepubliek": "cz",
    "republicatcheca": "cz",
    "chequia": "cz",
    "elfenbeinkuste": "ci",
    "costademarfil": "ci",
    "ivoorkust": "ci",
    "costadomarfim": "ci",
    "volksrepublikchina": "cn",
    "vrchina": "cn",
    "republicapopularchina": "cn",
    "republiquepopulairedechine": "cn",
    "federacionrusa": "ru",
    "federacaorussa": "ru",
    "federationderussie": "ru",
    "russischefederatie": "ru",
    "olanda": "nl",
    "filippijnen": "ph",
    "cingapura": "sg",
    "republicaargentina": "ar",
    "birmania": "mm",
    "birmanie": "mm",
    "birma": "mm",
    "emiratosarabes": "ae",
    "palestina": "ps",
    "vatikan": "va",
    "vaticano": "va",
    "oesterreich": "at",
    "republikosterreich": "at",
    "republicofaustria": "at",
    "bundesrepublikdeutschland": "de",
    "ceskarepublika": "cz",
    "slovenskarepublika": "sk",
    "rzeczpospolitapolska": "pl",
    "republicofpoland": "pl",
    "republiquefrancaise": "fr",
    "frenchrepublic": "fr",
    "repubblicaitaliana": "it",
    "italianrepublic": "it",
    "reinodeespana": "es",
    "kingdomofspain": "es",
    "republicaportuguesa": "pt",
    "portugueserepublic": "pt",
    "schweizerischeeidgenossenschaft": "ch",
    "swissconfederation": "ch",
    "kingdomofnetherlands": "nl",
    "koninkrijkdernederlanden": "nl",
    "kingdomofbelgium": "be",
    "royaumedebelgique": "be",
    "koninkrijkbelgie": "be",
    "grandduchyofluxembourg": "lu",
    "kingdomofsweden": "se",
    "konungariketsverige": "se",
    "kingdomofdenmark": "dk",
    "kongerigetdanmark": "dk",
    "kingdomofnorway": "no",
    "kongeriketnorge": "no",
    "republicoffinland": "fi",
    "suomentasavalta": "fi",
    "hellas": "gr",
    "hellenicrepublic": "gr",
    "republikahrvatska": "hr",
    "republicofcroatia": "hr",
    "republikaslovenija": "si",
    "republicofslovenia": "si",
    "republikasrbija": "rs",
    "republicofserbia": "rs",
    "republicofbulgaria": "bg",
    "republicoflithuania": "lt",
    "lietuvosrespublika": "lt",
    "republicoflatvia": "lv",
    "latvijasrepublika": "lv",
    "republicofestonia": "ee",
    "eestivabariik": "ee",
    "republicofturkey": "tr",
    "republicofturkiye": "tr",
    "turkiyecumhuriyeti": "tr",
    "republicofcyprus": "cy",
    "stateofisrael": "il",
    "stateofqatar": "qa",
    "stateofkuwait": "kw",
    "kingdomofbahrain": "bh",
    "sultanateofoman": "om",
    "hashemitekingdomofjordan": "jo",
    "arabrepublicofegypt": "eg",
    "kingdomofmorocco": "ma",
    "royaumedumaroc": "ma",
    "federalrepublicofnigeria": "ng",
    "republicofkenya": "ke",
    "republicofghana": "gh",
    "republicofsouthafrica": "za",
    "republicofindia": "in",
    "bharat": "in",
    "islamicrepublicofpakistan": "pk",
    "peoplesrepublicofbangladesh": "bd",
    "republicofindonesia": "id",
    "republikindonesia": "id",
    "republicofphilippines": "ph",
    "republicofsingapore": "sg",
    "kingdomofthailand": "th",
    "socialistrepublicofvietnam": "vn",
    "republicofchinataiwan": "tw",
    "korea": "kr",
    "commonwealthofaustralia": "au",
    "aotearoa": "nz",
    "aotearoanewzealand": "nz",
    "unitedmexicanstates": "mx",
    "estadosunidosmexicanos": "mx",
    "federativerepublicofbrazil": "br",
    "republicafederativadobrasil": "br",
    "argentinerepublic": "ar",
    "republicadechile": "cl",
    "republicofchile": "cl",
    "republicadecolombia": "co",
    "republicofcolombia": "co",
    "republicadelperu": "pe",
    "republicofperu": "pe",
    "российскаяфедерация": "ru",
    "рф": "ru",
    "республикабеларусь": "by",
    "белоруссия": "by",
    "республикаказахстан": "kz",
    "америка": "us",
    "англия": "gb",
    "великобритания": "gb",
    "ประเทศไทย": "th",
    "อเมริกา": "us",
    "한국": "kr",
    "남한": "kr",
    "アメリカ": "us",
    "米国": "us",
    "日本国": "jp",
    "大韓民国": "kr",
    "中华人民共和国": "cn",
    "中華人民共和國": "cn",
    "臺灣": "tw",
    "中華民國": "tw",
    "امريكا": "us",
    "بريطانيا": "gb",
    "كوريا": "kr",
    "السعودية": "sa",
    "الامارات": "ae",
    "الدنمارك": "dk",
    "المجر": "hu",
    "香港": "hk",
    "澳门": "mo",
    "澳門": "mo",
    "マカオ": "mo",
    "홍콩": "hk",
    "마카오": "mo",
    "호주": "au",
    "гонконг": "hk",
    "feheroroszorszag": "by",
    "vitryssland": "by",
}

# Tried one after the other: the first are the languages of this module's users.
_LANGUAGES = (
    "en",
    "de fr es pt nl ar it pl",
    "sv da nb nn fi is cs sk sl hr sr sr_Latn bs mk bg ru uk be kk ro hu et lv lt el tr"
    " az ka hy sq ca eu gl ga cy mt af he fa ur hi bn ta te th km lo my vi id ms fil ja"
    " ko zh zh_Hant",
)

_WORD = re.compile(r"[^\W\d_]+(?:['’ʻʼ.][^\W\d_]+)*")
# Left out by many, or written as "&".
_AND_THE = frozenset("and et und y e en og och the".split())
_SAINT = frozenset("saint sainte".split())
_CODE = re.compile(r"[a-z]{2,3}")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
# "Germany (DE)", "DE - Germany"
_PARTS = re.compile(r"[()\[\]|/]|\s[‐-―-]\s")
# Arabic is written with and without the sign on its first letter.
_BARE_ALEF = str.maketrans("أإآٱ", "اااا")


def country_code(value: object) -> str | None:
    """Return a country's code in lower case, from one of its codes or names, or None.

    >>> country_code("DEU"), country_code("México"), country_code("the Netherlands")
    ('de', 'mx', 'nl')
    """
    text = compatible(value)
    if text in COUNTRIES:
        return text
    if not text:
        return None
    if _CODE.fullmatch(text) and (code := _code_by_other_code(text)):
        return code
    if _FLAG.fullmatch(text):
        text = "".join(chr(ord(letter) - 0x1F1E6 + ord("a")) for letter in text)
        return text if text in COUNTRIES else None
    key = "" if any(map(str.isdigit, text)) else _key(text)
    if code := _OTHER_NAMES.get(key):
        return code
    if len(key) < 4 and text.isascii():
        return None
    for languages in _LANGUAGES:
        if code := _codes_by_name(languages).get(key):
            return code
    parts = [part for part in _PARTS.split(text) if part.strip()]
    codes = {country_code(part) for part in parts} if len(parts) > 1 else {None}
    return codes.pop() if len(codes) == 1 else None


def region_of(country: str | None) -> str | None:
    """Return the country as phonenumbers calls it, or None if it knows no numbers of it.

    >>> region_of("xi"), region_of(" us "), region_of("??")
    ('GB', 'US', None)
    """
    code = country_code(country)
    region = code.upper() if code else None
    return region if region in phonenumbers.SUPPORTED_REGIONS else None


def _key(name: str) -> str:
    """Return a name as it is compared: letters, Latin ones without accents."""
    folded = [fold(word) for word in _WORD.findall(name.lower())]
    if not all(map(str.isascii, folded)):
        return squeeze(clean(name), digits=False).translate(_BARE_ALEF)
    words = ("st" if word in _SAINT else word for word in folded)
    return "".join(word for word in words if word not in _AND_THE)


def _code_by_other_code(text: str) -> str | None:
    """Return the country of a code that is not ISO's alpha-2, alpha-3 for one."""
    if text in _OTHER_CODES:
        return _OTHER_CODES[text]
    # The server brings it.
    from babel.core import get_global

    codes = get_global("territory_aliases").get(text.upper(), ())
    code = codes[0].lower() if len(codes) == 1 else None
    return code if code in COUNTRIES else None


@cache
def _codes_by_name(languages: str) -> dict[str, str]:
    """Return the countries by their names in these languages.

    Made when the first name turns up that is not found before: a language takes some
    milliseconds.
    """
    names: dict[str, set[str]] = {}
    for name, code in _territories(languages):
        names.setdefault(_key(name), set()).add(code)
    # Some call two countries alike.
    return {name: codes.pop() for name, codes in names.items() if len(codes) == 1}


def _territories(languages: str) -> Iterator[tuple[str, str]]:
    from babel import Locale, UnknownLocaleError

    for language in languages.split():
        try:
            territories = Locale.parse(language).territories
        except UnknownLocaleError:
            continue
        for territory, name in territories.items():
            code = str(territory).lower()
            if code in COUNTRIES:
                yield name, code
