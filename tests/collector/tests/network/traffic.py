"""Traffic between two hosts: `serve CERTIFICATE KEY` answers on the second, `ask` asks on the first, `mark` sends the last packets."""

import socket
import ssl
import struct
import sys
import threading

B4, B6 = "10.66.0.2", "fd66::2"
PAGE = b"<html><title>shop</title>" + b"r" * 20000
BULK = 8 << 20


def listen(family, address, port, serve, wrap=None):
    """Serves each connection in a thread of its own."""
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()

    def one(connection):
        try:
            if wrap:
                connection = wrap(connection)
            serve(connection)
            connection.close()
        except (OSError, ssl.SSLError):
            pass

    def loop():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def http(connection):
    """HTTP/1.1 with several exchanges on a connection."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = connection.recv(4096)
            if not more:
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        path = head.split(b" ")[1]
        status = b"404 Not Found" if path == b"/missing" else b"200 OK"
        body = b"nothing here" if path == b"/missing" else PAGE
        connection.sendall(
            b"HTTP/1.1 " + status + b"\r\nServer: test\r\nContent-Type: text/html\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n\r\n" + body)


def bulk(connection):
    connection.recv(100)
    left = BULK
    while left:
        left -= connection.send(b"b" * min(left, 1 << 16))


def answer(query):
    """A DNS answer to the one question of a query: an address, or a long text for TXT."""
    end = query.index(b"\0", 12) + 5
    kind = struct.unpack(">H", query[end - 4:end - 2])[0]
    data = b"".join(bytes([200]) + b"x" * 200 for _ in range(8)) if kind == 16 else socket.inet_aton(B4)
    head = query[:2] + b"\x85\x80" + struct.pack(">4H", 1, 1, 0, 0)
    return head + query[12:end] + b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def dns_tcp(connection):
    length = struct.unpack(">H", connection.recv(2))[0]
    message = answer(connection.recv(length))
    connection.sendall(struct.pack(">H", len(message)) + message)


def serve(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])

    def wrap(connection):
        return context.wrap_socket(connection, server_side=True)

    for family, address in ((socket.AF_INET, B4), (socket.AF_INET6, B6)):
        listen(family, address, 80, http)
        listen(family, address, 443, http, wrap)
        listen(family, address, 5001, bulk)
        listen(family, address, 53, dns_tcp)
    names = []
    for family, address in ((socket.AF_INET, B4), (socket.AF_INET6, B6)):
        resolver = socket.socket(family, socket.SOCK_DGRAM)
        resolver.bind((address, 53))
        names.append(resolver)

    def resolve(resolver):
        while True:
            query, who = resolver.recvfrom(2000)
            resolver.sendto(answer(query), who)

    for resolver in names:
        threading.Thread(target=resolve, args=(resolver,), daemon=True).start()
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind((B4, 9000))
    print("up", flush=True)
    while True:
        data, who = echo.recvfrom(2000)
        echo.sendto(data * 2, who)


def query(name, kind):
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    return struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def connect(family, address, port):
    connection = socket.socket(family)
    connection.settimeout(20)
    connection.connect((address, port))
    return connection


def exchange(connection, host, paths):
    for path in paths:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: test/1\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
    connection.close()


def ask():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    for family, address in ((socket.AF_INET, B4), (socket.AF_INET6, B6)):
        for name in ("shop.example.test", "api.example.test"):
            resolver = socket.socket(family, socket.SOCK_DGRAM)
            resolver.settimeout(20)
            resolver.connect((address, 53))
            resolver.send(query(name, 1))
            resolver.recv(2000)
        stream = connect(family, address, 53)
        message = query("big.example.test", 16)
        stream.sendall(struct.pack(">H", len(message)) + message)
        while stream.recv(4096):
            pass
        stream.close()
        exchange(connect(family, address, 80), "shop.example.test", ["/", "/missing", "/again"])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            name = f"{version.name.lower().replace('_', '-')}.example.test"
            exchange(context.wrap_socket(connect(family, address, 443), server_hostname=name), name, ["/secret"])
        stream = connect(family, address, 5001)
        stream.sendall(b"go")
        got = 0
        while data := stream.recv(1 << 16):
            got += len(data)
        assert got == BULK, got
        stream.close()


def mark():
    """The last packets of all, and how to know them."""
    last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    last.settimeout(20)
    last.sendto(b"the last packet of the test", (B4, 9000))
    last.recv(2000)


{"serve": serve, "ask": ask, "mark": mark}[sys.argv[1]](*sys.argv[2:])
