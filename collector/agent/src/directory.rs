//! Who is behind a VNI: a JSON file of sessions, read whole, checked whole and looked up by the writer. Its fields are
//! rendered once when it is read, so that a record costs one look-up and one copy. Reads no clock and no file: see
//! [`poll`].
//!
//! The file, version 1 (fields of a later version are ignored, another version is refused):
//!
//! ```json
//! {"version": 1, "sessions": [
//!   {"vni": 1001, "source_ip": "10.0.1.5", "eni": "eni-0a1b", "instance_id": "i-0c2d", "account_id": "111122223333",
//!    "region": "eu-west-1", "vpc_id": "vpc-1", "subnet_id": "subnet-1", "name": "web-1", "tags": {"team": "shop"}}
//! ]}
//! ```
//!
//! Only `vni` and `eni` are required. `source_ip`, the interface's primary address, tells sessions of two accounts
//! apart: AWS makes a VNI unique within the source's account only. An entry without it stands for every source.

pub(crate) mod poll;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use enigma_engine::Vantage;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The version that is read.
const VERSION: u64 = 1;

/// Why a directory was refused. Positions are as serde_json says them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error("not a directory of sessions")]
    Json(#[from] serde_json::Error),
    #[error("version {found} of the format; this collector reads version {VERSION}")]
    Version { found: u64 },
    #[error("VNI {vni} is beyond 16777215")]
    Vni { vni: u32 },
    #[error("VNI {vni}{} stands there twice, for {first} and {second}", from.map(|ip| format!(" from {ip}")).unwrap_or_default())]
    Twice { vni: u32, from: Option<IpAddr>, first: String, second: String },
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Deserialize)]
struct File {
    sessions: Vec<Session>,
}

#[derive(Deserialize)]
struct Session {
    vni: u32,
    source_ip: Option<IpAddr>,
    eni: String,
    instance_id: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
    vpc_id: Option<String>,
    subnet_id: Option<String>,
    name: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

/// What is known of an interface.
struct Entry {
    eni: String,
    /// Members of a JSON object, each with a comma before it.
    fields: Vec<u8>,
}

/// Sessions by what records carry.
#[derive(Default)]
pub(crate) struct Directory {
    entries: HashMap<(u32, Option<IpAddr>), Entry>,
}

impl Directory {
    /// Checks and takes over the text of a file: all of it or nothing.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, DirectoryError> {
        // The version first: another one may have other fields.
        let Versioned { version } = serde_json::from_slice(text)?;
        if version != VERSION {
            return Err(DirectoryError::Version { found: version });
        }
        let File { sessions } = serde_json::from_slice(text)?;
        let mut entries: HashMap<_, Entry> = HashMap::with_capacity(sessions.len());
        for session in sessions {
            let (vni, from) = (session.vni, session.source_ip);
            if vni > 0xff_ffff {
                return Err(DirectoryError::Vni { vni });
            }
            let entry = Entry { fields: fields(&session)?, eni: session.eni };
            if let Some(found) = entries.get(&(vni, from)) {
                let (first, second) = (found.eni.clone(), entry.eni);
                return Err(DirectoryError::Twice { vni, from, first, second });
            }
            entries.insert((vni, from), entry);
        }
        Ok(Self { entries })
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds what is known of each entry to a record, which must stay JSON.
    pub(crate) fn enrich_any(&self) {
        for (vni, source) in self.entries.keys() {
            let Some(vni) = enigma_engine::Vni::new(*vni) else { continue };
            let source = source.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
            let mut line = b"{\"a\":1}".to_vec();
            self.enrich(Vantage { vni, source }, &mut line);
            assert!(serde_json::from_slice::<Value>(&line).is_ok(), "not JSON: {line:?}");
        }
    }

    fn find(&self, vantage: Vantage) -> Option<&Entry> {
        let vni = vantage.vni.get();
        self.entries.get(&(vni, Some(vantage.source))).or_else(|| self.entries.get(&(vni, None)))
    }

    /// What [`Directory::enrich`] adds, as an object; empty when the session is unknown.
    pub(crate) fn told(&self, vantage: Vantage) -> Map<String, Value> {
        let mut text = self.find(vantage).map_or_else(Vec::new, |entry| entry.fields.clone());
        if let Some(comma) = text.first_mut() {
            *comma = b'{';
            text.push(b'}');
        }
        // Rendered by serde_json itself when the file was read.
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Adds what is known to a record that ends `line` as a JSON object. `false` when its session is unknown; the
    /// record stays as it was.
    pub(crate) fn enrich(&self, vantage: Vantage, line: &mut Vec<u8>) -> bool {
        let Some(entry) = self.find(vantage) else { return false };
        if line.pop_if(|last| *last == b'}').is_some() {
            line.extend_from_slice(&entry.fields);
            line.push(b'}');
        }
        true
    }
}

fn fields(session: &Session) -> Result<Vec<u8>, serde_json::Error> {
    let mut fields = Vec::new();
    let texts = [
        ("eni", Some(&session.eni)),
        ("instance_id", session.instance_id.as_ref()),
        ("account_id", session.account_id.as_ref()),
        ("region", session.region.as_ref()),
        ("vpc_id", session.vpc_id.as_ref()),
        ("subnet_id", session.subnet_id.as_ref()),
        ("name", session.name.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            fields.extend_from_slice(format!(",\"enigma.{name}\":").as_bytes());
            serde_json::to_writer(&mut fields, text)?;
        }
    }
    if let Some(tags) = session.tags.as_ref().filter(|tags| !tags.is_empty()) {
        fields.extend_from_slice(b",\"enigma.tags\":");
        serde_json::to_writer(&mut fields, tags)?;
    }
    Ok(fields)
}
