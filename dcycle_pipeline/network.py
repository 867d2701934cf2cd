"""The address of the API: what it must look like, and whether it means this machine."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def address_parts(url: str) -> SplitResult:
    """The parts of a base URL. Raises ValueError if the text is not one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    odd = parts.query or parts.fragment or "@" in parts.netloc or ".." in url or port == 0
    if parts.scheme not in ("http", "https") or not host or odd or not is_header_text(url):
        raise ValueError("must look like https://api.dcycle.io")
    return parts


def is_loopback(hostname: str) -> bool:
    """Whether a host name or address means this machine."""
    if hostname == "localhost":
        return True
    try:
        return ip_address(hostname).is_loopback
    except ValueError:
        return False


def is_header_text(text: str) -> bool:
    """Whether a text can be sent in an HTTP header unchanged."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
