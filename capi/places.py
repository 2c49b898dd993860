"""States and provinces that Meta wants as two letters."""

from __future__ import annotations

import re

from .countries import normalize_country
from .text import fold

# Names as ``fold`` writes them: lower case, letters only, without accents.
US_STATES = {
    "alabama": "al",
    "alaska": "ak",
    "arizona": "az",
    "arkansas": "ar",
    "california": "ca",
    "colorado": "co",
    "connecticut": "ct",
    "delaware": "de",
    "districtofcolumbia": "dc",
    "florida": "fl",
    "georgia": "ga",
    "hawaii": "hi",
    "idaho": "id",
    "illinois": "il",
    "indiana": "in",
    "iowa": "ia",
    "kansas": "ks",
    "kentucky": "ky",
    "louisiana": "la",
    "maine": "me",
    "maryland": "md",
    "massachusetts": "ma",
    "michigan": "mi",
    "minnesota": "mn",
    "mississippi": "ms",
    "missouri": "mo",
    "montana": "mt",
    "nebraska": "ne",
    "nevada": "nv",
    "newhampshire": "nh",
    "newjersey": "nj",
    "newmexico": "nm",
    "newyork": "ny",
    "northcarolina": "nc",
    "northdakota": "nd",
    "ohio": "oh",
    "oklahoma": "ok",
    "oregon": "or",
    "pennsylvania": "pa",
    "rhodeisland": "ri",
    "southcarolina": "sc",
    "southdakota": "sd",
    "tennessee": "tn",
    "texas": "tx",
    "utah": "ut",
    "vermont": "vt",
    "virginia": "va",
    "washington": "wa",
    "washingtondc": "dc",
    "westvirginia": "wv",
    "wisconsin": "wi",
    "wyoming": "wy",
    # territories, states in free association, the armed forces
    "americansamoa": "as",
    "guam": "gu",
    "northernmarianaislands": "mp",
    "northernmarianas": "mp",
    "puertorico": "pr",
    "usvirginislands": "vi",
    "virginislands": "vi",
    "unitedstatesvirginislands": "vi",
    "micronesia": "fm",
    "federatedstatesofmicronesia": "fm",
    "marshallislands": "mh",
    "palau": "pw",
    "armedforcesamericas": "aa",
    "armedforcesamericasexceptcanada": "aa",
    "armedforcesafrica": "ae",
    "armedforcescanada": "ae",
    "armedforceseurope": "ae",
    "armedforcesmiddleeast": "ae",
    "armedforceseuropecanadaafricaandmiddleeast": "ae",
    "armedforceseuropethemiddleeastandcanada": "ae",
    "armedforcespacific": "ap",
}
CA_PROVINCES = {
    "alberta": "ab",
    "britishcolumbia": "bc",
    "manitoba": "mb",
    "newbrunswick": "nb",
    "newfoundlandandlabrador": "nl",
    "newfoundland": "nl",
    "newfoundlandlabrador": "nl",
    "labrador": "nl",
    "northwestterritories": "nt",
    "northwestterritory": "nt",
    "novascotia": "ns",
    "nunavut": "nu",
    "ontario": "on",
    "princeedwardisland": "pe",
    "quebec": "qc",
    "saskatchewan": "sk",
    "yukon": "yt",
    # French
    "colombiebritannique": "bc",
    "ileduprinceedouard": "pe",
    "nouveaubrunswick": "nb",
    "nouvelleecosse": "ns",
    "terreneuve": "nl",
    "terreneuveetlabrador": "nl",
    "territoiresdunordouest": "nt",
}
# Of a customer who is known to be in the country: abbreviations of before two letters,
# former codes, and what neighbours call a state.
_MORE_US = {
    "ala": "al",
    "alas": "ak",
    "ariz": "az",
    "ark": "ar",
    "cal": "ca",
    "cali": "ca",
    "calif": "ca",
    "colo": "co",
    "col": "co",
    "conn": "ct",
    "del": "de",
    "dist": "dc",
    "fla": "fl",
    "flor": "fl",
    "geo": "ga",
    "haw": "hi",
    "ida": "id",
    "ills": "il",
    "ill": "il",
    "ind": "in",
    "kan": "ks",
    "kans": "ks",
    "ken": "ky",
    "kent": "ky",
    "lou": "la",
    "mass": "ma",
    "mich": "mi",
    "minn": "mn",
    "miss": "ms",
    "mont": "mt",
    "neb": "ne",
    "nebr": "ne",
    "nev": "nv",
    "newmex": "nm",
    "nmex": "nm",
    "ncar": "nc",
    "ndak": "nd",
    "nodak": "nd",
    "okla": "ok",
    "oreg": "or",
    "ore": "or",
    "penn": "pa",
    "penna": "pa",
    "scar": "sc",
    "sdak": "sd",
    "sodak": "sd",
    "tenn": "tn",
    "tex": "tx",
    "verm": "vt",
    "virg": "va",
    "wash": "wa",
    "washdc": "dc",
    "wva": "wv",
    "wvirg": "wv",
    "wis": "wi",
    "wisc": "wi",
    "wyo": "wy",
    "ncarolina": "nc",
    "nocarolina": "nc",
    "ndakota": "nd",
    "nodakota": "nd",
    "nhampshire": "nh",
    "njersey": "nj",
    "nmexico": "nm",
    "scarolina": "sc",
    "socarolina": "sc",
    "sdakota": "sd",
    "sodakota": "sd",
    "wvirginia": "wv",
    # A city that is named in place of its state.
    "nyc": "ny",
    "newyorkcity": "ny",
    # Spanish
    "carolinadelnorte": "nc",
    "carolinadelsur": "sc",
    "dakotadelnorte": "nd",
    "dakotadelsur": "sd",
    "distritodecolumbia": "dc",
    "luisiana": "la",
    "misisipi": "ms",
    "misuri": "mo",
    "nuevahampshire": "nh",
    "nuevohampshire": "nh",
    "nuevajersey": "nj",
    "nuevayork": "ny",
    "nuevomexico": "nm",
    "pensilvania": "pa",
    "tejas": "tx",
    "virginiaoccidental": "wv",
    # French
    "californie": "ca",
    "carolinedunord": "nc",
    "carolinedusud": "sc",
    "dakotadunord": "nd",
    "dakotadusud": "sd",
    "districtdecolumbia": "dc",
    "floride": "fl",
    "georgie": "ga",
    "louisiane": "la",
    "nouveaumexique": "nm",
    "pennsylvanie": "pa",
    "virginie": "va",
    "virginieoccidentale": "wv",
    # German
    "kalifornien": "ca",
}
_MORE_CA = {
    "alta": "ab",
    "ont": "on",
    "que": "qc",
    "pq": "qc",
    "sask": "sk",
    "man": "mb",
    "nfld": "nl",
    "nf": "nl",
    "lab": "nl",
    "nwt": "nt",
    "tno": "nt",
    "pei": "pe",
    "ipe": "pe",
    "yuk": "yt",
    "yk": "yt",
    "cb": "bc",
    "ne": "ns",
    "terranova": "nl",
    "nuevaescocia": "ns",
    "nuevobrunswick": "nb",
    "columbiabritanica": "bc",
    "columbiebritannique": "bc",
}

