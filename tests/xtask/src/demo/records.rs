//! The records that came out, whose they are, and whether others agree with them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Checks;
use super::traffic::{Account, Judged, Sent};
use crate::shell;

/// Reads the records, shows them with the instance that each VNI stands for, and checks them.
pub(super) fn check(account: &Account, sent: &[Sent], checks: &mut Checks) -> Result<()> {
    let text = fs::read_to_string(&account.records)
        .with_context(|| format!("no records at {}", shell::shown(&account.records)))?;
    let records: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    println!(
        "{:9} {:>8} {:46} {:6} {:5} {:>5} community_id",
        "instance", "VNI", "flow", "state", "proto", "pkts"
    );
    for record in &records {
        let vni = record["enigma.vni"].as_u64();
        let name = sent
            .iter()
            .find(|sent| vni == Some(sent.session.vni.into()))
            .map(|sent| sent.session.name.as_str());
        let end = |side: &str| {
            let (host, port) = (&record[format!("id.{side}_h")], &record[format!("id.{side}_p")]);
            let host = host.as_str().unwrap_or("?");
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        };
        let packets =
            ["orig_pkts", "resp_pkts"].iter().filter_map(|name| record[*name].as_u64()).sum::<u64>();
        println!(
            "{:9} {:>8} {:46} {:6} {:5} {packets:>5} {}",
            name.unwrap_or("unknown"),
            vni.map_or_else(|| "none".to_owned(), |vni| vni.to_string()),
            format!("{} > {}", end("orig"), end("resp")),
            record["conn_state"].as_str().unwrap_or("-"),
            record["proto"].as_str().unwrap_or("-"),
            record["community_id"].as_str().unwrap_or("-"),
        );
    }
    println!();
    let known: BTreeSet<_> = sent.iter().map(|sent| Some(u64::from(sent.session.vni))).collect();
    checks.that(
        "every record has the VNI of a session",
        records.iter().all(|record| known.contains(&record["enigma.vni"].as_u64())),
    );
    for sent in sent {
        let (name, vni) = (&sent.session.name, sent.session.vni);
        let own = records.iter().filter(|record| record["enigma.vni"].as_u64() == Some(vni.into()));
        let found: BTreeSet<_> =
            own.filter_map(|record| record["community_id"].as_str()).map(str::to_owned).collect();
        match &sent.community_ids {
            Judged::Known(expected) => {
                let claim = format!(
                    "the flows of {name} have the Community IDs that others give them ({})",
                    expected.len()
                );
                checks.equal(&claim, &found, expected);
            }
            Judged::Unknown(why) => println!("not compared: the Community IDs of {name}, because {why}"),
        }
        checks.that(&format!("{name} has records"), !found.is_empty());
    }
    Ok(())
}
