"""What a notice to the officers says, per language, as data. A language is added by adding a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWords:
    event: str
    silent: str
    since: str
    never: str
    silent_do: str
    heard: str
    heard_do: str
    sensors: str
    uncleared: str
    uncleared_why: str
    uncleared_do: str
    evidence: str
    withheld: str
    withheld_why: str
    withheld_do: str
    withheld_last: str


_ITALIAN: Final = NoticeWords(
    event="Avviso di servizio agli addetti",
    silent="SORGENTE MUTA: {source}",
    since="Ultima ricezione corretta: {when}.",
    never="Non si è ancora sentita da quando alertd è partito.",
    silent_do="Finché dura il silenzio, le regole in ascolto non possono avvisare. Verifica e segui altre fonti.",
    heard="SORGENTE DI NUOVO ATTIVA: {source}",
    heard_do="Non serve altro.",
    sensors="SENSORI MUTI: {sensors} (regola {rule})",
    uncleared="CESSATA ALLERTA NON INVIATA: regola {rule}",
    uncleared_why="La regola ritiene finita la situazione dell'avviso {id}, ma la cessata allerta è stata "
    "rifiutata: {why}",
    uncleared_do="Verifica e, se è così, invia tu la cessata allerta: chi ha ricevuto l'avviso non sa che è finita.",
    evidence="Perché:",
    withheld="AVVISO RICEVUTO E NON INVIATO: {what}",
    withheld_why="Lo ha trasmesso {who}, ma era già stato superato: {why}",
    withheld_do="Verifica con chi l'ha emesso. Se l'avviso serve davvero, scrivine uno nuovo.",
    withheld_last="Gli altri di quest'ora non vengono notificati: sono nel registro, azione alert.withheld.",
)

_ENGLISH: Final = NoticeWords(
    event="Service notice to the officers",
    silent="SOURCE SILENT: {source}",
    since="It was last heard properly on {when}.",
    never="It has not been heard since alertd started.",
    silent_do="While it lasts, the rules that listen cannot warn. See to it; meanwhile follow other sources.",
    heard="SOURCE HEARD AGAIN: {source}",
    heard_do="Nothing more to do.",
    sensors="SENSORS SILENT: {sensors} (rule {rule})",
    uncleared="ALL-CLEAR NOT SENT: rule {rule}",
    uncleared_why="The rule finds the matter of alert {id} over, but its all-clear was refused: {why}",
    uncleared_do="Verify it and, if so, send the all-clear yourself: those who were told do not know that it is over.",
    evidence="Why:",
    withheld="ALERT RECEIVED AND NOT SENT: {what}",
    withheld_why="{who} posted it, but something else had come before it: {why}",
    withheld_do="Verify it with whoever issued it. If the alert is needed after all, write a new one.",
    withheld_last="Others of this hour are not told: they are in the audit log, action alert.withheld.",
)

_FRENCH: Final = NoticeWords(
    event="Avis de service aux responsables",
    silent="SOURCE MUETTE : {source}",
    since="Dernière réception correcte : {when}.",
    never="Elle n'a pas encore été entendue depuis le démarrage d'alertd.",
    silent_do="Tant que dure le silence, les règles à l'écoute ne peuvent pas alerter. Vérifiez la panne et "
    "suivez d'autres sources.",
    heard="SOURCE DE NOUVEAU ACTIVE : {source}",
    heard_do="Rien d'autre à faire.",
    sensors="CAPTEURS MUETS : {sensors} (règle {rule})",
    uncleared="FIN D'ALERTE NON ENVOYÉE : règle {rule}",
    uncleared_why="La règle juge terminée la situation de l'alerte {id}, mais la fin d'alerte a été refusée : {why}",
    uncleared_do="Vérifiez et, le cas échéant, envoyez vous-même la fin d'alerte : les destinataires l'ignorent.",
    evidence="Pourquoi :",
    withheld="ALERTE REÇUE ET NON ENVOYÉE : {what}",
    withheld_why="{who} l'a transmise, mais autre chose l'avait devancée : {why}",
    withheld_do="Vérifiez auprès de l'émetteur. Si l'alerte est bien nécessaire, écrivez-en une nouvelle.",
    withheld_last="Les autres de cette heure ne sont pas signalées : elles sont au journal, action alert.withheld.",
)

_GERMAN: Final = NoticeWords(
    event="Betriebshinweis an die Verantwortlichen",
    silent="QUELLE STUMM: {source}",
    since="Zuletzt richtig gehört: {when}.",
    never="Seit dem Start von alertd wurde sie noch nicht gehört.",
    silent_do="Solange es still bleibt, können die Regeln nicht warnen. Prüfen Sie es und "
    "verfolgen Sie andere Quellen.",
    heard="QUELLE WIEDER AKTIV: {source}",
    heard_do="Sonst nichts zu tun.",
    sensors="SENSOREN STUMM: {sensors} (Regel {rule})",
    uncleared="ENTWARNUNG NICHT GESENDET: Regel {rule}",
    uncleared_why="Die Regel hält die Lage der Meldung {id} für beendet, doch ihre Entwarnung wurde abgelehnt: {why}",
    uncleared_do="Prüfen Sie es und entwarnen Sie selbst: Wer die Meldung erhielt, weiß nicht, dass es vorbei ist.",
    evidence="Warum:",
    withheld="MELDUNG ERHALTEN UND NICHT GESENDET: {what}",
    withheld_why="{who} hat sie übermittelt, doch anderes kam ihr zuvor: {why}",
    withheld_do="Prüfen Sie es beim Absender. Wird die Meldung doch gebraucht, schreiben Sie eine neue.",
    withheld_last="Weitere dieser Stunde werden nicht gemeldet: Sie stehen im Protokoll, Aktion alert.withheld.",
)

_SPANISH: Final = NoticeWords(
    event="Aviso de servicio a los responsables",
    silent="FUENTE MUDA: {source}",
    since="Se oyó bien por última vez el {when}.",
    never="Aún no se ha oído desde que arrancó alertd.",
    silent_do="Mientras dure el silencio, las reglas no pueden avisar. Revíselo y siga entretanto otras fuentes.",
    heard="FUENTE DE NUEVO ACTIVA: {source}",
    heard_do="Nada más que hacer.",
    sensors="SENSORES MUDOS: {sensors} (regla {rule})",
    uncleared="FIN DE ALERTA NO ENVIADO: regla {rule}",
    uncleared_why="La regla da por terminada la situación del aviso {id}, pero el fin de alerta fue rechazado: {why}",
    uncleared_do="Compruébelo y, si es así, envíe usted el fin de alerta: quienes recibieron el aviso no lo saben.",
    evidence="Por qué:",
    withheld="AVISO RECIBIDO Y NO ENVIADO: {what}",
    withheld_why="Lo transmitió {who}, pero otra cosa llegó antes: {why}",
    withheld_do="Compruébelo con quien lo emitió. Si el aviso hace falta de verdad, escriba uno nuevo.",
    withheld_last="Los demás de esta hora no se notifican: están en el registro, acción alert.withheld.",
)

NOTICE_WORDS: Final[Mapping[str, NoticeWords]] = {
    "it": _ITALIAN,
    "en": _ENGLISH,
    "fr": _FRENCH,
    "de": _GERMAN,
    "es": _SPANISH,
}


def notice_words(tag: str) -> NoticeWords:
    """The row of a language of `phrases`; English where that has gained one this has not."""
    return NOTICE_WORDS.get(tag, _ENGLISH)
