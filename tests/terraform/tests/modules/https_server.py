"""Serves DIRECTORY/www over https on a free port of 127.0.0.1 with DIRECTORY's cert.pem and key.pem; prints the port."""

import functools
import http.server
import pathlib
import ssl
import sys

base = pathlib.Path(sys.argv[1])
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(base / "www"))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(base / "cert.pem", base / "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("port", server.server_address[1], flush=True)
server.serve_forever()
