"""The ways a message goes: a mail by SMTP, and JSON to a webhook. The texts are fixed and hold no patient data."""

import hashlib
import hmac
import smtplib
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

import requests

from pacs_agent.ops.runtime import Notifications

TIMEOUT_S = 15.0
LONGEST_ANSWER = 300
STATES = {"began": "PROBLEM", "holds": "STILL", "ended": "OVER", "test": "TEST"}


class NotTaken(Exception):
    """The other side did not take a message, in its own words or those of the network."""


def mail(notifications: Notifications, password: str, content: Mapping[str, Any]) -> str:
    """Sends a mail (RFC 5321) and gives the server's answer.

    Raises OSError, smtplib.SMTPException, NotTaken when some of the recipients were refused.
    """
    message = mail_of(notifications, content)
    with _server(notifications) as server:
        if notifications.smtp_user:
            server.login(notifications.smtp_user, password)
        refused = server.send_message(message)
        if refused:
            said = "; ".join(f"{to}: {code} {words.decode(errors='replace')}" for to, (code, words) in refused.items())
            raise NotTaken(f"the mail server refused {said}")
    return f"{notifications.smtp_host} answered {server.taken}, for {', '.join(notifications.mail_to)}"


def mail_of(notifications: Notifications, content: Mapping[str, Any]) -> EmailMessage:
    """The mail of a message."""
    about = f"{content['event']} {content['subject']}".strip()
    message = EmailMessage()
    message["Subject"] = f"[PACS agent {content['agent']}] {STATES[content['state']]}: {about}"
    message["From"] = notifications.mail_from
    message["To"] = ", ".join(notifications.mail_to)
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=notifications.mail_from.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of an absent person is wanted
    message.set_content(f"{content['words']}\n\nagent: {content['agent']}\nevent: {about}\nat: {content['at']}\n")
    return message


def post(session: requests.Session, url: str, key: str, body: bytes) -> str:
    """Posts JSON to a webhook and gives its answer. With a key, the header X-PACS-Agent-Signature signs time and body.

    The signature is `t=<seconds>,v1=<HMAC-SHA-256 of "<seconds>." and the body, in hexadecimal>` (RFC 2104).
    Raises requests.RequestException, NotTaken for any answer but 2xx.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "pacs-agent"}
    if key:
        headers["X-PACS-Agent-Signature"] = signature(key, int(time.time()), body)
    with session.post(
        url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True
    ) as response:
        words = response.raw.read(LONGEST_ANSWER, decode_content=False).decode("utf-8", "replace").strip()
    answer = f"{response.status_code} {response.reason} {words}".strip()
    if not response.ok or response.is_redirect:
        raise NotTaken(f"the webhook answered {answer}")
    return f"the webhook answered {answer}"


def signature(key: str, at_s: int, body: bytes) -> str:
    """The value of the signature's header."""
    digest = hmac.new(key.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={digest.hexdigest()}"


class _Told(smtplib.SMTP):
    """SMTP that keeps the answer to the mail itself; `sendmail` throws it away."""

    taken = ""

    def data(self, msg: Any) -> tuple[int, bytes]:
        code, words = super().data(msg)
        self.taken = f"{code} {words.decode('utf-8', 'replace')[:LONGEST_ANSWER]}"
        return code, words


class _ToldOverTls(_Told, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


@contextmanager
def _server(notifications: Notifications) -> Iterator[_Told]:
    """A connection to the mail server, encrypted as the settings say; its certificate is checked."""
    host, port, context = notifications.smtp_host, notifications.smtp_port, ssl.create_default_context()
    if notifications.smtp_security == "tls":
        server: _Told = _ToldOverTls(host, port, timeout=TIMEOUT_S, context=context)
    else:
        server = _Told(host, port, timeout=TIMEOUT_S)
    with server:
        if notifications.smtp_security == "starttls":
            server.starttls(context=context)
        yield server
