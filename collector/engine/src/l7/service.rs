//! What a flow can be recognised as: the values of `service` in its record.

/// Defines services once: variant, and Zeek's name of it (or of the package for it, where Zeek alone has none).
macro_rules! services {
    ($($variant:ident = $name:literal,)*) => {
        /// A protocol that was recognised in a flow.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Service {
            $($variant,)*
        }

        const NAMES: [&str; [$(Service::$variant),*].len()] = [$($name),*];
    };
}

services! {
    DceRpc = "dce_rpc",
    Dhcp = "dhcp",
    Dns = "dns",
    Ftp = "ftp",
    Http = "http",
    Http2 = "http2",
    Imap = "imap",
    Krb = "krb",
    KrbTcp = "krb_tcp",
    LdapTcp = "ldap_tcp",
    LdapUdp = "ldap_udp",
    Modbus = "modbus",
    Mongodb = "mongodb",
    Mqtt = "mqtt",
    Mysql = "mysql",
    Ntp = "ntp",
    Pop3 = "pop3",
    Postgresql = "postgresql",
    Quic = "quic",
    Rdp = "rdp",
    Redis = "redis",
    Sip = "sip",
    Smb = "smb",
    Smtp = "smtp",
    Snmp = "snmp",
    Socks = "socks",
    Ssh = "ssh",
    Ssl = "ssl",
    Stun = "stun",
    Tftp = "tftp",
    Websocket = "websocket",
    Xmpp = "xmpp",
}

/// What was recognised in a flow: a set, because one protocol may carry another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Services(u32);

impl Services {
    pub(crate) fn insert(&mut self, service: Service) {
        self.0 |= 1 << service as u32;
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Zeek's names of them, in alphabetical order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 & 1 << bit != 0).map(|(_, name)| name)
    }
}

// One bit each; the set is part of every flow.
const _: () = assert!(NAMES.len() <= 32);
