"""Logins and the names of people, as colleagues read them and as DICOM writes them."""

import re

MAX_LOGIN = 64
LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]*")
RESERVED = frozenset(("token",))
"""Login of machines, which have no account."""

MAX_NAME = 128
_TITLES = frozenset(("dr", "dr.", "prof", "prof.", "pd", "pd.", "priv.-doz.", "med.", "mr.", "mrs.", "ms.", "sir"))
_PARTICLES = frozenset(
    "al ben da de del della den der di dos du el la ten ter van vom von zu zum".split()  # noqa: SIM905 (a list would be longer than the line)
)


def wrong_login(login: str) -> str | None:
    """What is wrong with a login, in words, or None."""
    if len(login) > MAX_LOGIN or not LOGIN.fullmatch(login):
        return f"{login!r} is no login: use a-z, 0-9 and . _ @ -, a letter or digit first, at most {MAX_LOGIN} in all"
    if login in RESERVED:
        return f"{login!r} is the login of machines: use another"
    return None


def wrong_name(name: str) -> str | None:
    """What is wrong with a name for people, in words, or None."""
    if not name or len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
        return f"{name!r} is no name: use 1 to {MAX_NAME} printable characters, such as 'Dr. Ada Lovelace'"
    return None


def wrong_person_name(person_name: str) -> str | None:
    """What is wrong with a DICOM person name, in words, or None.

    PS3.5 6.2, VR PN: up to three groups parted by `=`, each at most 64 characters of up to five parts parted by `^`.
    """
    groups = person_name.split("=")
    fits = len(groups) <= 3 and all(len(group) <= 64 and group.count("^") <= 4 for group in groups)
    if not fits or "\\" in person_name or not person_name.isprintable() or not person_name.split("^")[0].strip():
        return f"{person_name!r} is no DICOM person name: use Family^Given^Middle^Prefix^Suffix, at most 64 characters"
    return None


def derived_person_name(name: str) -> str:
    """A DICOM person name from a name as people write it: `Dr. Ada Lovelace` is `Lovelace^Ada^^Dr.`.

    The last word is the family name, with particles such as `van` before it; where that is not so, state it yourself.
    """
    words = re.sub(r"[\\^=]", " ", name).split()
    prefix = _leading(words, _TITLES)
    rest = words[len(prefix) :] or words
    prefix = prefix if rest is not words else []
    start = len(rest) - 1
    while start > 1 and rest[start - 1].lower() in _PARTICLES:
        start -= 1
    family, given = " ".join(rest[start:]), " ".join(rest[:start])
    return "^".join((family, given, "", " ".join(prefix))).rstrip("^")


def _leading(words: list[str], known: frozenset[str]) -> list[str]:
    """The words at the start that are known."""
    count = next((index for index, word in enumerate(words) if word.lower() not in known), len(words))
    return words[:count]
