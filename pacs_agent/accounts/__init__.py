"""Local accounts: who may use the agent, in which roles, and by which password.

In: a login with its password, or what an administrator changes. Out: the account, every change and every refusal in the
audit trail. What may fail: an account that cannot be made as asked, or a login that is refused without saying why.
"""

from pacs_agent.accounts.accounts import (
    AccountRefused,
    account_of,
    accounts_exist,
    add_account,
    all_accounts,
    change_account,
    set_enabled,
    set_password,
)
from pacs_agent.accounts.log_in import LoginRefused, Logins, LoginThrottled
from pacs_agent.accounts.names import derived_person_name
from pacs_agent.accounts.roles import INCLUDED, Role, with_included

__all__ = [
    "INCLUDED",
    "AccountRefused",
    "LoginRefused",
    "LoginThrottled",
    "Logins",
    "Role",
    "account_of",
    "accounts_exist",
    "add_account",
    "all_accounts",
    "change_account",
    "derived_person_name",
    "set_enabled",
    "set_password",
    "with_included",
]
