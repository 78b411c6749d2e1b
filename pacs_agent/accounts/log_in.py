"""Logging in with a password, and changing one's own: throttled by login and address, and audited either way."""

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from pacs_agent.accounts.accounts import AccountRefused, set_own_password
from pacs_agent.accounts.names import MAX_LOGIN, wrong_login
from pacs_agent.accounts.passwords import hashed, is_outdated, matches
from pacs_agent.db import Database, User, utc_now
from pacs_agent.ops import Outcome, audit

FAILURES_PER_LOGIN = RateLimitItemPerMinute(10, multiples=15)
FAILURES_PER_ADDRESS = RateLimitItemPerMinute(50, multiples=15)
"""Of an address more, as a whole department may come through one."""


class LoginRefused(Exception):
    """Login or password are wrong, or the account is disabled; which of them is not said."""


class LoginThrottled(LoginRefused):
    """Too many logins failed lately. `retry_after_s` says when the next may be tried."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed logins; try again in {math.ceil(retry_after_s / 60)} minutes")
        self.retry_after_s = retry_after_s


class Logins:
    """The logins of one web process; it remembers the failed ones."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def log_in(self, login: str, password: str, address: str) -> User:
        """The account of a login whose password is right.

        Raises LoginThrottled without looking at the password after too many failures, else LoginRefused.
        """
        login = login.strip().lower()[:MAX_LOGIN]
        self._refuse_too_many(login, address)
        user = self._user(login)
        password_hash = user.password_hash if user and user.enabled and user.provider is None else None
        if not matches(password_hash, password) or not password_hash:
            known = login if user else ""  # people type passwords into the wrong field
            self._failed(login, address, action="login.failed", actor=f"@{address}", subject=known)
            raise LoginRefused("login or password are wrong, or the account is disabled")
        self._limiter.clear(FAILURES_PER_LOGIN, "login", login)
        return self._succeeded(login, password_hash, password, address)

    def change_password(self, login: str, old: str, new: str, address: str) -> User:
        """Gives an account the new password that its owner wants, who says the old one; its logins end.

        Raises LoginThrottled after too many wrong ones, LoginRefused when the old one is wrong, AccountRefused when the
        new one cannot be.
        """
        self._refuse_too_many(login, address)
        user = self._user(login)
        password_hash = user.password_hash if user else ""
        if user and user.provider is None and not matches(password_hash, old):
            self._failed(login, address, action="user.password", actor=f"{login}@{address}", subject=login)
            raise LoginRefused("the old password is another")
        if old == new:
            raise AccountRefused("this is the password that you have; take another")
        with self._database.writing() as session:
            actor = f"{login}@{address}"
            return set_own_password(session, login, new, password_hash=password_hash, actor=actor)

    def _refuse_too_many(self, login: str, address: str) -> None:
        for limit, key in _keys(login, address):
            if not self._limiter.test(limit, *key):
                reset_at = self._limiter.get_window_stats(limit, *key).reset_time
                raise LoginThrottled(max(1, math.ceil(reset_at - time.time())))

    def _user(self, login: str) -> User | None:
        """The account, or None; what cannot be a login is not looked for, as databases refuse a NUL in a question."""
        if wrong_login(login):
            return None
        with self._database.reading() as session:
            return session.get(User, login)

    def _failed(self, login: str, address: str, **said: str) -> None:
        for limit, key in _keys(login, address):
            self._limiter.hit(limit, *key)
        with self._database.writing() as session:
            audit(session, outcome=Outcome.MINOR_FAILURE, **said)

    def _succeeded(self, login: str, password_hash: str, password: str, address: str) -> User:
        """Takes note of the login. Raises LoginRefused when the account was changed since it was looked at."""
        rehashed = hashed(password) if is_outdated(password_hash) else password_hash
        with self._database.writing() as session:
            user = session.get(User, login)
            if user is None or not user.enabled or user.password_hash != password_hash:
                raise LoginRefused("the account was changed just now; log in again")
            user.password_hash = rehashed
            user.last_login_at = utc_now()
            audit(session, actor=f"{login}@{address}", action="login", outcome=Outcome.SUCCESS, subject=login)
        return user


def _keys(login: str, address: str) -> tuple[tuple[RateLimitItem, tuple[str, str]], ...]:
    return (FAILURES_PER_LOGIN, ("login", login)), (FAILURES_PER_ADDRESS, ("address", address))
