"""The words and patterns by which the parts of a person's name are told."""

from __future__ import annotations

import re

# What stands before a name. What has a dot here counts with it only: without, it is a
# name or a word as well.
TITLES = frozenset(
    """
    dr dr.in dra drs ddr dott dott.ssa dottor dottore dottoressa prof prof.in prof.ssa
    profa professor professorin professeur professore professoressa profesor profesora
    doctor doctora docteur doktor dokter doutor doutora mr mrs ms miss mx mister
    mistress madam sir herr hr hrn herrn frau fräulein frl fru hra rva fam familie family famille famiglia família familia
    eheleute ehepaar mme mlle monsieur madame mademoiselle señor señora señorita senhor
    senhora senhorita sra srta sr.a exmo exma signore signor signora signorina sig.ra
    sig.na dhr mevr mevrouw mw meneer heer mej doña dña dª dipl dipl-ing mmag mag.a
    habil univ rev reverend engr lek kfm kffr dn uzm öğr üyesi doç yrd
    mgr inż inz hab ks mudr mvdr judr phdr paeddr rndr pharmdr thdr thlic icdr dr.h.c
    shri shree smt adv dl dna domnul doamna encik puan datuk datin dato' dato’ bapak bpk
    г-н г-жа господин госпожа гр д-р проф доц инж ип фоп κος κα κύριος κυρία κ. δρ δρ.
    श्री श्रीमती सुश्री מר גב' ד"ר
    นาย นาง นางสาว คุณ คุณหญิง ดร. น.ส. นพ. พญ.
    السيد السيدة الآنسة سيد سيدة دكتور دكتورة الدكتور الدكتورة أستاذ الأستاذ الأستاذة
    المهندس المهندسة الشيخ الحاج آقای خانم د. م. أ.
    arch. arq. av. avv. bc. bca. capt. col. d. dent. di. doc. doz. eng. er. fr. gen.
    geom. h.c. hj. hon. id. ifj. ing. ir. jur. kum. lic. lt. m. mag. maj. med. iur. nat. oec. op. pharm.
    özv. phil. pol. prim. priv. rag. rer. rt. sc. sgt. sig. soc. sr sr. techn. theol. vet.
    """.split()
)
# What follows is a first name, if it is a single word.
TITLES_OF_FIRST_NAMES = frozenset(
    "don doña dña dª d shri shree smt sri er kumari bapak bpk ibu khun คุณ คุณหญิง นาย นาง นางสาว ดร".split()
)
# Titles in some countries and languages, and names in others: Pan and Ing are Chinese,
# Bay and Sri are people's names. They count at home.
LOCAL_TITLES = {
    word: frozenset(homes.split())
    for words, homes in (
        ("pan pán pani paní państwo panna slečna", "pl cz sk ua by cs uk be"),
        ("пан пані пани", "ua by uk be"),
        ("ing", "cz sk cs at de ch it es mx ar co cl pe ec nl"),
        ("mag di", "at si"),
        ("bay bayan sayın sayin", "tr cy az"),
        ("er sri kumari ca", "in np lk hi"),
        ("don", "es it mx ar co cl pe ec uy ve bo gt cr"),
        ("tuan cik haji hajah ibu", "my id bn sg ms"),
        ("khun", "th"),
        ("ông bà", "vn vi"),
        ("h", "id"),
        ("seri dato dato'", "my ms"),
        ("sheikh sheikha", "ae bh kw om qa sa ar"),
        ("alhaji chief", "ng"),
        ("ra stb wp pd", "de at ch"),
        ("me", "fr be"),
        ("lord lady dame", "gb ie au nz en"),
    )
    for word in words.split()
}
# Those that count where nothing is known of a person, if a first and a last name follow.
COMMON_LOCAL_TITLES = frozenset(
    "pan pán pani paní пан пані пани ing mag bay bayan sayın sayin lord lady dame".split()
)
# What stands behind a name.
SUFFIXES = frozenset(
    """
    jr jnr jun. junior júnior sr snr sen. senior sénior ii iii iv 2nd 3rd 4th fils père
    ml. st. mł. ph.d d.phil dphil dphill dsc d.sc drsc csc cs.c th.d dr prof phdr mgr ing.
    dipl dipl.-ing mag. inż
    m.d m.b.a m.sc b.sc m.a b.a ll.m ll.b j.d m.eng b.eng b.tech m.tech b.e m.e b.com
    m.com d.d.s d.v.m d.o d.c ed.d psy.d pharm.d r.n p.e c.p.a m.s m.phil m.ed b.ed m.p.h
    s.h s.e s.t m.m m.t m.h esq. dis. ret. retd.
    phd mba emba cpa cfa cfp esq esquire dds dvm dpm dpt dnp fnp fnp-bc aprn crna pa-c lpn
    bsn msn bscn lcsw lmsw msw lmft lpc lmhc lcpc bcba psyd pharmd rph edd llm llb cissp
    pmp phr sphr aia faia facs facp facc frcs frcp mrcp mbbs mbchb bds bams mph mpa bba
    bca mca mfa bfa msc bsc meng beng btech mtech obe mbe cbe kbe dbe frs frse fba frsa rdn ldn eth usmc usn
    usaf
    """.split()
)
# The same, and names: they count behind a first and a last name.
SUFFIXES_OF_WHOLE_NAMES = frozenset("md rn rd jd od np dmd lmt cnm cma kc qc".split())
# The same again: they count behind a comma only.
SUFFIXES_BEHIND_COMMA = frozenset("ma ba do pa ms bs ot pe ed dc".split())

