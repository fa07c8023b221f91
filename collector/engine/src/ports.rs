//! Ports that servers listen on, to guess who began a connection whose beginning was not seen.
//!
//! The ports are those Zeek 8 registers for its analyzers (`likely_server_ports` after loading
//! `scripts/base`), so that both tools point the same way. Asked once per flow that starts in the middle.

/// Whether `port` is one a TCP server is likely to listen on.
pub(crate) const fn is_likely_tcp_server(port: u16) -> bool {
    matches!(
        port,
        21 | 22
            | 25
            | 53
            | 79
            | 80
            | 81
            | 88
            | 135
            | 139
            | 143
            | 389
            | 443
            | 445
            | 465
            | 502
            | 514
            | 563
            | 585
            | 587
            | 614
            | 631
            | 636
            | 989
            | 990
            | 992
            | 993
            | 995
            | 1080
            | 1434
            | 1883
            | 2811
            | 3128
            | 3268
            | 3306
            | 3389
            | 5222
            | 5223
            | 5269
            | 5432
            | 6379
            | 6666..=6669 | 8000 | 8080 | 8888 | 20000
    )
}

/// Whether `port` is one a UDP server is likely to answer on.
pub(crate) const fn is_likely_udp_server(port: u16) -> bool {
    matches!(
        port,
        53 | 67
            | 88
            | 123
            | 137
            | 161
            | 162
            | 389
            | 443
            | 514
            | 1812
            | 2123
            | 2152
            | 3389
            | 3544
            | 4011
            | 4754
            | 4789
            | 5060
            | 5072
            | 5353
            | 5355
            | 6081
            | 20000
    )
}

/// Whether people type into this TCP service, with long silences (Zeek's `port_inactivity_timeouts`).
pub(crate) const fn is_interactive(port: u16) -> bool {
    matches!(port, 21 | 22 | 23 | 513)
}
