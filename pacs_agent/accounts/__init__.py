"""Accounts: who may use the agent, in which roles, and by which password, identity provider or token.

In: a login with its password, or what an administrator changes. Out: the account, every change and every refusal in the
audit trail. What may fail: an account that cannot be made as asked, or a login that is refused without saying why.
"""

from pacs_agent.accounts.accounts import (
    AccountRefused,
    account_of,
    accounts_exist,
    add_account,
    add_first_account,
    all_accounts,
    change_account,
    set_enabled,
    set_password,
)
from pacs_agent.accounts.log_in import LoginRefused, Logins, LoginThrottled
from pacs_agent.accounts.names import derived_person_name
from pacs_agent.accounts.passwords import is_common
from pacs_agent.accounts.provider import ProviderClaims, log_in_by_provider
from pacs_agent.accounts.roles import IN_WORDS, INCLUDED, Role, lacking, with_included
from pacs_agent.accounts.tokens import (
    TOKEN_ROLES,
    TokenRefused,
    all_tokens,
    make_token,
    revoke_token,
    token_used,
)

__all__ = [
    "INCLUDED",
    "IN_WORDS",
    "TOKEN_ROLES",
    "AccountRefused",
    "LoginRefused",
    "LoginThrottled",
    "Logins",
    "ProviderClaims",
    "Role",
    "TokenRefused",
    "account_of",
    "accounts_exist",
    "add_account",
    "add_first_account",
    "all_accounts",
    "all_tokens",
    "change_account",
    "derived_person_name",
    "is_common",
    "lacking",
    "log_in_by_provider",
    "make_token",
    "revoke_token",
    "set_enabled",
    "set_password",
    "token_used",
    "with_included",
]
