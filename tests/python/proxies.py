"""Proxies between agent and server: they record, check, and break things on purpose."""

import dataclasses
import http.client
import http.server
import select
import socket
import ssl
import struct
import threading
import urllib.parse

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
              "proxy-authorization", "proxy-authenticate"}


@dataclasses.dataclass
class Request:
    method: str
    path: str  # without query
    query: str
    headers: dict  # names in lower case
    body: bytes
    peer_certificate: dict | None = None
    target: str = ""  # as it stood in the request line
    status: int = 0

    @property
    def parameters(self):
        return urllib.parse.parse_qs(self.query, keep_blank_values=True)


@dataclasses.dataclass
class Answer:
    """What a `fault` gives back instead of, or made from, the server's answer."""

    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    cut: int | None = None  # send so many bytes of the body and close
    reset: bool = False  # close with RST, without any answer
    stall: float = 0  # seconds of silence before the answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def setup(self):
        super().setup()
        self.upstream = None

    def finish(self):
        if self.upstream:
            self.upstream.close()
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            pass

    def do_CONNECT(self):
        proxy = self.server.proxy
        request = Request("CONNECT", self.path, "", self._headers(), b"", target=self.path)
        proxy.record(request)
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            near, pair = self.connection, {self.connection: far, far: self.connection}
            while True:
                for ready in select.select([near, far], [], [], 60)[0]:
                    data = ready.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pair[ready].sendall(data)

    def _headers(self):
        return {k.lower(): v for k, v in self.headers.items()}

    def _forward(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urllib.parse.urlsplit(self.path)
        certificate = self.connection.getpeercert() if proxy.tls else None
        request = Request(self.command, split.path, split.query, self._headers(), body, certificate, self.path)
        proxy.record(request)
        answer = proxy.before(request) if proxy.before else None
        if answer is None:
            answer = self._ask(request, split)
            if proxy.after:
                answer = proxy.after(request, answer) or answer
        request.status = answer.status
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _forward

    def _ask(self, request, split):
        proxy = self.server.proxy
        if split.netloc:  # as a forward proxy
            host, port, path = split.hostname, split.port or 80, split.path
        else:
            host, port, path = proxy.host, proxy.port, proxy.strip(split.path)
        target = path + (f"?{request.query}" if request.query else "")
        headers = {k: v for k, v in request.headers.items() if k not in HOP_BY_HOP and k not in proxy.hidden_headers}
        headers["host"] = f"{host}:{port}"
        for again in (True, False):
            try:
                if self.upstream is None:
                    self.upstream = http.client.HTTPConnection(host, port, timeout=60)
                self.upstream.request(request.method, target, request.body or None, headers)
                response = self.upstream.getresponse()
                kept = {k: v for k, v in response.getheaders() if k.lower() not in HOP_BY_HOP | {"content-length"}}
                return Answer(response.status, response.read(), kept)
            except (OSError, http.client.HTTPException):
                self.upstream.close()
                self.upstream = None
                if not again:
                    return Answer(502, b"upstream is gone")

    def _send(self, answer):
        if answer.stall:
            self.server.proxy.stopping.wait(answer.stall)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.cut is not None:
            self.wfile.write(answer.body[:answer.cut])
            self.close_connection = True
            return
        self.wfile.write(answer.body)


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass

    def finish_request(self, request, client_address):
        if self.proxy.tls:
            try:
                request.settimeout(10)
                request = self.proxy.tls.wrap_socket(request, server_side=True)
                request.settimeout(None)
            except (OSError, ssl.SSLError) as error:
                self.proxy.tls_errors.append(str(error))
                return
        super().finish_request(request, client_address)


class Proxy:
    """A reverse proxy in front of `url` (also a forward proxy for absolute targets and CONNECT).

    before(request) may give an Answer instead of asking the server, or change the request's query; after(request, answer)
    may change the answer.
    """

    seen = set()  # (method, path below the tracking URI) of every request through any proxy of this run

    def __init__(self, url="http://127.0.0.1:1", tls=None, before=None, after=None, prefix="", hidden_headers=()):
        split = urllib.parse.urlsplit(url)
        self.host, self.port = split.hostname, split.port
        self.tls, self.before, self.after, self.prefix = tls, before, after, prefix
        self.hidden_headers = set(hidden_headers)
        self.requests, self.tls_errors = [], []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._listener = Listener(("127.0.0.1", 0), Handler)
        self._listener.proxy = self
        scheme = "https" if tls else "http"
        self.local_port = self._listener.server_address[1]
        self.authority = f"127.0.0.1:{self.local_port}"
        self.base = prefix + split.path
        self.url = f"{scheme}://{self.authority}{self.base}"

    def strip(self, path):
        return path.removeprefix(self.prefix)

    def record(self, request):
        with self._lock:
            self.requests.append(request)
        if request.method != "CONNECT":
            Proxy.seen.add((request.method, request.path.removeprefix(self.base)))

    def calls(self):
        with self._lock:
            return [(r.method, r.path) for r in self.requests]

    def __enter__(self):
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
