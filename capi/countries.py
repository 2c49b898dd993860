"""Countries by their codes, and by their names in the languages that people use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers

from .text import clean, codes_by_name, compatible, fold, squeeze

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
_OTHER_NAMES = codes_by_name(
    {
        "us": "us usa usofa usofamerica unitedstatesofamerica vereinigtestaatenvonamerika"
        " estadosunidosdeamerica estadosunidosdaamerica eeuu eua etatsunisdamerique"
        " verenigdestatenvanamerika vs statiunitidamerica сша америка อเมริกา アメリカ 米国"
        " امريكا",
        "gb": "uk greatbritain unitedkingdomofgreatbritainnorthernireland britain england"
        " scotland wales northernireland grossbritannien grandebretagne angleterre"
        " inglaterra granbretana großbritannien grootbrittannie grabretanha granbretagna"
        " engeland schottland ecosse escocia англия великобритания بريطانيا",
        "nl": "holland holanda hollande olanda kingdomofnetherlands"
        " koninkrijkdernederlanden",
        "cz": "czechrepublic tschechischerepublik republiquetcheque republicacheca"
        " tschechei tsjechischerepubliek republicatcheca chequia ceskarepublika",
        "sk": "slovakrepublic slovenskarepublika",
        "ie": "republicofireland eire",
        "ru": "russianfederation russischefoderation federacionrusa federacaorussa"
        " federationderussie russischefederatie российскаяфедерация рф",
        "de": "brd federalrepublicofgermany bundesrepublikdeutschland",
        "tr": "turkiye turkey republicofturkey republicofturkiye turkiyecumhuriyeti",
        "hk": "hongkong 香港 홍콩 гонконг",
        "mo": "macau macao 澳门 澳門 マカオ 마카오",
        "cn": "mainlandchina prc peoplesrepublicofchina volksrepublikchina vrchina"
        " republicapopularchina republiquepopulairedechine 中华人民共和国 中華人民共和國",
        "tw": "taiwanprovinceofchina republicofchinataiwan 臺灣 中華民國",
        "kr": "republicofkorea korearepublicof koreasouth korea 한국 남한 大韓民国 كوريا",
        "kp": "koreanorth democraticpeoplesrepublicofkorea"
        " koreademocraticpeoplesrepublicof",
        "vn": "vietnam socialistrepublicofvietnam",
        "mm": "burma birmania birmanie birma",
        "ci": "ivorycoast elfenbeinkuste costademarfil ivoorkust costadomarfim",
        "cv": "capeverde",
        "sz": "swaziland",
        "tl": "easttimor",
        "mk": "macedonia republicofnorthmacedonia macedoniaformeryugoslavrepublicof",
        "ps": "palestine stateofpalestine palestinestateof palestina",
        "va": "vatican holysee holyseevaticancitystate vatikan vaticano",
        "cd": "drcongo democraticrepublicofcongo congodemocraticrepublicof congokinshasa"
        " congodrc",
        "cg": "congorepublic congo republicofcongo",
        "md": "moldovarepublicof republicofmoldova",
        "ir": "iranislamicrepublicof islamicrepublicofiran",
        "sy": "syrianarabrepublic",
        "la": "laopeoplesdemocraticrepublic",
        "bn": "bruneidarussalam",
        "tz": "tanzaniaunitedrepublicof unitedrepublicoftanzania",
        "bo": "boliviaplurinationalstateof plurinationalstateofbolivia",
        "ve": "venezuelabolivarianrepublicof bolivarianrepublicofvenezuela",
        "fm": "micronesiafederatedstatesof federatedstatesofmicronesia",
        "fk": "falklandislandsmalvinas falklandislands",
        "vi": "virginislandsus virginislandsusa",
        "vg": "virginislandsbritish",
        "um": "usaminoroutlyingislands unitedstatesminoroutlyingislands",
        "re": "reunion",
        "cc": "cocoskeelingislands",
        "pn": "pitcairn",
        "sh": "sthelenaascensiontristandacunha sthelenaascensiontristandacunhaislands",
        "mf": "stmartinfrenchpart",
        "sx": "stmartindutchpart sintmaartendutchpart",
        "bq": "bonairesinteustatiussaba",
        "sj": "svalbardjanmayen",
        "gs": "southgeorgiasouthsandwichislands",
        "ae": "uae emirates emiratosarabes الامارات",
        "sa": "ksa kingdomofsaudiarabia السعودية",
        "za": "rsa republicofsouthafrica",
        "by": "weißrussland weissrussland witrusland bielorrusia республикабеларусь"
        " белоруссия feheroroszorszag vitryssland",
        "ph": "filippijnen republicofphilippines",
        "sg": "cingapura republicofsingapore",
        "ar": "republicaargentina argentinerepublic",
        "at": "oesterreich republikosterreich republicofaustria",
        "pl": "rzeczpospolitapolska republicofpoland",
        "fr": "republiquefrancaise frenchrepublic",
        "it": "repubblicaitaliana italianrepublic",
        "es": "reinodeespana kingdomofspain",
        "pt": "republicaportuguesa portugueserepublic",
        "ch": "schweizerischeeidgenossenschaft swissconfederation",
        "be": "kingdomofbelgium royaumedebelgique koninkrijkbelgie",
        "lu": "grandduchyofluxembourg",
        "se": "kingdomofsweden konungariketsverige",
        "dk": "kingdomofdenmark kongerigetdanmark الدنمارك",
        "no": "kingdomofnorway kongeriketnorge",
        "fi": "republicoffinland suomentasavalta",
        "gr": "hellas hellenicrepublic",
        "hr": "republikahrvatska republicofcroatia",
        "si": "republikaslovenija republicofslovenia",
        "rs": "republikasrbija republicofserbia",
        "bg": "republicofbulgaria",
        "lt": "republicoflithuania lietuvosrespublika",
        "lv": "republicoflatvia latvijasrepublika",
        "ee": "republicofestonia eestivabariik",
        "cy": "republicofcyprus",
        "il": "stateofisrael",
        "qa": "stateofqatar",
        "kw": "stateofkuwait",
        "bh": "kingdomofbahrain",
        "om": "sultanateofoman",
        "jo": "hashemitekingdomofjordan",
        "eg": "arabrepublicofegypt",
        "ma": "kingdomofmorocco royaumedumaroc",
        "ng": "federalrepublicofnigeria",
        "ke": "republicofkenya",
        "gh": "republicofghana",
        "in": "republicofindia bharat",
        "pk": "islamicrepublicofpakistan",
        "bd": "peoplesrepublicofbangladesh",
        "id": "republicofindonesia republikindonesia",
        "th": "kingdomofthailand ประเทศไทย",
        "au": "commonwealthofaustralia 호주",
        "nz": "aotearoa aotearoanewzealand",
        "mx": "unitedmexicanstates estadosunidosmexicanos",
        "br": "federativerepublicofbrazil republicafederativadobrasil",
        "cl": "republicadechile republicofchile",
        "co": "republicadecolombia republicofcolombia",
        "pe": "republicadelperu republicofperu",
        "kz": "республикаказахстан",
        "jp": "日本国",
        "hu": "المجر",
    }
)

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


def normalize_country(value: object) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country in lower case, or None.

    It may be given as that, as alpha-3, or by its name in one of some fifty languages.

    >>> normalize_country("DEU"), normalize_country("México"), normalize_country("Narnia")
    ('de', 'mx', None)
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
    codes = {normalize_country(part) for part in parts} if len(parts) > 1 else {None}
    return codes.pop() if len(codes) == 1 else None


def region_of(country: str | None) -> str | None:
    """Return the country as phonenumbers calls it, or None if it knows no numbers of it.

    >>> region_of("xi"), region_of(" us "), region_of("??")
    ('GB', 'US', None)
    """
    code = normalize_country(country)
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