CONSONANTS = frozenset("BCDFGHJKLMNPQRSTVWXZ")
# What a last name begins with.
PARTICLES = frozenset(
    """
    van von vom zu zum zur der den des de del dela delos dell della dello degli dei di da
    das do dos du dal dalla la las le les lo los 't ter ten te op in het af av auf am bin
    ibn bint binti bte bt ben abu abou al el ould st. saint san santa ní uí ó
    nic mac mc ap o' o’ d' d’ l' l’ de' van't in't van’t v.d. v/d anak a/l a/p s/o d/o
    بن ابن بنت آل בן בת
    """.split()
)
# "Servant of" and "father of", to which the next word belongs.
JOINED_TO_NEXT = frozenset("abdul abdel abdal abd عبد أبو ابو".split())
# Of the nobility, and a part of the last name to some.
NOBLE = frozenset("graf gräfin freiherr freifrau baron baronin fürst prinz".split())
# Last names of one of these alone are written with it: "Ó Briain", not "Ben Smith".
LONE_PARTICLES = frozenset("ó ní uí o' o’ d' d’".split())
# Between two last names.
JOINS = frozenset("y e i".split())
# Between two people.
AND = frozenset(
    """
    and und u u. et y e en og och i ve és şi și a и та і і. و ו kai και sowie or oder
    """.split()
)
# "And" in these only; elsewhere it is somebody's initial.
AND_A = frozenset("cz sk cs".split())
# What "María del …", "María de los …" is called.
DEVOTIONS = frozenset(
    """
    angeles carmen pilar mar rosario consuelo dolores luz jesus fatima lourdes mercedes
    nieves socorro soledad sol valle rocio camino cruz guadalupe concepcion remedios
    milagro milagros castillo graca gracas conceicao ceu
    """.split()
)
GIVEN_SECOND = frozenset(
    """
    maria jose juan carlos luis antonio manuel miguel angel jesus javier francisco
    fernando alberto eduardo enrique andres pablo pedro rafael ramon ricardo roberto
    alejandro david daniel ignacio isabel elena teresa cristina carmen ana rosa luisa
    fernanda laura beatriz patricia lucia clara sofia victoria alejandra gabriela paulo
    mercedes joao vitor henrique gabriel felipe eduarda ma
    """.split()
)
# The last names of most people who have two.
HISPANIC = frozenset(
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
PORTUGUESE = frozenset("ao br cv mz pt".split())
TWO_LAST_NAMES = PORTUGUESE | frozenset(
    "ar bo cl co cr cu do ec es gq gt hn mx ni pa pe pr py sv uy ve".split()
)
TWO_LAST_NAMES_LANGUAGES = frozenset("ca es eu gl pt".split())

# The last name comes first. Where Latin letters are not people's own, and abroad, it is
# written either way.
LAST_FIRST = frozenset("cn hk hu jp kp kr mo tw vn".split())
LAST_FIRST_LANGUAGES = frozenset("hu ja ko vi zh".split())
LAST_FIRST_CERTAIN = frozenset(("hu", "vn", ""))
# The father's name stands beside the first name.
PATRONYMIC_HOMES = frozenset("ru ua by kz kg uz tj tm md am az uk be kk".split())

# "Son of" and "daughter of", behind the father's name.
OF_FATHER = frozenset("оглы кызы углы улы oglu ogly oglı qizi kyzy gyzy".split())

# Last names of two characters; of all others, the first is the whole.
LONG_HAN = frozenset(
    "欧阳 歐陽 司马 司馬 诸葛 諸葛 上官 司徒 东方 東方 皇甫 尉迟 尉遲 公孙 公孫 令狐 慕容 端木 夏侯".split()
)
LONG_HANGUL = frozenset("남궁 황보 제갈 사공 선우 독고 동방 서문".split())
# The last word of a firm's name, which is no person's; and the first one.
FIRMS = frozenset(
    """
    gmbh ltd ltd. limited llc inc inc. plc corp corp. kg ohg gbr e.k. b.v. n.v. bvba sarl
    s.à.r.l. s.a.r.l. s.r.l. s.p.a. s.r.o. s.l. ltda ltda. oy aps pty pvt kft d.o.o. ооо
    """.split()
)
FIRST_OF_FIRMS = frozenset("firma fa. company société empresa hotel".split())

# What makes a text more than a first and a last name.
NO_NAMES = frozenset().union(
    *(TITLES, LOCAL_TITLES, SUFFIXES, SUFFIXES_OF_WHOLE_NAMES, SUFFIXES_BEHIND_COMMA),
    *(AND, FIRMS, FIRST_OF_FIRMS, OF_FATHER),
    "alias aka dit dite genannt geb nee née born nata roz geborene rozená rodená född født".split(),
)
LAST_LATIN_LETTER = "\u024f"  # before the phonetic ones

EAST_ASIAN = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
HANGUL = re.compile("[\uac00-\ud7a3]+")
HAN = re.compile("[\u3400-\u9fff]+")

ASIDE = re.compile(
    r"<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]|\"[^\"]*\"|“[^”]*”|„[^„“”]*[“”]|«[^«»]*»"
    r"|(?<!\w)['‘][^'‘’]+['’](?!\w)|(?<!\w)(?:she|he|they)/\w+(?:/\w+)?(?!\w)"
    r"|(?<!\w)n\. ?(?:med|hum|ekon)\."  # "dr n. med."
)
# Abbreviations with the end of the word above the line.
RAISED = (
    ("M.ª", "María"),
    ("Mª.", "María"),
    ("Mª", "María"),
    ("D.ª", "Dª"),
    (".ª", "a."),
    (".º", "."),
)
# What follows a dash that stands alone, and the like; what somebody was called before.
REMARK = re.compile(
    r"\s[-–—|]+\s|\s(?:c/o|attn\.?|z\. ?hd\.?|a\.?k\.?a\.?|alias|w/o|(?:vda\.?|viuda) de|dit|dite|genannt|του|geb\.|geborene?|née?"
    r"|verw\.|gesch\.|roz\.|rozená|rodená|rod\.|ur\.|z domu|z d\.|född|f\.d\.|født"
    r"|rođ\.|rođena|урожд\.|ур\.|рожд\.|урождённая|урожденная|szül\.|o\.s\.)(?:\s|(?<=\.)(?=\w))",
    re.IGNORECASE,
)
REMARK_IN_LOWER_CASE = re.compile(r",?\s(?:geb|nee|born|nata|roz)\s")
AND_CO = re.compile(
    r"(?:&|\bund|\band|\bet)\s+(?:co|cie|sons|söhne|bros|hijos|partners?)\b\.?$",
    re.IGNORECASE,
)
BETWEEN = re.compile(r"\s*[;&+]\s*")
# Not that of "a/l", "s/o" and the like.
SLASH = re.compile(r"\s*(?<!\b\w)/\s*|\s+/\s*|/\s+")
# Thai titles are written together with the name; no name goes on with a vowel behind it.
PREFIX = re.compile(
    r"^(?:(?:นางสาว|นาง|นาย|เด็กชาย|เด็กหญิง|คุณ(?!หญิง)|น\.ส\.|นพ\.|พญ\.|ด\.ช\.|ด\.ญ\.|ดร\.)(?=[ก-ฮเ-ไ]\S)"
    r"|(?:attn|att|name|nombre|nom|an|to|für|for)\s*:\s*|z\. ?hd\.\s*|c/o\s+|tan sri\s+"
    r"|m\.?\s+(?:et|ou|&)\s+(?=mme\b))",
    re.IGNORECASE,
)
HONORIFIC = re.compile(r"(?<=\S)\s*(?:様|さん|先生|女士|小姐|씨|님)$")
# "S.Kom.", "B.Tech.": a degree, unlike "J.K."
DEGREE = re.compile(r"[^\W\d_]{1,6}(?:\.[^\W\d_]{2,6})+\.?")
INITIALS = re.compile(r"(?:[^\W\d_]\.-?)+|[A-ZА-Я]")
# Unlike last names, what is made of a father's first name agrees with the person.
PATRONYMIC = re.compile(
    r"\w{2,}(?:ович|евич|авіч|евіч|овіч|овна|евна|ична|івна|ївна|аўна|еўна|оўна"
    r"|ұлы|улы|қызы|кызы|оглы|углы|uly|kyzy|qyzy|[oe]v[iy](?:t?ch|č)|[oe]witsch|[oe]vna|[oe]wna"
    r"|[iy]vna|ichna|ična)|ильич|кузьмич|лукич|фомич|никитич|ілліч|лукич|ilyich"
)
SLAVIC_LAST_NAME = re.compile(
    r"\w{2,}(?:[oe]va?|[kh]ina?|sk(?:iy|yi|yy|ii|y|i|aya|aia|a)|[oe]vich|enko|[sc]hko|uk|ykh)"
)
