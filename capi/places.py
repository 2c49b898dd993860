"""States and provinces that Meta wants as two letters."""

from __future__ import annotations

import re

from .countries import normalize_country
from .text import codes_by_name, fold

# Names as ``fold`` writes them: lower case, letters only, without accents.
US_STATES = codes_by_name(
    {
        "al": "alabama",
        "ak": "alaska",
        "az": "arizona",
        "ar": "arkansas",
        "ca": "california",
        "co": "colorado",
        "ct": "connecticut",
        "de": "delaware",
        "dc": "districtofcolumbia washingtondc",
        "fl": "florida",
        "ga": "georgia",
        "hi": "hawaii",
        "id": "idaho",
        "il": "illinois",
        "in": "indiana",
        "ia": "iowa",
        "ks": "kansas",
        "ky": "kentucky",
        "la": "louisiana",
        "me": "maine",
        "md": "maryland",
        "ma": "massachusetts",
        "mi": "michigan",
        "mn": "minnesota",
        "ms": "mississippi",
        "mo": "missouri",
        "mt": "montana",
        "ne": "nebraska",
        "nv": "nevada",
        "nh": "newhampshire",
        "nj": "newjersey",
        "nm": "newmexico",
        "ny": "newyork",
        "nc": "northcarolina",
        "nd": "northdakota",
        "oh": "ohio",
        "ok": "oklahoma",
        "or": "oregon",
        "pa": "pennsylvania",
        "ri": "rhodeisland",
        "sc": "southcarolina",
        "sd": "southdakota",
        "tn": "tennessee",
        "tx": "texas",
        "ut": "utah",
        "vt": "vermont",
        "va": "virginia",
        "wa": "washington",
        "wv": "westvirginia",
        "wi": "wisconsin",
        "wy": "wyoming",
        "as": "americansamoa",
        "gu": "guam",
        "mp": "northernmarianaislands northernmarianas",
        "pr": "puertorico",
        "vi": "usvirginislands virginislands unitedstatesvirginislands",
        "fm": "micronesia federatedstatesofmicronesia",
        "mh": "marshallislands",
        "pw": "palau",
        "aa": "armedforcesamericas armedforcesamericasexceptcanada",
        "ae": "armedforcesafrica armedforcescanada armedforceseurope armedforcesmiddleeast"
        " armedforceseuropecanadaafricaandmiddleeast"
        " armedforceseuropethemiddleeastandcanada",
        "ap": "armedforcespacific",
    }
)
CA_PROVINCES = codes_by_name(
    {
        "ab": "alberta",
        "bc": "britishcolumbia colombiebritannique",
        "mb": "manitoba",
        "nb": "newbrunswick nouveaubrunswick",
        "nl": "newfoundlandandlabrador newfoundland newfoundlandlabrador labrador"
        " terreneuve terreneuveetlabrador",
        "nt": "northwestterritories northwestterritory territoiresdunordouest",
        "ns": "novascotia nouvelleecosse",
        "nu": "nunavut",
        "on": "ontario",
        "pe": "princeedwardisland ileduprinceedouard",
        "qc": "quebec",
        "sk": "saskatchewan",
        "yt": "yukon",
    }
)
# Of a customer who is known to be in the country: abbreviations of before two letters,
# former codes, and what neighbours call a state.
_MORE_US = codes_by_name(
    {
        "al": "ala",
        "ak": "alas",
        "az": "ariz",
        "ar": "ark",
        "ca": "cal cali calif californie kalifornien",
        "co": "colo col",
        "ct": "conn",
        "de": "del",
        "dc": "dist washdc distritodecolumbia districtdecolumbia",
        "fl": "fla flor floride",
        "ga": "geo georgie",
        "hi": "haw",
        "id": "ida",
        "il": "ills ill",
        "in": "ind",
        "ks": "kan kans",
        "ky": "ken kent",
        "la": "lou luisiana louisiane",
        "ma": "mass",
        "mi": "mich",
        "mn": "minn",
        "ms": "miss misisipi",
        "mt": "mont",
        "ne": "neb nebr",
        "nv": "nev",
        "nm": "newmex nmex nmexico nuevomexico nouveaumexique",
        "nc": "ncar ncarolina nocarolina carolinadelnorte carolinedunord",
        "nd": "ndak nodak ndakota nodakota dakotadelnorte dakotadunord",
        "ok": "okla",
        "or": "oreg ore",
        "pa": "penn penna pensilvania pennsylvanie",
        "sc": "scar scarolina socarolina carolinadelsur carolinedusud",
        "sd": "sdak sodak sdakota sodakota dakotadelsur dakotadusud",
        "tn": "tenn",
        "tx": "tex tejas",
        "vt": "verm",
        "va": "virg virginie",
        "wa": "wash",
        "wv": "wva wvirg wvirginia virginiaoccidental virginieoccidentale",
        "wi": "wis wisc",
        "wy": "wyo",
        "nh": "nhampshire nuevahampshire nuevohampshire",
        "nj": "njersey nuevajersey",
        "ny": "nyc newyorkcity nuevayork",
        "mo": "misuri",
    }
)
_MORE_CA = codes_by_name(
    {
        "ab": "alta",
        "on": "ont",
        "qc": "que pq",
        "sk": "sask",
        "mb": "man",
        "nl": "nfld nf lab terranova",
        "nt": "nwt tno",
        "pe": "pei ipe",
        "yt": "yuk yk",
        "bc": "cb columbiabritanica columbiebritannique",
        "ns": "ne nuevaescocia",
        "nb": "nuevobrunswick",
    }
)

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
