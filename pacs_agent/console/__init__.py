"""The web server: one Flask application for DICOMweb, health, login, the viewer and its interfaces.

In: HTTP requests, each by a known person or machine. Out: pages, JSON and DICOMweb, nothing without a decision on
who may have it. What may fail: an HTTP error in words; a start that would leave patient data open is refused.
"""

from pacs_agent.console.app import create_app
from pacs_agent.console.secure_start import InsecureStart, check_secure, is_open
from pacs_agent.console.server import WebServer, run_web

__all__ = ["InsecureStart", "WebServer", "check_secure", "create_app", "is_open", "run_web"]
