"""Which proxy of the environment a URL is reached through, as curl and Python's urllib decide it; the loopback is never."""

import ipaddress
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from sekft.errors import SettingsError

SCHEMES = ("http", "https", "socks5", "socks5h")  # that the HTTP client speaks; SOCKS needs the package socksio
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True)
class Proxy:
    """variable: the environment variable that names the proxy. url: with its scheme, host, port and what identifies the user to it."""

    variable: str
    url: str

    def address(self) -> tuple[str, int]:
        """(host, port)."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]

    def __str__(self) -> str:
        """The assignment without user name and password."""
        return f"{self.variable}={shown(self.url)}"


def proxy_of(url: str) -> Proxy | None:
    """The proxy for a URL; None if it is asked directly: on this machine, named by NO_PROXY, or no proxy is set.

    Raises SettingsError for a proxy that cannot be used, naming its variable.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host) or not (found := _assigned(parts.scheme)):
        return None
    if proxy_bypass_environment(parts.netloc.rpartition("@")[2]) or _is_in_excepted_network(host):
        return None
    variable, value = found
    return _usable(Proxy(variable, value if "://" in value else f"http://{value}"), host)


def is_this_machine(host: str) -> bool:
    """Whether the host is the loopback, by name or by address; 0.0.0.0 is it, too, for a client."""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def shown(url: str) -> str:
    """The URL without what may be secret: user name, password and query."""
    before, mark, rest = url.partition("://")
    scheme, rest = (f"{before}://", rest) if mark else ("", url)
    return scheme + re.split("[?#]", rest.rpartition("@")[2], maxsplit=1)[0]  # first what is before @: a password may hold a ?


def _assigned(scheme: str) -> tuple[str, str] | None:
    """(variable, value) of the first variable that counts for URLs of this scheme; in lower case they come first, as in curl."""
    names = [name for base in (f"{scheme}_proxy", "all_proxy") for name in (base, base.upper())]
    return next(((name, value) for name in names if (value := os.environ.get(name, "").strip())), None)


def _is_in_excepted_network(host: str) -> bool:
    """Whether NO_PROXY has a network, such as 10.0.0.0/8, that holds the address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
        try:
            if "/" in entry and address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False


def _usable(proxy: Proxy, host: str) -> Proxy:
    """The proxy itself. Raises SettingsError."""
    otherwise = f"or name {host} in NO_PROXY"
    scheme = proxy.url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        allowed = ", ".join(f"{one}://" for one in SCHEMES)
        raise SettingsError(f"{proxy}: found a proxy of the kind {scheme}://, allowed: {allowed}; change {proxy.variable}, {otherwise}")
    try:
        valid = bool(proxy.address()[0]) and proxy.address()[1] > 0
    except ValueError:  # a port that is no number, half an IPv6 address
        valid = False
    if not valid:
        raise SettingsError(f"{proxy}: no address of a proxy, allowed: {scheme}://HOST:PORT; change {proxy.variable}, {otherwise}")
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise SettingsError(f"{proxy}: a SOCKS proxy needs the package socksio; pip install socksio, {otherwise}")
    return proxy
