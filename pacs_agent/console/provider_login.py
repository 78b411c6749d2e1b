"""Logging in by an identity provider: OpenID Connect Core 1.0, 3.1, the authorization code flow, with PKCE (RFC 7636).

Authlib keeps state, nonce and code verifier in the session that the browser has before the login, and checks the answer
with them; the session after the login is a new one.
"""

from typing import Any

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from flask import Blueprint, redirect, request, session
from joserfc.errors import JoseError
from werkzeug.exceptions import BadGateway
from werkzeug.wrappers import Response as AnyResponse

from pacs_agent.accounts import LoginRefused, ProviderClaims, Role, log_in_by_provider
from pacs_agent.config import OidcSettings, WebSettings
from pacs_agent.console.access import open_to_all
from pacs_agent.console.login_page import HOME, address, local_path, page
from pacs_agent.console.sessions import person_logged_in, start_session
from pacs_agent.db import Database
from pacs_agent.ops import get_log
from pacs_agent.ops.outbound import AddressRefused, Outbound, outbound_of

START = "/login/provider"
BACK = "/login/provider/back"
TIMEOUT_S = 10
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Algorithms of ID tokens that are believed: those with a public key, never `none` and never a shared secret."""
_FAULTS = (OAuthError, JoseError, requests.RequestException, ValueError, RuntimeError, TypeError, KeyError)
"""What Authlib raises when a provider does not answer, refuses, or answers nonsense."""
_FOLLOWING = "following"

log = get_log("web")


class ProviderUnusable(Exception):
    """The provider answers otherwise than it must, or not at all."""


def add_provider_login(blueprint: Blueprint, web: WebSettings, oidc: OidcSettings, database: Database) -> None:
    """Adds the way to the provider and back."""
    provider = _Provider(oidc, outbound_of(web))

    @blueprint.get(START)
    @open_to_all
    def to_provider() -> AnyResponse:
        following = local_path(request.args.get("next", HOME))
        if person_logged_in() is not None:
            return redirect(following, 303)
        session.clear()
        session[_FOLLOWING] = following
        try:
            return provider.way_there()
        except ProviderUnusable as error:
            raise BadGateway(f"the identity provider cannot be used: {error}") from error

    @blueprint.get(BACK)
    @open_to_all
    def from_provider() -> AnyResponse:
        following = local_path(session.get(_FOLLOWING, HOME))
        try:
            user = log_in_by_provider(database, provider.claims(), address())
        except ProviderUnusable as error:
            log.warning("login by the provider failed", reason=str(error))
            words = f"The identity provider's answer cannot be used: {error}. Try again."
            return page("login.html", 401, problem=words, accounts=True, next=following, provider=oidc.label)
        except LoginRefused as refused:
            return page("login.html", 401, problem=str(refused), accounts=True, next=following, provider=oidc.label)
        start_session(user)
        return redirect(following, 303)


class _Provider:
    """What one provider says of people."""

    def __init__(self, oidc: OidcSettings, outbound: Outbound) -> None:
        self._oidc = oidc
        self._app = _app_class(outbound, oidc)(
            FlaskIntegration("provider"),
            "provider",
            client_id=oidc.client_id,
            client_secret=oidc.client_secret.get_secret_value() if oidc.client_secret else None,
            server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": oidc.scope,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT_S,
                "token_endpoint_auth_method": "client_secret_basic" if oidc.client_secret else "none",
            },
        )

    def way_there(self) -> AnyResponse:
        """The redirect to the provider. Raises ProviderUnusable."""
        try:
            self._check_metadata()
            answer: AnyResponse = self._app.authorize_redirect(self._oidc.redirect_uri)
        except _FAULTS as error:
            raise ProviderUnusable(_in_words(error)) from error
        return answer

    def claims(self) -> ProviderClaims:
        """Who came back. Raises ProviderUnusable when the answer is not that to our question, or not the provider's."""
        try:
            self._check_metadata()
            token = self._app.authorize_access_token()
        except _FAULTS as error:
            raise ProviderUnusable(_in_words(error)) from error
        said: dict[str, Any] = token.get("userinfo") or {}
        if not isinstance(said.get("sub"), str):
            raise ProviderUnusable("it has no ID token with a subject")
        login = str(said.get(self._oidc.login_claim) or "")
        name = str(said.get("name") or login)
        return ProviderClaims(self._oidc.issuer, said["sub"], login, name, roles_of(self._oidc, said))

    def _check_metadata(self) -> None:
        """OpenID Connect Discovery 1.0, 4.3: the issuer is the one that was asked."""
        metadata = self._app.load_server_metadata()
        if str(metadata.get("issuer", "")).rstrip("/") != self._oidc.issuer:
            raise ProviderUnusable(f"it calls itself {metadata.get('issuer')!r}, web.oidc.issuer is another")
        offered = metadata.get("id_token_signing_alg_values_supported") or SIGNED_BY
        metadata["id_token_signing_alg_values_supported"] = [one for one in offered if one in SIGNED_BY]


def roles_of(oidc: OidcSettings, said: dict[str, Any]) -> tuple[Role, ...]:
    """The roles that a person's claims stand for. `roles_claim` may be a path: `realm_access.roles`."""
    found: Any = said.get(oidc.roles_claim)
    if found is None:
        found = said
        for part in oidc.roles_claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(
        sorted({Role(oidc.roles[value]) for value in values if isinstance(value, str) and value in oidc.roles})
    )


def _app_class(outbound: Outbound, oidc: OidcSettings) -> type[FlaskOAuth2App]:
    """Authlib's client, which asks only checked addresses and follows no redirect."""

    class Session(OAuth2Session):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.trust_env = False
            self.verify = str(oidc.ca_file) if oidc.ca_file else True
            for prefix, adapter in outbound.session().adapters.items():
                self.mount(prefix, adapter)

        def get_redirect_target(self, resp: requests.Response) -> None:
            return

    class App(FlaskOAuth2App):  # type: ignore[misc]
        client_cls = Session

    return App


def _in_words(error: Exception) -> str:
    """What went wrong; nothing that was sent, which may be a secret."""
    if isinstance(error, OAuthError):
        return str(error.error or "it refused")[:64]
    if isinstance(error, JoseError):
        return f"its ID token is not valid ({error.error})"
    if isinstance(error, requests.RequestException):
        return f"it cannot be reached ({type(error).__name__})"
    return str(error)[:128] if isinstance(error, AddressRefused) else "its answer is malformed"
