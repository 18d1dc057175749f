"""People who use the dashboard, as their browsers do: links, forms, a cookie and one connection over TLS."""

import base64
import hashlib
import hmac
import html
import http.client
import json
import re
import ssl
import struct
import time
import urllib.parse

from .tidemark import Tidemark

PASSWORD = "quiet harbour with nine boats"


class Browser:
    """One connection, kept, and the session that its forms led to."""

    def __init__(self, server: Tidemark):
        tls = ssl.create_default_context(cafile=str(server.ca))
        self.connection = http.client.HTTPSConnection(urllib.parse.urlsplit(server.url).netloc, context=tls, timeout=60)
        self.cookie = ""

    def headers(self) -> dict[str, str]:
        """What a browser sends with everything that a page of the server leads to."""
        headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Accept-Encoding": "gzip, deflate, br"}
        return headers | ({"Cookie": self.cookie} if self.cookie else {})

    def header_lines(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self.headers().items())

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        for last in (False, True):
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                # Nothing was asked for a while.
                self.connection.close()
                if last:
                    raise
        raise AssertionError

    def ask(self, method: str, path: str, body: bytes | None = None, media_type: str = "") -> tuple[int, str, str]:
        """The status, where it leads, and the page, uncoded."""
        headers = self.headers() | {"Accept-Encoding": "identity"} | ({"Content-Type": media_type} if body else {})
        answer, content = self.exchange(method, path, body, headers)
        text = content.decode()
        for line in answer.headers.get_all("Set-Cookie") or []:
            self.cookie = line.partition(";")[0]
        return answer.status, answer.headers.get("Location", ""), text

    def page(self, path: str) -> str:
        status, _, text = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {text[:300]}")
        return text

    def form(self, path: str, **fields: str) -> tuple[str, str]:
        """Where it leads, and the page that answers it."""
        body = urllib.parse.urlencode(fields).encode()
        status, location, text = self.ask("POST", path, body, "application/x-www-form-urlencoded")
        if status not in (200, 303):
            raise RuntimeError(f"POST {path}: {status} {text[:300]}")
        return location, text

    def upload(self, name: str, content: str) -> str:
        """Chooses a CSV file; the address of its draft."""
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv'
        body = f"--xyz\r\n{head}\r\n\r\n{content}\r\n--xyz--\r\n"
        status, location, text = self.ask("POST", "/batches/new", body.encode(), "multipart/form-data; boundary=xyz")
        if status != 303:
            raise RuntimeError(f"the file was not kept: {status} {text[:300]}")
        return location

    def next_page(self, path: str, pages: int) -> str:
        """The address of the page so many pages behind this one, by its links."""
        for _ in range(pages):
            found = re.search(r'href="([^"]+)">Next', self.page(path))
            if found is None:
                raise RuntimeError(f"{path[:100]} is the last page")
            path = html.unescape(found[1])
        return path


def invite(server: Tidemark, requester: str, name: str, role: str) -> tuple[str, str]:
    """Adds a user; the e-mail address, and the path of the link that sets a password."""
    email = f"{name.lower().replace(' ', '.')}@example.com"
    person = ("--requester", requester, "--email", email, "--name", name, "--role", role)
    link = json.loads(server.run("user", "add", *person, "--json"))["link"]
    return email, urllib.parse.urlsplit(link).path


def add(server: Tidemark, requester: str, name: str, role: str) -> str:
    """A user with a password; the e-mail address."""
    email, link = invite(server, requester, name, role)
    Browser(server).form(link, password=PASSWORD, again=PASSWORD)
    return email


def sign_in(server: Tidemark, email: str) -> Browser:
    browser = Browser(server)
    browser.form("/sign-in", email=email, password=PASSWORD)
    if not browser.cookie:
        raise RuntimeError(f"{email} could not sign in")
    return browser


def enrol(browser: Browser) -> None:
    """Sets up a second factor: from then on signing in leads to the page that asks for its code."""
    _, page = browser.form("/account/second-factor", password=PASSWORD)
    secret = re.search(r"\b((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})\b", page)
    if secret is None:
        raise RuntimeError("the page shows no secret")
    browser.form("/account/second-factor/confirm", code=_code(secret[1].replace(" ", "")))


def _code(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"
