"""Every word of the public pages, in Italian and in English, in one table."""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("it", "en")

_TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "skip": ("Vai al contenuto", "Skip to content"),
    "other_language": ("Lingua", "Language"),
    "navigation": ("Pagine", "Pages"),
    "home": ("Avvisi", "Alerts"),
    "subscribe": ("Iscriviti", "Subscribe"),
    "feeds": ("Feed", "Feeds"),
    "feed_exercise": ("Esercitazioni e prove", "Exercises and tests"),
    "current": ("Avvisi in corso", "Current alerts"),
    "none_current": ("Nessun avviso in corso.", "There is no current alert."),
    "past": ("Avvisi passati", "Past alerts"),
    "none_past": ("Nessun avviso passato.", "There are no past alerts."),
    "older": ("Avvisi precedenti", "Older alerts"),
    "sent": ("Emesso", "Sent"),
    "until": ("Valido fino a", "Valid until"),
    "from": ("Dal", "From"),
    "where": ("Dove", "Where"),
    "what": ("Evento", "Event"),
    "level": ("Gravità", "Severity"),
    "what_to_do": ("Che cosa fare", "What to do"),
    "contact": ("Contatti", "Contact"),
    "more": ("Altre informazioni", "More information"),
    "by": ("Emesso da", "Sent by"),
    "cap": ("Documento CAP di questo avviso", "CAP document of this alert"),
    "print_note": ("Pagina originale", "Original page"),
    "purpose_emergency": ("Emergenza", "Emergency"),
    "purpose_service": ("Servizi", "Services"),
    "purpose_event": ("Eventi", "Events"),
    "severity_Extreme": ("Estrema", "Extreme"),
    "severity_Severe": ("Grave", "Severe"),
    "severity_Moderate": ("Moderata", "Moderate"),
    "severity_Minor": ("Lieve", "Minor"),
    "severity_Unknown": ("Non nota", "Unknown"),
    "standing_current": ("In corso", "Current"),
    "standing_cancelled": ("Revocato", "Cancelled"),
    "standing_updated": ("Aggiornato", "Updated"),
    "standing_past": ("Terminato", "Past"),
    "standing_cancels": ("Revoca", "Cancellation"),
    "says_cancelled": ("Questo avviso è stato revocato.", "This alert was cancelled."),
    "says_updated": (
        "Questo avviso non è più quello valido: è stato aggiornato.",
        "This alert no longer holds: it was updated.",
    ),
    "says_past": ("Questo avviso è terminato.", "This alert is over."),
    "says_cancels": (
        "Questo messaggio revoca un avviso precedente, che non è più valido.",
        "This message cancels an earlier alert, which no longer holds.",
    ),
    "says_update": ("Questo avviso ne aggiorna uno precedente.", "This alert updates an earlier one."),
    "see_next": ("Leggi il messaggio che segue", "Read the message that follows"),
    "see_previous": ("Leggi il messaggio precedente", "Read the earlier message"),
    "subscribe_title": ("Ricevi gli avvisi", "Receive the alerts"),
    "subscribe_intro": (
        "Scegli le zone e gli argomenti, poi come ricevere gli avvisi. Puoi smettere quando vuoi.",
        "Choose the zones and the subjects, then how to receive the alerts. You can stop at any time.",
    ),
    "zones": ("Zone", "Zones"),
    "whole_territory": ("Tutto il territorio", "The whole territory"),
    "purposes": ("Argomenti", "Subjects"),
    "hint_emergency": (
        "Allerte e messaggi di protezione civile",
        "Warnings and civil protection messages",
    ),
    "hint_service": (
        "Strade, scuole, acqua e altri servizi",
        "Roads, schools, water and other services",
    ),
    "hint_event": ("Manifestazioni e iniziative", "Events and initiatives"),
    "language": ("Lingua degli avvisi", "Language of the alerts"),
    "min_severity": ("Gravità minima", "Least severity"),
    "min_Minor": ("Tutti gli avvisi", "All alerts"),
    "min_Moderate": ("Da moderata in su", "Moderate and worse"),
    "min_Severe": ("Da grave in su", "Severe and worse"),
    "min_Extreme": ("Solo estrema", "Extreme only"),
    "by_push": ("Su questo dispositivo", "On this device"),
    "push_button": ("Ricevi notifiche su questo dispositivo", "Get notifications on this device"),
    "push_stop": ("Non ricevere più su questo dispositivo", "Stop notifications on this device"),
    "push_needs_script": (
        "Le notifiche hanno bisogno di JavaScript e di un browser che le sappia mostrare.",
        "Notifications need JavaScript and a browser that can show them.",
    ),
    "push_done": (
        "Fatto: gli avvisi arriveranno su questo dispositivo.",
        "Done: alerts will arrive on this device.",
    ),
    "push_stopped": (
        "Fatto: su questo dispositivo non arriverà più nulla.",
        "Done: nothing more will arrive on this device.",
    ),
    "push_denied": (
        "Il browser non permette le notifiche da questo sito: si cambia nelle sue impostazioni.",
        "The browser does not allow notifications from this site: change that in its settings.",
    ),
    "push_failed": (
        "Non è riuscito. Riprova più tardi, oppure scegli la posta elettronica.",
        "That did not work. Try again later, or choose email.",
    ),
    "push_choose": (
        "Scegli almeno una zona e un argomento.",
        "Choose at least one zone and one subject.",
    ),
    "by_mail": ("Per posta elettronica", "By email"),
    "email": ("Indirizzo di posta elettronica", "Email address"),
    "email_hint": (
        "Riceverai un messaggio con un collegamento da confermare entro 48 ore.",
        "You will receive a message with a link to confirm within 48 hours.",
    ),
    "mail_button": ("Iscriviti per posta elettronica", "Subscribe by email"),
    "neither": (
        "Qui non è attiva alcuna iscrizione. Gli avvisi sono su questa pagina e nei feed.",
        "No subscription is available here. The alerts are on this page and in the feeds.",
    ),
    "privacy": (
        (
            "Conserviamo solo l'indirizzo e le scelte qui sopra, per un compito di interesse pubblico "
            "(art. 6 GDPR). Chi smette viene cancellato entro 24 ore."
        ),
        (
            "We keep only the address and the choices above, for a task in the public interest "
            "(GDPR art. 6). Whoever stops is erased within 24 hours."
        ),
    ),
    "errors_title": ("Controlla questi punti", "Please check these points"),
    "error_email": (
        "Scrivi un indirizzo di posta elettronica valido, per esempio nome@example.org.",
        "Write a valid email address, for example name@example.org.",
    ),
    "error_zones": ("Scegli almeno una zona.", "Choose at least one zone."),
    "error_many_zones": (
        "Sono troppe zone: scegli tutto il territorio.",
        "Those are too many zones: choose the whole territory.",
    ),
    "error_purposes": ("Scegli almeno un argomento.", "Choose at least one subject."),
    "error_other": ("Una delle scelte non è valida.", "One of the choices is not valid."),
    "mail_sent_title": ("Controlla la posta", "Check your email"),
    "mail_sent": (
        (
            "Se l'indirizzo è giusto, fra poco arriva un messaggio. L'iscrizione vale solo dopo aver aperto "
            "il collegamento e premuto il pulsante, entro 48 ore."
        ),
        (
            "If the address is right, a message will arrive shortly. The subscription holds only after you "
            "open its link and press the button, within 48 hours."
        ),
    ),
    "confirm_title": ("Conferma l'iscrizione", "Confirm the subscription"),
    "confirm_ask": (
        "Premi il pulsante per ricevere gli avvisi con queste scelte.",
        "Press the button to receive the alerts with these choices.",
    ),
    "confirm_button": ("Conferma", "Confirm"),
    "confirmed_title": ("Iscrizione confermata", "Subscription confirmed"),
    "confirmed": (
        "Riceverai gli avvisi. Ogni messaggio porta un collegamento per smettere.",
        "You will receive the alerts. Each message carries a link to stop.",
    ),
    "unsubscribe_title": ("Non ricevere più gli avvisi", "Stop receiving alerts"),
    "unsubscribe_ask": (
        "Premi il pulsante e a questo indirizzo non arriverà più alcun avviso, nemmeno di emergenza.",
        "Press the button and no alert will arrive at this address any more, not even in an emergency.",
    ),
    "unsubscribe_button": ("Non ricevere più", "Stop"),
    "unsubscribed_title": ("Fatto", "Done"),
    "unsubscribed": (
        "A questo indirizzo non arriverà più alcun avviso.",
        "No alert will arrive at this address any more.",
    ),
    "stale_title": ("Collegamento non valido", "This link is not valid"),
    "stale": (
        "Il collegamento non è completo oppure è scaduto. Puoi iscriverti di nuovo.",
        "The link is incomplete or has ended. You can subscribe again.",
    ),
    "missing_title": ("Pagina non trovata", "Page not found"),
    "missing": ("Qui non c'è nulla.", "There is nothing here."),
    "slow_title": ("Troppe richieste", "Too many requests"),
    "slow": ("Riprova fra poco.", "Try again shortly."),
    "unavailable_title": ("Non disponibile", "Not available"),
    "unavailable": (
        "In questo momento non è possibile. Riprova fra poco.",
        "This is not possible right now. Try again shortly.",
    ),
    "foreign_title": ("Richiesta rifiutata", "Request refused"),
    "foreign": (
        "La richiesta è partita da un altro sito. Apri questa pagina e riprova da qui.",
        "The request came from another site. Open this page and try again from here.",
    ),
    "bad_title": ("Richiesta non valida", "Bad request"),
    "bad": ("La richiesta non si può leggere.", "The request cannot be read."),
    "footer": (
        "Nelle emergenze che mettono in pericolo la vita chiama il 112.",
        "In an emergency that endangers life call 112.",
    ),
    "feedback": ("Scrivi a", "Write to"),
    "feedback_why": (
        "per segnalare problemi di accessibilità o errori.",
        "to report accessibility problems or errors.",
    ),
    "at": ("ore", "at"),
}


def table(language: str) -> Mapping[str, str]:
    """The words in one of LANGUAGES."""
    column = LANGUAGES.index(language)
    return {key: both[column] for key, both in _TABLE.items()}
