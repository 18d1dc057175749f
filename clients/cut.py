"""A line that breaks: passes everything to the server, and so many bytes back."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class BrokenLine:
    """While it is open, `url` leads to the server at `url`; every answer is cut after `most` bytes, TLS's included.
    `passed` counts what came through."""

    def __init__(self, url: str, most: int):
        self.passed = 0
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._most = most
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        # Whoever ends first may end the other in the middle.
        with suppress(OSError), client, socket.create_connection(self._server) as server:
            there = threading.Thread(target=self._there, args=(client, server), daemon=True)
            there.start()
            left = self._most
            while left > 0 and (piece := server.recv(min(left, 65_536))):
                client.sendall(piece)
                left -= len(piece)
                self.passed += len(piece)
            # An end in good order of TCP, so that no client owes its error to a reset.
            client.shutdown(socket.SHUT_WR)
            there.join()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(65_536):
                server.sendall(piece)
