"""What the page and its workers may load: nothing from another host. Content Security Policy Level 3."""

_COMMON = ("default-src 'self'", "connect-src 'self' blob: data:", "img-src 'self' blob: data:")

_PAGE = (
    *_COMMON,
    "style-src 'self' 'unsafe-inline'",  # the viewer sets styles of elements
    "font-src 'self' data:",
    "media-src 'self' blob:",
    "worker-src 'self' blob:",
    "object-src 'self' blob:",  # encapsulated PDFs
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)

WORKER_POLICY = "; ".join((*_COMMON, "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' blob:"))
"""For scripts, which matters to those that run as workers: their decoders compile WebAssembly and evaluate code."""


def page_policy(script_hashes: tuple[str, ...]) -> str:
    """For the page: scripts of this host, and the inline ones of the published page by their hashes."""
    return "; ".join((*_PAGE, " ".join(("script-src 'self'", *script_hashes))))
