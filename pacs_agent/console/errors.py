"""Errors in words: text for DICOMweb, JSON for interfaces, the login page for people."""

from urllib.parse import quote

from flask import Flask, Request, Response, g, jsonify, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from pacs_agent.console.access import Person

LOGIN_PATH = "/login"
DICOMWEB = ("/dicom-web", "/pacs/dicom-web")
INTERFACES = "/api/"
CONSOLE = "/console"


def set_errors(app: Flask) -> None:
    """Answers every HTTP error in words; nothing a client sent is ever shown as HTML."""
    app.register_error_handler(HTTPException, error_in_words)


def error_in_words(error: HTTPException) -> AnyResponse:
    """The answer to an error, in the form that fits what was asked."""
    if error.code == 401 and is_navigation(request):
        return redirect(f"{LOGIN_PATH}?next={quote(request.full_path.rstrip('?'))}", 303)
    response = _page(error) if is_console_page(request) else _worded(error)
    response.status_code = error.code or 500
    response.headers.extend([(name, value) for name, value in error.get_headers() if name != "Content-Type"])
    if error.code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def is_navigation(asked: Request) -> bool:
    """Whether a person's browser wants a page, and not a page's script or a machine something else."""
    if asked.method != "GET" or asked.path.startswith((*DICOMWEB, INTERFACES)):
        return False
    mode = asked.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode else asked.accept_mimetypes.best == "text/html"


def is_console_page(asked: Request) -> bool:
    """Whether somebody known looks at a page of the console."""
    return asked.path.startswith(CONSOLE) and is_navigation(asked) and isinstance(g.get("person"), Person)


def _page(error: HTTPException) -> Response:
    return make_response(render_template("error.html", title=error.name, words=error.description))


def _worded(error: HTTPException) -> Response:
    if error.code == 401 and not request.path.startswith(DICOMWEB):
        return jsonify(error=error.description, login=LOGIN_PATH)
    if request.path.startswith(INTERFACES):
        return jsonify(error=error.description)
    return Response(f"{error.description}\n", content_type="text/plain; charset=utf-8")
