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
    Dtls = "dtls",
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

use Service::{
    DceRpc, Dhcp, Dns, Dtls, Ftp, Http, Http2, Imap, Krb, KrbTcp, LdapTcp, LdapUdp, Modbus, Mongodb, Mqtt,
    Mysql, Ntp, Pop3, Postgresql, Quic, Rdp, Redis, Sip, Smb, Smtp, Snmp, Socks, Ssh, Ssl, Stun, Tftp,
    Websocket, Xmpp,
};

/// What there is over TCP, in alphabetical order.
const OF_TCP: [Service; 25] = [
    DceRpc, Dns, Ftp, Http, Http2, Imap, KrbTcp, LdapTcp, Modbus, Mongodb, Mqtt, Mysql, Pop3, Postgresql,
    Rdp, Redis, Sip, Smb, Smtp, Socks, Ssh, Ssl, Stun, Websocket, Xmpp,
];

/// What there is over UDP, in alphabetical order.
const OF_UDP: [Service; 12] = [Dhcp, Dns, Dtls, Krb, LdapUdp, Ntp, Quic, Sip, Snmp, Ssl, Stun, Tftp];

/// The highest bit tells which list the others are of: a flow is of one transport, and its set is kept small.
const IS_UDP: u32 = 1 << 31;

/// What was recognised in a flow: a set, because one protocol may carry another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Services(u32);

impl Services {
    /// The empty set of a flow over UDP, or over another transport.
    pub(super) const fn of(is_udp: bool) -> Self {
        Self(if is_udp { IS_UDP } else { 0 })
    }

    pub(crate) fn insert(&mut self, service: Service) {
        let list = if self.0 & IS_UDP == 0 { OF_TCP.as_slice() } else { &OF_UDP };
        if let Some(bit) = list.iter().position(|listed| *listed == service) {
            self.0 |= 1 << bit;
        }
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Every name there is.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter()
    }

    /// Zeek's names of them, in alphabetical order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let list = if self.0 & IS_UDP == 0 { OF_TCP.as_slice() } else { &OF_UDP };
        let is_in = move |bit: usize| self.0 & 1 << bit != 0;
        list.iter()
            .enumerate()
            .filter(move |(bit, _)| is_in(*bit))
            .map(|(_, service)| NAMES[*service as usize])
    }
}

// One bit each beside the highest; the set is part of every flow.
const _: () = assert!(OF_TCP.len() < 32 && OF_UDP.len() < 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_a_transport_and_lists_are_in_order() {
        for list in [OF_TCP.as_slice(), &OF_UDP] {
            let names: Vec<&str> = list.iter().map(|service| NAMES[*service as usize]).collect();
            assert!(names.is_sorted(), "{names:?}");
        }
        for (number, name) in NAMES.iter().enumerate() {
            let is_listed = |list: &[Service]| list.iter().any(|service| *service as usize == number);
            assert!(is_listed(&OF_TCP) || is_listed(&OF_UDP), "{name}");
        }
    }

    #[test]
    fn sets_of_either_transport_name_what_was_put_in() {
        for (is_udp, list) in [(false, OF_TCP.as_slice()), (true, &OF_UDP)] {
            let (mut set, mut kept) = (Services::of(is_udp), Services::default());
            list.iter().for_each(|service| set.insert(*service));
            kept.add(set);
            assert_eq!(kept.names().count(), list.len());
            let mut one = Services::of(is_udp);
            one.insert(Dns);
            assert_eq!(one.names().collect::<Vec<_>>(), ["dns"]);
        }
        assert_eq!(Services::default().names().count(), 0);
    }
}
