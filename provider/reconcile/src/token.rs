//! Client tokens: a repeated create is the same create, a changed one is a new one.
//!
//! A token is the SHA-256 of everything that makes a create what it is: fleet, generation, place, AWS action, the
//! object's key and every parameter with references resolved. In hexadecimal that is exactly the 64 ASCII characters
//! AWS allows <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>. Knows nothing of when or
//! how often it is sent.

use enigma_fleet::ids::{FilterId, FleetName, ObjectKey, Place, ShareArn, TargetId};
use enigma_fleet::inventory::{Destination, FilterRule, Tags};
use sha2::{Digest, Sha256};

use crate::ports::{ClientToken, NewSession, NewShare, ShareParts};

/// What all tokens of one execution share.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    fleet: FleetName,
    generation: u64,
}

impl Tokens {
    pub(crate) fn new(fleet: FleetName, generation: u64) -> Self {
        Self { fleet, generation }
    }

    pub(crate) fn target(
        &self,
        key: &ObjectKey,
        to: &Destination,
        description: &str,
        tags: &Tags,
    ) -> ClientToken {
        let (kind, id) = match to {
            Destination::Interface(id) => ("interface", id.as_str()),
            Destination::NetworkLoadBalancer(arn) => ("network-load-balancer", arn.as_str()),
            Destination::GatewayLoadBalancerEndpoint(id) => ("gateway-load-balancer-endpoint", id.as_str()),
        };
        self.begin("target", &key.place)
            .text(key.label.as_str())
            .text(kind)
            .text(id)
            .text(description)
            .tags(tags)
            .end()
    }

    pub(crate) fn filter(&self, key: &ObjectKey, description: &str, tags: &Tags) -> ClientToken {
        self.begin("filter", &key.place).text(key.label.as_str()).text(description).tags(tags).end()
    }

    pub(crate) fn rule(
        &self,
        key: &ObjectKey,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
    ) -> ClientToken {
        let ports = |range: &Option<enigma_fleet::inventory::PortRange>| {
            range.map_or_else(String::new, |r| format!("{}-{}", r.from, r.to))
        };
        self.begin("rule", &key.place)
            .text(key.label.as_str())
            .text(filter.as_str())
            .text(&format!("{:?} {:?}", rule.direction, rule.action))
            .text(&rule.number.to_string())
            .text(&rule.protocol.map_or_else(String::new, |p| p.to_string()))
            .text(&rule.source.to_string())
            .text(&rule.destination.to_string())
            .text(&ports(&rule.source_ports))
            .text(&ports(&rule.destination_ports))
            .text(&rule.description)
            .tags(tags)
            .end()
    }

    /// The token that `share` holds already is ignored.
    pub(crate) fn share(&self, place: &Place, share: &NewShare) -> ClientToken {
        let hash = self.begin("share", place).text(&share.name).text(&share.allows_external.to_string());
        hash.parts(&share.parts).tags(&share.tags).end()
    }

    /// For what is added to a share. `answers` counts those to earlier calls: what RAM refused is asked anew, and
    /// what got no reply is the same call.
    pub(crate) fn addition(
        &self,
        place: &Place,
        share: &ShareArn,
        parts: &ShareParts,
        answers: u32,
    ) -> ClientToken {
        let hash = self.begin("addition", place).text(share.as_str()).text(&answers.to_string());
        hash.parts(parts).end()
    }

    /// The token that `session` holds already is ignored.
    pub(crate) fn session(&self, place: &Place, session: &NewSession) -> ClientToken {
        let (target, filter): (&TargetId, &FilterId) = (&session.target, &session.filter);
        self.begin("session", place)
            .text(session.interface.as_str())
            .text(target.as_str())
            .text(filter.as_str())
            .text(&session.number.to_string())
            .text(&session.vni.to_string())
            .text(&session.packet_length.map_or_else(String::new, |l| l.to_string()))
            .text(&session.description)
            .tags(&session.tags)
            .end()
    }

    fn begin(&self, kind: &str, place: &Place) -> Parts {
        Parts(Sha256::new())
            .text("enigma-mirror-fleet/1")
            .text(self.fleet.as_str())
            .text(&self.generation.to_string())
            .text(place.account.as_str())
            .text(place.region.as_str())
            .text(kind)
    }
}

/// Hashes parts with their lengths, so that no two lists of parts run together into the same bytes.
struct Parts(Sha256);

impl Parts {
    fn text(mut self, part: &str) -> Self {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part.as_bytes());
        self
    }

    fn list<'a>(self, items: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let counted = self.text(&items.len().to_string());
        items.fold(counted, Self::text)
    }

    fn parts(self, parts: &ShareParts) -> Self {
        let principals = parts.principals.iter().map(String::as_str);
        self.list(principals).list(parts.targets.iter().map(TargetId::as_str))
    }

    fn tags(self, tags: &Tags) -> Self {
        let counted = self.text(&tags.len().to_string());
        tags.iter().fold(counted, |parts, (key, value)| parts.text(key).text(value))
    }

    fn end(self) -> ClientToken {
        let digest = self.0.finalize();
        ClientToken(digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
            for nibble in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
            hex
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key(label: &str) -> ObjectKey {
        format!("111111111111/us-east-1/{label}").parse().unwrap()
    }

    #[test]
    fn any_change_gives_another_token_and_none_gives_the_same() {
        let tokens = Tokens::new("prod".parse().unwrap(), 1);
        let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
        let base = tokens.filter(&key("x"), "d", &tags);
        assert_eq!(base, tokens.filter(&key("x"), "d", &tags));
        assert!(base.0.len() == 64 && base.0.is_ascii());
        let later = Tokens::new("prod".parse().unwrap(), 2);
        let other = Tokens::new("test".parse().unwrap(), 1);
        let elsewhere: ObjectKey = "111111111111/us-east-2/x".parse().unwrap();
        let all = BTreeSet::from([
            base.0,
            tokens.filter(&key("y"), "d", &tags).0,
            tokens.filter(&key("x"), "e", &tags).0,
            tokens.filter(&key("x"), "d", &Tags::new()).0,
            tokens.filter(&key("x"), "d", &Tags::from([("a".to_owned(), "c".to_owned())])).0,
            tokens.filter(&key("x"), "d", &Tags::from([("ab".to_owned(), String::new())])).0,
            tokens.filter(&elsewhere, "d", &tags).0,
            later.filter(&key("x"), "d", &tags).0,
            other.filter(&key("x"), "d", &tags).0,
        ]);
        assert_eq!(all.len(), 9);
    }

    #[test]
    fn parts_do_not_run_together() {
        let tokens = Tokens::new("prod".parse().unwrap(), 1);
        let interface = Destination::Interface("eni-00000000000000001".parse().unwrap());
        let arn = Destination::NetworkLoadBalancer("eni-00000000000000001".to_owned());
        assert_ne!(
            tokens.target(&key("x"), &interface, "", &Tags::new()),
            tokens.target(&key("x"), &arn, "", &Tags::new())
        );
    }
}
