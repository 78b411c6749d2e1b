"""Requests from viewers of other origins: exactly those of the settings, with their login.

By hand, as Flask-Cors takes an origin with brackets (an IPv6 address) for a regular expression.
"""

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "GET, HEAD, POST, DELETE"
REQUEST_HEADERS = "Accept, Authorization, Content-Type, If-None-Match, X-CSRF-Token"
RESPONSE_HEADERS = "Content-Location, ETag, Retry-After, Warning"
PREFLIGHT_S = 600


def set_cors(app: Flask, origins: Collection[str]) -> None:
    """Answers preflight requests before anybody is asked who he is (they carry no cookie), and marks all answers."""
    if not origins:
        return

    def preflight() -> Response | None:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asked or request.origin not in origins:
            return None
        headers = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": REQUEST_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        }
        return Response(status=204, headers=headers)

    def allow(response: Response) -> Response:
        response.vary.add("Origin")
        if request.origin in origins:
            response.headers["Access-Control-Allow-Origin"] = str(request.origin)
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
        return response

    app.before_request(preflight)
    app.after_request(allow)
