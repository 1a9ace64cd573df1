"""Small servers on the loopback: videos by HTTP and RTSP, and one that keeps what is posted to it."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TS_PACKET_BYTES = 188
RTP_MP2T = 33


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """The port of a server that runs for so long."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class QuietHttp(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def http_videos(parts: list[tuple[bytes, int]]) -> ThreadingHTTPServer:
    """Answers the n-th GET with the n-th part: some bytes, and how many it promises; then 404."""
    waiting = list(parts)

    class Handler(QuietHttp):
        def do_GET(self) -> None:
            if not waiting:
                self.send_error(404)
                return
            content, promised = waiting.pop(0)
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            if promised:
                self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(content)

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def http_receiver(posted: list[dict[str, Any]], status: int = 200) -> ThreadingHTTPServer:
    """Keeps the JSON documents that are posted to it."""

    class Handler(QuietHttp):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


class RtspHandler(socketserver.StreamRequestHandler):
    """One connection of ``rtsp_video``'s clients; ``content`` and ``seen`` are set in a class of each server."""

    content = b""

    @staticmethod
    def seen(method: str) -> None:
        pass

    def handle(self) -> None:
        while request := self._request():
            method, number = request
            self.seen(method)
            self._answer(method, number)
            if method == "PLAY":
                self._play()
            if method == "TEARDOWN":
                return

    def _request(self) -> tuple[str, str] | None:
        first = self.rfile.readline().decode()
        if not first or first.startswith("$"):
            return None
        headers = {}
        while (line := self.rfile.readline().decode().strip()) and ":" in line:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return first.split(" ")[0], headers.get("cseq", "0")

    def _answer(self, method: str, number: str) -> None:
        body, more = "", ""
        if method == "OPTIONS":
            more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        if method == "DESCRIBE":
            body = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP {RTP_MP2T}\r\n"
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        if method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n{body}".encode())

    def _play(self) -> None:
        size = 7 * TS_PACKET_BYTES
        for number, at in enumerate(range(0, len(self.content), size)):
            header = struct.pack(">BBHII", 0x80, RTP_MP2T, number & 0xFFFF, number * 900, 1)
            packet = header + self.content[at : at + size]
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)


def rtsp_video(content: bytes, *, seen: Callable[[str], None] = lambda _: None) -> socketserver.ThreadingTCPServer:
    """A camera: MPEG-TS in RTP packets interleaved with RTSP (RFC 2326, 2250), sent once after PLAY."""
    handler = type("Handler", (RtspHandler,), {"content": content, "seen": staticmethod(seen)})
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server
