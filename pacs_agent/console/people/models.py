"""What the pages of users and tokens show and take. A password goes in and never comes out."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pacs_agent.accounts import Role
from pacs_agent.console.frame import Asked, Done, Page
from pacs_agent.db import ApiToken, User, utc_now


class _Shown(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class _Body(BaseModel):
    """A body that takes these fields and no other: nobody slips in a role."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class RoleInWords(_Shown):
    """A role, and what it may do."""

    role: Role
    words: str


class Account(_Shown):
    """An account."""

    login: str
    name: str
    person_name: str
    """As DICOM documents name the person."""
    roles: list[str]
    enabled: bool
    provider: str | None
    """Issuer of the identity provider that the account is of; null for a local one."""
    created_at: datetime
    last_login_at: datetime | None

    @classmethod
    def of(cls, user: User) -> "Account":
        """An account as it is shown."""
        return cls(**{field: getattr(user, field) for field in cls.model_fields})


class PeopleAsked(Asked):
    """Which accounts are asked for."""

    search: str = Field("", max_length=128, description="what login or name begin with")


class People(_Shown):
    """The accounts, the newest first."""

    accounts: Page[Account]
    roles: list[RoleInWords]


class OneAccount(_Shown):
    """An account, and the roles it may be given."""

    account: Account
    roles: list[RoleInWords]
    own: bool
    """Whether it is the account of whoever asks."""


class NewAccount(_Body):
    """An account to be added."""

    login: str = Field(max_length=64)
    name: str = Field(max_length=128)
    person_name: str = Field("", max_length=324)
    roles: list[Role] = Field(min_length=1, max_length=len(Role))
    password: SecretStr = Field(max_length=256)


class ChangedAccount(_Body):
    """What an account becomes; what is empty stays."""

    name: str = Field("", max_length=128)
    person_name: str = Field("", max_length=324)
    roles: list[Role] = Field([], max_length=len(Role))


class NewPassword(_Body):
    """Another password."""

    password: SecretStr = Field(max_length=256)


class OwnAccount(_Shown):
    """The account of whoever asks."""

    login: str
    name: str
    roles: list[str]
    provider: str | None
    """Issuer of the identity provider that has the password; null where it is changed here."""

    @classmethod
    def of(cls, user: User) -> "OwnAccount":
        """An account as its owner sees it."""
        return cls(**{field: getattr(user, field) for field in cls.model_fields})


class OwnPassword(_Body):
    """Another password for oneself."""

    old: SecretStr = Field(max_length=256)
    new: SecretStr = Field(max_length=256)
    again: SecretStr = Field(max_length=256)
    """The new one again, so that a slip of the finger locks nobody out."""


class OwnPasswordChanged(Done):
    """A password that was changed, and the session that began with it."""

    csrf: str
    """The token of changing requests from now on."""


class Token(_Shown):
    """A token of a program; the token itself is shown once, when it is made."""

    id: int
    name: str
    roles: list[str]
    state: Literal["live", "expired", "revoked"]
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, token: ApiToken) -> "Token":
        """A token as it is shown."""
        state = "revoked" if token.revoked_at else "expired" if token.expires_at <= utc_now() else "live"
        fields = {field: getattr(token, field) for field in cls.model_fields if field != "state"}
        return cls(**fields, state=state)


class Tokens(_Shown):
    """The tokens, the newest first."""

    tokens: list[Token]
    roles: list[RoleInWords]
    """Those that whoever asks may give."""


class NewToken(_Body):
    """A token to be made."""

    name: str = Field(max_length=64)
    roles: list[Role] = Field(min_length=1, max_length=len(Role))
    days: int = Field(365, ge=1, le=731)
    """It expires after this time."""


class TokenMade(Done):
    """A token that was made."""

    token: str
    """To be sent as `Authorization: Bearer ...`; nobody can show it again."""
