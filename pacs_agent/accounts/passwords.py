"""Passwords: which are good enough, and their Argon2id hashes.

RFC 9106 4, the second recommended option: 64 MiB of memory, 3 passes, 4 lanes.
"""

import re
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 256
HASHES_AT_A_TIME = 2

HASHER = PasswordHasher()
COMMON = frozenset(
    (
        *(
            "admin",
            "administrator",
            "changeme",
            "default",
            "dicom",
            "dragon",
            "geheim",
            "hallo",
            "hospital",
            "iloveyou",
        ),
        *("klinik", "krankenhaus", "letmein", "login", "master", "medical", "monkey", "orthanc", "pacs", "pacsagent"),
        *("passphrase", "passwort", "password", "passwordpassword", "qwerty", "qwertz", "radiologie", "radiology"),
        *(
            "root",
            "secret",
            "service",
            "sunshine",
            "superuser",
            "sysadmin",
            "system",
            "test",
            "user",
            "viewer",
            "welcome",
        ),
        *("willkommen", "correcthorsebatterystaple", "trustno", "football", "princess", "computer", "internet"),
    )
)
"""Words that are no password, not even with digits and signs around them or twice: the defaults of this field's
products, and the heads of published lists."""
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_AT_THE_END = "0123456789 !@#$%&*-_+.,?"
_AS_LETTERS = str.maketrans("0134578@$!", "oieastbasi")

_turn = threading.BoundedSemaphore(HASHES_AT_A_TIME)
"""Each hash takes 64 MiB: a flood of logins shall not take the memory that images need."""


def wrong_password(password: str, *forbidden: str) -> str | None:
    """What is wrong with a new password, in words, or None.

    NIST SP 800-63B 5.1.1.2: its length counts, not its kinds of characters.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        return f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; a sentence is a good one"
    named = any(each and password.casefold() == each.casefold() for each in forbidden)
    if len(set(password)) < 5 or named or is_common(password):
        return "this password is easily guessed; take a sentence of your own"
    return None


def is_common(password: str) -> bool:
    """Whether a password is one of those that everybody tries first: a default, a row of keys, or such with digits."""
    plain = password.casefold()
    if any(plain in row * 2 or plain in row[::-1] * 2 for row in _ROWS):
        return True
    for letters in (plain, plain.translate(_AS_LETTERS), plain.rstrip(_AT_THE_END).translate(_AS_LETTERS)):
        words = re.sub(r"[^a-z]", "", letters)
        if words in COMMON or _is_made_of_common(words):
            return True
    return False


def _is_made_of_common(words: str) -> bool:
    """Whether letters are nothing but two common words, such as `adminpassword`."""
    return any(words[:cut] in COMMON and words[cut:] in COMMON for cut in range(1, len(words)))


def hashed(password: str) -> str:
    """The Argon2id hash of a password in PHC string form, with parameters and salt."""
    with _turn:
        return HASHER.hash(_octets(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one of the hash. Without a hash it takes as long, and is False."""
    if len(password) > MAX_CHARACTERS:
        return False
    with _turn:
        try:
            return HASHER.verify(password_hash or _hash_of_nobody(), _octets(password)) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(password_hash)


def _octets(password: str) -> bytes:
    """A password as octets; in NFKC, as one keyboard composes what another writes in two characters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _hash_of_nobody() -> str:
    """What a password is compared with where there is no account, so that the time taken does not tell."""
    return HASHER.hash("the password of nobody")
