"""The words for female and male, and the titles that say as much."""

# In the languages that the addon speaks, and their neighbours': as ``text.squeeze``
# writes them. *Sr* and *M* are men's titles, unlike *Jr*, which is no title.
_FEMALE = """
    f female woman girl feminine fem w lady mrs ms miss mistress madam maam missus
    v frau fr fräulein frl weiblich femme féminin féminine fille mme madame mlle
    mademoiselle mujer femenino femenina señora sra señorita srta doña
    mulher feminino feminina senhora senhorita dona menina vrouw vrouwelijk mevrouw
    mevr mw mej juffrouw donna femmina femminile signora signorina sigra signa
    kobieta pani kvinna kvinne kvinde žena женщина женский ж госпожа
    سيدة السيدة آنسة الآنسة أنثى امرأة انثى
    女 女性 女士 여 여성 여자
"""
_MALE = """
    m male man boy masculine masc gentleman mr mister sir master
    herr hr mann männlich homme masculin garçon monsieur mons hombre masculino señor
    sr senor varón varon macho don homem senhor menino man mannelijk meneer dhr
    heer deheer uomo maschio maschile signore signor sig mężczyzna pan
    mann muž мужчина мужской господин
    سيد السيد ذكر رجل
    男 男性 先生 남 남성 남자
"""
GENDERS = dict.fromkeys(_FEMALE.split(), "f") | dict.fromkeys(_MALE.split(), "m")
