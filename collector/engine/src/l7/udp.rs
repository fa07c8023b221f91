//! A UDP flow's content: datagrams, and the parser that recognised one of them.

use super::{Progress, Sink, dns};
use crate::key::Side;

/// Datagrams that may be nothing known before a flow is left alone. Media streams begin with one kind and go on
/// with another; a protocol that is of interest shows itself in the first of either side.
const TRIES: u8 = 4;

#[derive(Clone, Debug, Default)]
enum Parser {
    #[default]
    Undecided,
    Dns(dns::Exchange),
}

/// A flow's parser, or how often there was none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    tries: u8,
    parser: Parser,
}

impl Exchange {
    pub(super) fn bytes(&self) -> usize {
        match &self.parser {
            Parser::Undecided => 0,
            Parser::Dns(exchange) => exchange.bytes(),
        }
    }

    pub(super) fn datagram(
        &mut self,
        _side: Side,
        data: &[u8],
        is_whole: bool,
        sink: &mut Sink<'_>,
    ) -> Progress {
        if matches!(self.parser, Parser::Undecided) {
            let is_dns_port =
                dns::is_usual_port(sink.port(Side::Low)) || dns::is_usual_port(sink.port(Side::High));
            if dns::looks_like(data, is_dns_port, is_whole) {
                self.parser = Parser::Dns(dns::Exchange::default());
            }
        }
        match &mut self.parser {
            Parser::Undecided => {
                self.tries += 1;
                if self.tries < TRIES { Progress::More } else { Progress::Done }
            }
            Parser::Dns(exchange) => {
                exchange.message(data, sink);
                Progress::More
            }
        }
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        match &mut self.parser {
            Parser::Undecided => {}
            Parser::Dns(exchange) => exchange.finish(sink),
        }
    }
}
