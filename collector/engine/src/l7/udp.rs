//! A UDP flow's content: datagrams, and the parser that recognised one of them.

use super::{Progress, Service, Sink, dhcp, dns, named, ntp, quic, quic::Quic};
use crate::key::Side;

/// Datagrams that may be nothing known before a flow is left alone. Media streams begin with one kind and go on
/// with another; a protocol that is of interest shows itself in the first of either side.
const TRIES: u8 = 4;

#[derive(Debug, Default)]
enum Parser {
    #[default]
    Undecided,
    Dhcp,
    Dns(dns::Exchange),
    Ntp,
    Quic(Box<Quic>),
}

/// A flow's parser, or how often there was none.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    tries: u8,
    parser: Parser,
}

impl Exchange {
    pub(super) fn bytes(&self) -> usize {
        match &self.parser {
            Parser::Undecided | Parser::Dhcp | Parser::Ntp => 0,
            Parser::Dns(exchange) => exchange.bytes(),
            Parser::Quic(quic) => quic.bytes(),
        }
    }

    pub(super) fn datagram(
        &mut self,
        side: Side,
        data: &[u8],
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Progress {
        let is_first = matches!(self.parser, Parser::Undecided);
        if is_first {
            match Self::decide(side, data, is_whole, sink) {
                Ok(parser) => self.parser = parser,
                Err(progress) => return progress,
            }
        }
        match &mut self.parser {
            Parser::Undecided => {
                self.tries += 1;
                return if self.tries < TRIES { Progress::More } else { Progress::Done };
            }
            Parser::Dhcp => dhcp::message(side, data, sink),
            Parser::Dns(exchange) => exchange.message(data, sink),
            Parser::Ntp => ntp::message(side, data, is_first, sink),
            Parser::Quic(quic) => return quic.datagram(side, data, sink),
        }
        Progress::More
    }

    /// The parser of a flow whose first known datagram is this; an error where knowing its name is all.
    fn decide(side: Side, data: &[u8], is_whole: bool, sink: &mut Sink<'_>) -> Result<Parser, Progress> {
        let ports = [sink.port(side), sink.port(side.other())];
        if dns::looks_like(data, ports.into_iter().any(dns::is_usual_port), is_whole) {
            return Ok(Parser::Dns(dns::Exchange::default()));
        }
        if let Some(quic) = quic::begins(side, data, ports, sink.at) {
            return Ok(Parser::Quic(Box::new(quic)));
        }
        if dhcp::looks_like(data) {
            sink.confirm(Service::Dhcp);
            return Ok(Parser::Dhcp);
        }
        if ntp::looks_like(data, ports, sink.at) {
            sink.confirm(Service::Ntp);
            return Ok(Parser::Ntp);
        }
        match named::udp(data, ports) {
            // Junk before a query.
            Some(_) if ports.into_iter().any(dns::is_usual_port) => Ok(Parser::Undecided),
            Some(service) => {
                sink.confirm(service);
                Err(Progress::Done)
            }
            None => Ok(Parser::Undecided),
        }
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        match &mut self.parser {
            Parser::Undecided | Parser::Ntp => {}
            Parser::Dhcp => dhcp::finish(sink),
            Parser::Dns(exchange) => exchange.finish(sink),
            Parser::Quic(quic) => quic.finish(sink),
        }
    }
}
