"""The address of the API in its one normal form, what follows from it, and the proxy on the way there.

Whoever decides anything by an address asks `Address`, and never looks at the text again. What `httpx` does with it belongs to `api`.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOK = "must look like https://api.dcycle.io"
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# `127.1` and `0x7f.1` are addresses of this machine to some resolvers and names to others.
_NUMBER_AT_THE_END = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?")


@dataclass(frozen=True)
class Address:
    """Scheme and host in small letters, without a dot at the end; no port if it is the usual one; no slash at the path's end."""

    scheme: str
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{f':{self.port}' if self.port else ''}{self.path}"

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https"

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address that the host is; None if it is a name."""
        try:
            found = ip_address(self.host)
        except ValueError:
            return None
        return getattr(found, "ipv4_mapped", None) or found

    @property
    def is_loopback(self) -> bool:
        """Whether it means this very machine."""
        return self.host == "localhost" or (self.ip is not None and self.ip.is_loopback)


class Proxy(NamedTuple):
    """The address of a proxy, which may hold a password, and the variable that names it."""

    variable: str
    url: str

    @property
    def secrets(self) -> list[str]:
        """The password as it is written and as it is meant."""
        password = self.url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        return [password, unquote(password)] if password else []


def parse_address(text: str) -> Address:
    """The address that a text means. Raises ValueError if it could lead the credential astray; the message shows none of the text."""
    text = text.strip()
    if not is_header_text(text):
        raise ValueError(f"{_LOOK}: no spaces, and a host with other letters in its ASCII form (xn--…)")
    try:
        parts = urlsplit(text)
        host, port = _host(parts.hostname or ""), parts.port
    except ValueError:
        raise ValueError(_LOOK) from None
    if "@" in parts.netloc:
        raise ValueError(f"{_LOOK}: without a user and a password")
    if parts.scheme not in DEFAULT_PORTS or port == 0 or not _PATH.fullmatch(parts.path) or {"?", "#"} & set(text):
        raise ValueError(_LOOK)
    return Address(
        parts.scheme, host, None if port == DEFAULT_PORTS[parts.scheme] else port, parts.path.removesuffix("/")
    )


def _host(text: str) -> str:
    host = text.removesuffix(".")
    if "%" not in host:  # the zone of an IPv6 address means something on one machine only
        with suppress(ValueError):
            return str(ip_address(host))
    if not _NAME.fullmatch(host) or _NUMBER_AT_THE_END.fullmatch(host):
        raise ValueError(_LOOK)
    return host


def proxies_in(variables: Mapping[str, str | None]) -> dict[str, str]:
    """The proxies that variables name, keyed as urllib.request.getproxies does it."""
    ending = "_proxy"
    named = {name.lower(): text for name, text in variables.items() if text}
    return {name.removesuffix(ending): text for name, text in named.items() if name.endswith(ending)}


def proxy_for(address: Address, proxies: Mapping[str, str]) -> Proxy | None:
    """The proxy on the way to an address. `no` of `proxies` lists the exceptions.

    Never one to this machine: the proxy would reach its own machine, and would see the key of a plain request.
    """
    excepted = re.split(r"[,\s]+", proxies.get("no", "").lower())
    if address.is_loopback or any(_is_meant(entry, address) for entry in excepted if entry):
        return None
    for scheme in (address.scheme, "all"):
        if url := proxies.get(scheme, "").strip():
            return Proxy(f"{scheme.upper()}_PROXY", url if "://" in url else f"http://{url}")
    return None


def _is_meant(entry: str, address: Address) -> bool:
    """Whether an entry of NO_PROXY means an address: `*`, a name with all below it, an address, a network, each with a port or without."""
    scheme, separator, rest = entry.partition("://")
    if separator and scheme != address.scheme:
        return False
    entry = rest if separator else entry
    with suppress(ValueError):
        network = ip_network(entry.strip("[]"), strict=False)
        return address.ip is not None and address.ip in network
    try:
        parts = urlsplit(f"//{entry}")
        host, port = (parts.hostname or "").removeprefix("*").strip("."), parts.port
    except ValueError:
        return False
    if port not in (None, address.port or DEFAULT_PORTS[address.scheme]):
        return False
    return parts.hostname == "*" or address.host == host or (bool(host) and address.host.endswith(f".{host}"))


def is_header_text(text: str) -> bool:
    """Whether a text can be sent in an HTTP header unchanged."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
