"""What a page to the officers says, per language, as data. A language is added by adding a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWords:
    """`waiting` opens every page, the other headlines the last one; `do` takes `id` and `api`, an address."""

    event: str
    waiting: str
    approved: str
    rejected: str
    withdrawn: str
    expired: str
    raised: str
    status: str
    reminder: str
    says: str
    where: str
    until: str
    more: str
    evidence: str
    expires: str
    do: str
    nothing_to_do: str
    not_sent: str
    reason: str
    untold: str


_ITALIAN: Final = PageWords(
    event="Decisione su una bozza",
    waiting="BOZZA IN ATTESA DI DECISIONE: {what}",
    approved="BOZZA APPROVATA da {who}: {what}",
    rejected="BOZZA RESPINTA da {who}: {what}",
    withdrawn="BOZZA RITIRATA da {who}: {what}",
    expired="BOZZA SCADUTA senza decisione: {what}",
    raised="Bozza preparata da {who}. Al pubblico non è stato inviato nulla.",
    status="Stato dell'avviso: {status}",
    reminder="Sollecito n. {number}",
    says="La bozza dice:",
    where="Dove: {where}",
    until="Fino a: {until}",
    more="… e altri {count} testi",
    evidence="Perché:",
    expires="La bozza scade: {when}",
    do="Decidi. Per inviarla: alertd approve {id}. Per respingerla: alertd reject {id} --reason MOTIVO. "
    "Via HTTP: POST {api}/approve oppure {api}/reject",
    nothing_to_do="Non serve altro.",
    not_sent="Al pubblico non è stato inviato nulla. Se serve ancora, scrivi un nuovo avviso.",
    reason="Motivo: {reason}",
    untold="nessun motivo indicato",
)

_ENGLISH: Final = PageWords(
    event="Decision on a draft",
    waiting="DRAFT WAITING FOR A DECISION: {what}",
    approved="DRAFT APPROVED by {who}: {what}",
    rejected="DRAFT REJECTED by {who}: {what}",
    withdrawn="DRAFT WITHDRAWN by {who}: {what}",
    expired="DRAFT EXPIRED undecided: {what}",
    raised="A draft raised by {who}. Nothing was sent to the public.",
    status="Status of the alert: {status}",
    reminder="Reminder no. {number}",
    says="The draft says:",
    where="Where: {where}",
    until="Until: {until}",
    more="… and {count} more texts",
    evidence="Why:",
    expires="The draft expires: {when}",
    do="Decide. To send it: alertd approve {id}. To reject it: alertd reject {id} --reason WHY. "
    "By HTTP: POST {api}/approve or {api}/reject",
    nothing_to_do="Nothing more to do.",
    not_sent="Nothing was sent to the public. If it is still needed, write a new alert.",
    reason="Reason: {reason}",
    untold="no reason given",
)

_FRENCH: Final = PageWords(
    event="Décision sur un brouillon",
    waiting="BROUILLON EN ATTENTE DE DÉCISION : {what}",
    approved="BROUILLON APPROUVÉ par {who} : {what}",
    rejected="BROUILLON REJETÉ par {who} : {what}",
    withdrawn="BROUILLON RETIRÉ par {who} : {what}",
    expired="BROUILLON EXPIRÉ sans décision : {what}",
    raised="Brouillon préparé par {who}. Rien n'a été envoyé au public.",
    status="Statut de l'alerte : {status}",
    reminder="Rappel n° {number}",
    says="Le brouillon dit :",
    where="Où : {where}",
    until="Jusqu'à : {until}",
    more="… et {count} autres textes",
    evidence="Pourquoi :",
    expires="Le brouillon expire : {when}",
    do="Décidez. Pour l'envoyer : alertd approve {id}. Pour le rejeter : alertd reject {id} --reason MOTIF. "
    "Par HTTP : POST {api}/approve ou {api}/reject",
    nothing_to_do="Rien d'autre à faire.",
    not_sent="Rien n'a été envoyé au public. Si c'est encore utile, écrivez une nouvelle alerte.",
    reason="Motif : {reason}",
    untold="aucun motif indiqué",
)

_GERMAN: Final = PageWords(
    event="Entscheidung über einen Entwurf",
    waiting="ENTWURF WARTET AUF EINE ENTSCHEIDUNG: {what}",
    approved="ENTWURF FREIGEGEBEN von {who}: {what}",
    rejected="ENTWURF ABGELEHNT von {who}: {what}",
    withdrawn="ENTWURF ZURÜCKGEZOGEN von {who}: {what}",
    expired="ENTWURF ABGELAUFEN ohne Entscheidung: {what}",
    raised="Entwurf von {who}. An die Öffentlichkeit wurde nichts gesendet.",
    status="Status der Meldung: {status}",
    reminder="Erinnerung Nr. {number}",
    says="Der Entwurf lautet:",
    where="Wo: {where}",
    until="Bis: {until}",
    more="… und {count} weitere Texte",
    evidence="Warum:",
    expires="Der Entwurf läuft ab: {when}",
    do="Entscheiden Sie. Senden: alertd approve {id}. Ablehnen: alertd reject {id} --reason GRUND. "
    "Über HTTP: POST {api}/approve oder {api}/reject",
    nothing_to_do="Nichts weiter zu tun.",
    not_sent="An die Öffentlichkeit wurde nichts gesendet. Falls noch nötig, schreiben Sie eine neue Meldung.",
    reason="Grund: {reason}",
    untold="kein Grund angegeben",
)

_SPANISH: Final = PageWords(
    event="Decisión sobre un borrador",
    waiting="BORRADOR A LA ESPERA DE DECISIÓN: {what}",
    approved="BORRADOR APROBADO por {who}: {what}",
    rejected="BORRADOR RECHAZADO por {who}: {what}",
    withdrawn="BORRADOR RETIRADO por {who}: {what}",
    expired="BORRADOR CADUCADO sin decisión: {what}",
    raised="Borrador preparado por {who}. No se ha enviado nada al público.",
    status="Estado del aviso: {status}",
    reminder="Recordatorio n.º {number}",
    says="El borrador dice:",
    where="Dónde: {where}",
    until="Hasta: {until}",
    more="… y {count} textos más",
    evidence="Por qué:",
    expires="El borrador caduca: {when}",
    do="Decida. Para enviarlo: alertd approve {id}. Para rechazarlo: alertd reject {id} --reason MOTIVO. "
    "Por HTTP: POST {api}/approve o {api}/reject",
    nothing_to_do="Nada más que hacer.",
    not_sent="No se ha enviado nada al público. Si aún hace falta, escriba un aviso nuevo.",
    reason="Motivo: {reason}",
    untold="sin motivo indicado",
)

PAGE_WORDS: Final[Mapping[str, PageWords]] = {
    "it": _ITALIAN,
    "en": _ENGLISH,
    "fr": _FRENCH,
    "de": _GERMAN,
    "es": _SPANISH,
}


def page_words(tag: str) -> PageWords:
    """The row of a language of `phrases`; English where that has gained one this has not."""
    return PAGE_WORDS.get(tag, _ENGLISH)
