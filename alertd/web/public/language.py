"""Which of our languages a reader gets: the one asked for in the address, else the browser's, else Italian."""

from starlette.requests import Request

from alertd.web.public.words import LANGUAGES

DEFAULT = LANGUAGES[0]
_LONGEST = 500


def asked(request: Request) -> str | None:
    """The language named by `?lang=`, where it is one of ours."""
    wanted = request.query_params.get("lang", "").partition("-")[0].lower()
    return wanted if wanted in LANGUAGES else None


def chosen(request: Request) -> str:
    return asked(request) or accepted(request.headers.get("accept-language", ""))


def accepted(header: str) -> str:
    """The best of ours in an Accept-Language header (RFC 9110, section 12.5.4)."""
    best, weight = DEFAULT, 0.0
    for part in header[:_LONGEST].split(","):
        tag, _, parameter = part.strip().partition(";")
        quality = _quality(parameter)
        language = tag.partition("-")[0].lower()
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
