"""An identity provider on loopback, for tests: OpenID Connect discovery, authorization code with PKCE, signed tokens.

What it says can be changed, so that a test sees the agent refuse a wrong answer.
"""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "pacs-agent", "the client's secret"


class Issuer:
    """The provider; `claims` are what it says of whoever logs in."""

    def __init__(self) -> None:
        self.key = KEY
        self.signing_key: Any = self.key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {
            "sub": "subject-1",
            "preferred_username": "ada",
            "name": "Dr. Ada Lovelace",
            "groups": ["radiologists"],
        }
        self.metadata: dict[str, Any] = {}
        self.asked: dict[str, dict[str, str]] = {}
        self.redirect_metadata_to = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": "http://localhost/login/provider/back",
            "roles": {"radiologists": "reviewer", "pacs-admins": "admin"},
            **changed,
        }

    def agree(self, location: str) -> str:
        """What the person's browser does at the provider: gives where it is sent back to."""
        parts = urlsplit(location)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state']})}"

    def _document(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **self.metadata,
        }

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.asked.pop(form.get("code", ""), None)
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge_text = base64.urlsafe_b64encode(challenge).decode().rstrip("=")
        if asked is None or asked["code_challenge"] != challenge_text or asked["code_challenge_method"] != "S256":
            return 400, {"error": "invalid_grant"}
        if given.partition(":")[0] != CLIENT_ID or form["redirect_uri"] != asked["redirect_uri"]:
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked["nonce"], **self.claims}
        header = {"alg": self.algorithm, "kid": "1"}
        id_token = jwt.encode(header, said, self.signing_key, algorithms=[self.algorithm])
        return 200, {"access_token": "for nothing", "token_type": "Bearer", "id_token": id_token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if issuer.redirect_metadata_to and self.path.startswith("/.well-known"):
                    self.send_response(302)
                    self.send_header("Location", issuer.redirect_metadata_to)
                    self.end_headers()
                    return
                keys = {"keys": [issuer.key.as_dict(private=False)]}
                self._answer(200, keys if self.path == "/keys" else issuer._document())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._answer(*issuer._token(form, self.headers.get("Authorization", "")))

            def _answer(self, status: int, said: dict[str, Any]) -> None:
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


KEY = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
ANOTHER_KEY = RSAKey.generate_key(2048, {"kid": "1"})
SHARED_SECRET = OctKey.import_key(CLIENT_SECRET)
