"""Headers that keep browsers from doing more with an answer than is meant. What a view sets itself stays."""

from flask import Flask, Response

from pacs_agent.config import WebSettings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Content-Security-Policy of our own pages, which need no script. The viewer sets its own."""

ONE_YEAR_S = 31_536_000


def set_security_headers(app: Flask, settings: WebSettings) -> None:
    """Adds the headers to every answer.

    Referrer-Policy is not `no-referrer`, as a form would then be sent with the origin `null`.
    """
    headers = {
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-site" if settings.viewer_origins else "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if settings.behind_tls_proxy:
        headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR_S}"

    def add(response: Response) -> Response:
        if "Content-Security-Policy" not in response.headers:
            response.headers["Content-Security-Policy"] = POLICY
            response.headers["X-Frame-Options"] = "DENY"
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    app.after_request(add)
