"""Names of languages, each in its own words, and of months."""

from typing import Final

OWN_NAMES: Final = {
    "it": "Italiano",
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "ro": "Română",
    "sq": "Shqip",
    "ar": "العربية",
    "zh": "中文",
    "uk": "Українська",
}

_MONTHS: Final = {
    "it": [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


def month(language: str, number: int) -> str:
    """The month's name; `number` from 1 to 12."""
    return _MONTHS[language][number - 1]


def own_name(tag: str) -> str:
    """A language in its own words, or its tag."""
    return OWN_NAMES.get(tag.partition("-")[0].lower(), tag)
