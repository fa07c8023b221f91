//! The begin of every other protocol that is recognised, over TCP and over UDP.

/// A protocol: the server's port, and what the ends say in turn, the client first.
pub(super) type Dialogue = (u16, &'static [&'static [u8]]);

/// Over TCP.
pub(super) const STREAMS: [Dialogue; 22] = [
    (80, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0"]),
    (
        80,
        &[
            b"GET /chat HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05Hello",
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        ],
    ),
    (
        25,
        &[
            b"",
            b"220 mx.example.test ESMTP Postfix\r\n",
            b"EHLO out.example.test\r\n",
            b"250-mx.example.test\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n",
            b"MAIL FROM:<a@example.test>\r\n",
            b"250 2.1.0 Ok\r\n",
            b"RCPT TO:<b@example.test>\r\n",
            b"250 2.1.5 Ok\r\n",
            b"QUIT\r\n",
            b"221 2.0.0 Bye\r\n",
        ],
    ),
    (
        21,
        &[
            b"",
            b"220 (vsFTPd 3.0.3)\r\n",
            b"USER anonymous\r\n",
            b"331 Please specify the password.\r\n",
            b"PASS x\r\n",
            b"230 Login successful.\r\n",
        ],
    ),
    (143, &[b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", b"a1 LOGIN x y\r\n", b"a1 OK done\r\n"]),
    (110, &[b"", b"+OK POP3 ready\r\n", b"USER x\r\n", b"+OK\r\n", b"QUIT\r\n"]),
    (
        5222,
        &[
            b"<?xml version='1.0'?><stream:stream to='chat.example.test' xmlns='jabber:client' version='1.0'>",
            b"<?xml version='1.0'?><stream:stream from='chat.example.test' id='1' version='1.0'><stream:features>",
        ],
    ),
    (
        3389,
        &[
            b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=admin\r\n\x01\0\x08\0\x0b\0\0\0",
            b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0",
        ],
    ),
    (
        445,
        &[
            b"\0\0\0\x66\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x24\0\x02\0\x01\0\0\0\0\0\0\0abcdefghijklmnop\0\0\0\0\0\0\0\0\x02\x02\x10\x02",
            b"\0\0\0\x80\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x41\0\x01\0\x10\x02\0\0fedcba9876543210\x07\0\0\0\0\0\x80\0\0\0\x80\0\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ],
    ),
    (135, &[b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0", b"\x05\0\x0c\x03\x10\0\0\0\x3c\0\0\0"]),
    (
        88,
        &[
            b"\0\0\x01\x20\x6a\x82\x01\x1c\x30\x82\x01\x18\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a",
            b"\0\0\0\x98\x7e\x81\x95\x30\x81\x92\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e",
        ],
    ),
    (389, &[b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0"]),
    (502, &[b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x0a", b"\0\x01\0\0\0\x05\x01\x03\x02\0\x07"]),
    (
        27017,
        &[
            b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x25\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0\0\0\0",
            b"\x2b\0\0\0\x02\0\0\0\x01\0\0\0\xdd\x07\0\0\0\0\0\0\0",
        ],
    ),
    (1883, &[b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03dev", b"\x20\x02\0\0", b"\x82\x08\0\x01\0\x03a/b\0", b"\x90\x03\0\x01\0"]),
    (
        3306,
        &[
            b"",
            b"\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0caching\0",
            b"\x20\0\0\x01\x85\xa6\xff\x01\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x07\0\0\x02\0\0\0\x02\0\0\0",
        ],
    ),
    (5432, &[b"\0\0\0\x08\x04\xd2\x16\x2f", b"N", b"\0\0\0\x29\0\x03\0\0user\0app\0database\0orders\0\0\0\0\0\0\0\0\0"]),
    (6379, &[b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", b"$1\r\n7\r\n"]),
    (
        5060,
        &[
            b"REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1\r\nContent-Length: 0\r\n\r\n",
            b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        ],
    ),
    (1080, &[b"\x05\x01\0", b"\x05\0", b"\x05\x01\0\x03\x0cexample.test\x01\xbb", b"\x05\0\0\x01\0\0\0\0\0\0"]),
    (3478, &[b"\0\x01\0\x08\x21\x12\xa4\x42twelve bytes\x80\x22\0\x04self", b"\x01\x01\0\0\x21\x12\xa4\x42twelve bytes"]),
    // Nothing that is known.
    (9000, &[b"\xde\xad\xbe\xef\x01\x02\x03\x04\x05\x06\x07\x08", b"\xca\xfe\x01\x02\x03\x04\x05\x06"]),
];

/// Over UDP.
pub(super) const DATAGRAMS: [Dialogue; 9] = [
    (
        88,
        &[b"\x6a\x82\x01\x1c\x30\x82\x01\x18\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa3\x15\x30\x13\xa1\x03", b"\x7e\x81\x95\x30\x81\x92\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e\0\0\0\0"],
    ),
    (
        389,
        &[
            b"\x30\x84\0\0\0\x60\x02\x01\x01\x63\x84\0\0\0\x57\x04\0\x0a\x01\0\x0a\x01\0",
            b"\x30\x84\0\0\0\x20\x02\x01\x01\x64\x84\0\0\0\x17\x04\0",
        ],
    ),
    (161, &[b"\x30\x0e\x02\x01\x01\x04\x06public\xa0\x01\0", b"\x30\x0e\x02\x01\x01\x04\x06public\xa2\x01\0"]),
    (69, &[b"\0\x01boot.cfg\0octet\0"]),
    (3478, &[b"\0\x01\0\0\x21\x12\xa4\x42twelve bytes", b"\x01\x01\0\0\x21\x12\xa4\x42twelve bytes"]),
    (
        5060,
        &[
            b"OPTIONS sip:a@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nContent-Length: 0\r\n\r\n",
            b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        ],
    ),
    // The rest is nothing that is known: logs, media, games.
    (514, &[b"<134>1 2023-11-14T22:13:20Z web-1 app - - - started\n"]),
    (4500, &[b"\xff", b"\xff"]),
    (30_000, &[b"\x80\x60\x12\x34\0\0\0\xa0\x01\x02\x03\x04\x55\x55\x55\x55", b"\x80\x60\x43\x21\0\0\0\xa0\x09\x08\x07\x06\x55\x55"]),
];