_TABLES = {
    "us": US_STATES | _MORE_US | {code: code for code in US_STATES.values()},
    "ca": _MORE_CA | CA_PROVINCES | {code: code for code in CA_PROVINCES.values()},
    # A state's name by itself tells its country, so a missing country does no harm.
    None: US_STATES | CA_PROVINCES,
}
_PARTS = re.compile(r"[,;()\[\]|/]+|\s[‐-―-]+\s")
_ISO_3166_2 = re.compile(r"(us|ca)[-\s_]+([a-z]{2})")
# The post offices of the armed forces.
_FORCES = re.compile(r"^(?:a\.?p\.?o|f\.?p\.?o|d\.?p\.?o)\.?,?\s+(?=a[aep]$)")
# "State of Oregon", "Yukon Territory", "Province de Québec", "Estado de California"
_KIND = re.compile(
    r"^(?:the\s+)?(?:state|commonwealth|province|territory|estado|état|bundesstaat)"
    r"\s+(?:of\s+|de\s+|du\s+|d['’]\s*)?(?:the\s+)?"
    r"|\s+(?:state|province|territory)$"
)


def state_code(text: str, country: str | None) -> str | None:
    """Return the two letters of a state of the US or of Canada, or None.

    :param text: as ``text.clean`` returns it
    :param country: its code in lower case. Without one, only a full name, or a text
        that names the country as well, is taken for a state's.

    >>> state_code("north carolina, usa", "us"), state_code("hawaiʻi", None)
    ('nc', 'hi')
    >>> state_code("california (us)", None), state_code("georgia", "ge")
    ('ca', None)
    """
    if country not in _TABLES:
        return None
    table = _TABLES[country]
    text = _FORCES.sub("", text)
    if code := table.get(text) or table.get(fold(text)):
        return code
    if match := _ISO_3166_2.fullmatch(text):
        its_country, code = match.groups()
        if country in (None, its_country) and code in _TABLES[its_country].values():
            return code
    parts = [part.strip() for part in _PARTS.split(text) if part.strip(" .")]
    named = {part: code for part in parts if (code := _country_in(part, country))}
    if country is None and len(parts) > 1:
        if not named:
            return None
        country = next(iter(named.values()))
    table = _TABLES[country]
    names = [_KIND.sub("", part) for part in parts if part not in named]
    codes = {code for name in names if (code := table.get(fold(name)))}
    return codes.pop() if len(codes) == 1 else None


def _country_in(part: str, country: str | None) -> str | None:
    """Return the US or Canada, if that is what a part of a state's name says.

    Of "California (CA)" the second part is the state, of "Ontario (CA)" the country.
    """
    code = normalize_country(part)
    if code not in ("us", "ca") or (code == "ca" and part == "ca" and country == "us"):
        return None
    return code
