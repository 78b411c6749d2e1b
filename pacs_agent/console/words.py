"""Words of the pages that the server renders, in each language. A language without one of them does not start."""

from dataclasses import dataclass

from flask import request


@dataclass(frozen=True)
class Words:
    """All words of one language, by its BCP 47 tag."""

    language: str
    log_in: str
    login: str
    password: str
    refused: str
    throttled: str
    stale: str
    no_accounts: str
    notice: str
    log_out: str
    logged_in_as: str
    own_account: str
    stay: str
    first: str
    first_why: str
    first_open: str
    first_closed: str
    full_name: str
    password_hint: str
    create: str


ENGLISH = Words(
    language="en",
    log_in="Log in",
    login="User name",
    password="Password",  # noqa: S106 (a label)
    refused="User name or password are wrong, or the account is disabled.",
    throttled="Too many logins failed. Try again in {minutes} minutes.",
    stale="This page was open for too long, or the browser refuses cookies. Try again.",
    no_accounts="There is no account yet. An administrator adds one on the server:",
    notice="Images and reports of patients. Every login is recorded.",
    log_out="Log out",
    logged_in_as="You are logged in as {name}.",
    own_account="Your account and its password",
    stay="Back to the images",
    first="Create the administrator",
    first_why="There is no account yet. This one may do everything here, and add the others.",
    first_open="Create the administrator",
    first_closed="The first account is made here only from the server itself, while there is none, no token and no "
    "identity provider. On the server: pacs-agent user add LOGIN --name NAME --role admin",
    full_name="Name, as colleagues read it",
    password_hint="At least 12 characters; a sentence is a good one.",  # noqa: S106 (a hint)
    create="Create and log in",
)

GERMAN = Words(
    language="de",
    log_in="Anmelden",
    login="Benutzername",
    password="Passwort",  # noqa: S106 (a label)
    refused="Benutzername oder Passwort ist falsch, oder das Konto ist gesperrt.",
    throttled="Zu viele Anmeldungen sind gescheitert. In {minutes} Minuten geht es wieder.",
    stale="Diese Seite war zu lange offen, oder der Browser lehnt Cookies ab. Bitte noch einmal.",
    no_accounts="Es gibt noch kein Konto. Die Administration legt eines auf dem Server an:",
    notice="Bilder und Befunde von Patienten. Jede Anmeldung wird aufgezeichnet.",
    log_out="Abmelden",
    logged_in_as="Sie sind angemeldet als {name}.",
    own_account="Ihr Konto und sein Passwort",
    stay="Zurück zu den Bildern",
    first="Administrator anlegen",
    first_why="Es gibt noch kein Konto. Dieses darf hier alles und legt die anderen an.",
    first_open="Administrator anlegen",
    first_closed="Das erste Konto wird hier nur vom Server selbst angelegt, solange es keines gibt, kein Token und "
    "keinen Identitätsanbieter. Auf dem Server: pacs-agent user add LOGIN --name NAME --role admin",
    full_name="Name, wie ihn Kollegen lesen",
    password_hint="Mindestens 12 Zeichen; ein Satz ist gut.",  # noqa: S106 (a hint)
    create="Anlegen und anmelden",
)

LANGUAGES = {words.language: words for words in (ENGLISH, GERMAN)}


def asked_words() -> Words:
    """The words of the language that the browser prefers (RFC 9110 12.5.4, Accept-Language), else English."""
    preferred = (tag.partition("-")[0].lower() for tag, _quality in request.accept_languages)
    return next((LANGUAGES[tag] for tag in preferred if tag in LANGUAGES), ENGLISH)
