"""Content-Security-Policy of the console's pages: scripts of ours alone, each answer under a nonce of its own."""

import secrets

from flask import Flask, Response, g, request

from pacs_agent.console.frame.room import PAGES


def nonce() -> str:
    """The nonce of the answer being made (CSP Level 3, 2.3.1)."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def set_policy(app: Flask) -> None:
    """Gives every page of the console its policy; templates write `nonce()` on their scripts."""
    app.jinja_env.globals["nonce"] = nonce

    @app.after_request
    def add(response: Response) -> Response:
        if request.path.startswith(PAGES) and response.mimetype == "text/html":
            response.headers["Content-Security-Policy"] = "; ".join(
                (
                    "default-src 'none'",
                    f"script-src 'nonce-{nonce()}'",
                    "style-src 'self'",
                    "img-src 'self' data:",
                    "font-src 'self'",
                    "connect-src 'self'",
                    "form-action 'self'",
                    "frame-ancestors 'none'",
                    "base-uri 'none'",
                )
            )
            response.headers["X-Frame-Options"] = "DENY"
        return response
