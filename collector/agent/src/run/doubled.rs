//! Beside rings: whether the kernel's UDP stack does the work a second time. Sockets that take nothing hold the ports;
//! what they are asked to take was not stopped by a firewall rule.

use crate::receive::batch;
use crate::receive::socket::{DropCounter, ReceiveSocket};

/// Datagrams before anything is said: rules may be set a moment after the start.
const ENOUGH: u64 = 1_000;

/// The sockets and what was seen of them.
pub(super) struct Doubled {
    plugs: Vec<(ReceiveSocket, DropCounter)>,
    said: bool,
}

impl Doubled {
    pub(super) fn new(plugs: Vec<ReceiveSocket>) -> Self {
        Self { plugs: plugs.into_iter().map(|plug| (plug, DropCounter::default())).collect(), said: false }
    }

    /// Looks at the sockets; warns once.
    pub(super) fn look(&mut self) {
        let mut reached = 0;
        for (plug, drops) in &mut self.plugs {
            if let Ok(reading) = batch::kernel_drops(plug.fd()) {
                drops.observe(reading);
            }
            reached += drops.total();
        }
        if reached >= ENOUGH && !self.said {
            self.said = true;
            tracing::warn!(
                "mirror traffic also passes through the kernel's UDP stack, which costs as much as the ring saves; stop it \
                 there: nft add table inet enigma; nft 'add chain inet enigma early {{ type filter hook prerouting \
                 priority raw; }}'; nft add rule inet enigma early udp dport '{{ 4789, 6081 }}' drop"
            );
        }
    }
}
