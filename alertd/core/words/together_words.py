"""What a page about many drafts says, per language, as data. A language is added by adding a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class TogetherWords:
    """`waiting` opens each page but the last, which `none` opens; `do` takes `rule` and `api`, an address."""

    event: str
    waiting: str
    why: str
    by_rule: str
    more_rules: str
    gravest: str
    one: str
    first_expires: str
    since: str
    approved: str
    rejected: str
    withdrawn: str
    expired: str
    do: str
    none: str
    none_do: str


_ITALIAN: Final = TogetherWords(
    event="Decisione su più bozze",
    waiting="BOZZE IN ATTESA DI DECISIONE, altre {count}. La più grave: {what}",
    why="Sono troppe per una notifica ciascuna: questa vale per tutte. Al pubblico non è stato inviato nulla.",
    by_rule="{rule}: {count} (gravità massima: {severity})",
    more_rules="… e altre {count} regole",
    gravest="Le più gravi:",
    one="{id}: {what} ({where})",
    first_expires="La prima scade: {when}",
    since="Dalla notifica precedente:",
    approved="approvate da {who}: {count}",
    rejected="respinte da {who}: {count} ({reason})",
    withdrawn="ritirate da {who}: {count}",
    expired="scadute senza decisione: {count}",
    do="Elenco: alertd drafts. Per inviarne una: alertd approve ID. Per respingerne una: alertd reject ID --reason "
    "MOTIVO. Per respingere tutte quelle di una regola: alertd reject --rule {rule} --reason MOTIVO. "
    "Via HTTP: GET {api}?state=draft, poi POST {api}/ID/approve oppure {api}/ID/reject",
    none="NESSUN'ALTRA BOZZA IN ATTESA",
    none_do="Le bozze con una notifica propria sono a parte: alertd drafts.",
)

_ENGLISH: Final = TogetherWords(
    event="Decision on several drafts",
    waiting="DRAFTS WAITING FOR A DECISION, {count} more. The gravest: {what}",
    why="They are too many for a page each: this is about all of them. Nothing was sent to the public.",
    by_rule="{rule}: {count} (at worst: {severity})",
    more_rules="… and {count} more rules",
    gravest="The gravest:",
    one="{id}: {what} ({where})",
    first_expires="The first of them expires: {when}",
    since="Since the page before:",
    approved="approved by {who}: {count}",
    rejected="rejected by {who}: {count} ({reason})",
    withdrawn="withdrawn by {who}: {count}",
    expired="expired undecided: {count}",
    do="List: alertd drafts. To send one: alertd approve ID. To reject one: alertd reject ID --reason WHY. "
    "To reject all of one rule: alertd reject --rule {rule} --reason WHY. "
    "By HTTP: GET {api}?state=draft, then POST {api}/ID/approve or {api}/ID/reject",
    none="NO MORE DRAFTS WAITING",
    none_do="Drafts with pages of their own are told apart: alertd drafts.",
)

_FRENCH: Final = TogetherWords(
    event="Décision sur plusieurs brouillons",
    waiting="BROUILLONS EN ATTENTE DE DÉCISION, {count} de plus. Le plus grave : {what}",
    why="Ils sont trop nombreux pour un message chacun : celui-ci vaut pour tous. Rien n'a été envoyé au public.",
    by_rule="{rule} : {count} (gravité maximale : {severity})",
    more_rules="… et {count} autres règles",
    gravest="Les plus graves :",
    one="{id} : {what} ({where})",
    first_expires="Le premier expire : {when}",
    since="Depuis le message précédent :",
    approved="approuvés par {who} : {count}",
    rejected="rejetés par {who} : {count} ({reason})",
    withdrawn="retirés par {who} : {count}",
    expired="expirés sans décision : {count}",
    do="Liste : alertd drafts. Pour en envoyer un : alertd approve ID. Pour en rejeter un : alertd reject ID --reason "
    "MOTIF. Pour rejeter tous ceux d'une règle : alertd reject --rule {rule} --reason MOTIF. "
    "Par HTTP : GET {api}?state=draft, puis POST {api}/ID/approve ou {api}/ID/reject",
    none="PLUS AUCUN AUTRE BROUILLON EN ATTENTE",
    none_do="Les brouillons qui ont leur propre message sont à part : alertd drafts.",
)

_GERMAN: Final = TogetherWords(
    event="Entscheidung über mehrere Entwürfe",
    waiting="ENTWÜRFE WARTEN AUF EINE ENTSCHEIDUNG, {count} weitere. Der schwerste: {what}",
    why="Es sind zu viele für je eine Nachricht: Diese gilt für alle. An die Öffentlichkeit wurde nichts gesendet.",
    by_rule="{rule}: {count} (höchster Schweregrad: {severity})",
    more_rules="… und {count} weitere Regeln",
    gravest="Die schwersten:",
    one="{id}: {what} ({where})",
    first_expires="Der erste läuft ab: {when}",
    since="Seit der vorigen Nachricht:",
    approved="freigegeben von {who}: {count}",
    rejected="abgelehnt von {who}: {count} ({reason})",
    withdrawn="zurückgezogen von {who}: {count}",
    expired="ohne Entscheidung abgelaufen: {count}",
    do="Liste: alertd drafts. Einen senden: alertd approve ID. Einen ablehnen: alertd reject ID --reason GRUND. "
    "Alle einer Regel ablehnen: alertd reject --rule {rule} --reason GRUND. "
    "Über HTTP: GET {api}?state=draft, dann POST {api}/ID/approve oder {api}/ID/reject",
    none="KEINE WEITEREN ENTWÜRFE WARTEN",
    none_do="Entwürfe mit eigener Nachricht stehen für sich: alertd drafts.",
)

_SPANISH: Final = TogetherWords(
    event="Decisión sobre varios borradores",
    waiting="BORRADORES A LA ESPERA DE DECISIÓN, {count} más. El más grave: {what}",
    why="Son demasiados para un mensaje cada uno: este vale para todos. No se ha enviado nada al público.",
    by_rule="{rule}: {count} (gravedad máxima: {severity})",
    more_rules="… y {count} reglas más",
    gravest="Los más graves:",
    one="{id}: {what} ({where})",
    first_expires="El primero caduca: {when}",
    since="Desde el mensaje anterior:",
    approved="aprobados por {who}: {count}",
    rejected="rechazados por {who}: {count} ({reason})",
    withdrawn="retirados por {who}: {count}",
    expired="caducados sin decisión: {count}",
    do="Lista: alertd drafts. Para enviar uno: alertd approve ID. Para rechazar uno: alertd reject ID --reason "
    "MOTIVO. Para rechazar todos los de una regla: alertd reject --rule {rule} --reason MOTIVO. "
    "Por HTTP: GET {api}?state=draft, luego POST {api}/ID/approve o {api}/ID/reject",
    none="NINGÚN OTRO BORRADOR EN ESPERA",
    none_do="Los borradores con mensaje propio van aparte: alertd drafts.",
)

TOGETHER_WORDS: Final[Mapping[str, TogetherWords]] = {
    "it": _ITALIAN,
    "en": _ENGLISH,
    "fr": _FRENCH,
    "de": _GERMAN,
    "es": _SPANISH,
}


def together_words(tag: str) -> TogetherWords:
    """The row of a language of `phrases`; English where that has gained one this has not."""
    return TOGETHER_WORDS.get(tag, _ENGLISH)
