//! The collector as a process, and captured traffic sent to it as mirror sessions would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::packets::{Capture, Exchange, tcp_conversation, udp_exchange};
use enigma_test_support::process::{Running, Stream};
use enigma_test_support::{shared, tools, wait};
use serde_json::Value;

use super::Checks;
use super::fleet::Session;
use crate::shell;

/// Captures of real traffic with an index that says what is in them, if that folder is there; by the name of the
/// instance whose session mirrors them.
const CAPTURES: [(&str, &str); 4] = [
    ("web-1", "zeek/http__basic-auth-with-extra-space.pcap"),
    ("api-1", "suricata/tls__tls13-draft19__tls13_draft19.pcap"),
    ("bastion", "suricata/ssh-banner-only__input.pcap"),
    ("worker-1", "suricata/dns-eve-type-filtering__test.pcap"),
];

/// How long anything of the collector may take on a busy machine: it takes milliseconds on an idle one.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Collector {
    program: PathBuf,
    running: Running,
    dir: PathBuf,
    receive: SocketAddr,
    http: SocketAddr,
}

/// One capture that was sent, and what a judge says is in it.
pub(super) struct Sent {
    pub(super) session: Session,
    pub(super) packets: u64,
    pub(super) community_ids: Judged,
}

/// The Community IDs of a capture according to somebody else.
pub(super) enum Judged {
    /// Nobody here can tell: why.
    Unknown(String),
    /// By the index or tshark.
    Known(BTreeSet<String>),
}

/// What the collector left when it ended.
pub(super) struct Account {
    pub(super) records: PathBuf,
}

impl Collector {
    pub(super) fn start(program: &Path, dir: &Path) -> Result<Self> {
        println!("\n== the collector");
        let (configuration, ready) = (dir.join("collector.toml"), dir.join("collector.ready"));
        let records = dir.join("records");
        fs::create_dir_all(&records)?;
        let text = format!(
            "# One worker, any free port, and no load balancer to wait for at the end.\n\
             [receive]\nlisten = \"127.0.0.1:0\"\n\n[export.file]\ndirectory = {:?}\n\n\
             [http]\nlisten = \"127.0.0.1:0\"\n\n[shutdown]\ndrain = \"0s\"\n",
            records.display().to_string()
        );
        fs::write(&configuration, text)?;
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(&configuration).arg("--ready-file").arg(&ready);
        let mut running = Running::start(command)?;
        let addresses = wait::value(LIMIT, "the collector to be ready", || -> Result<Value> {
            if !running.is_running()? {
                return Ok(Value::Null);
            }
            let text = fs::read_to_string(&ready)?;
            Ok(serde_json::from_str(&text)?)
        });
        if addresses.is_null() {
            bail!("the collector ended instead of receiving:\n{}", running.text(Stream::Stderr));
        }
        let address = |name: &str| -> Result<SocketAddr> {
            addresses[name]
                .as_str()
                .and_then(|text| text.parse().ok())
                .with_context(|| format!("no {name} address"))
        };
        let (receive, http) = (address("receive")?, address("http")?);
        println!("enigma-collector receives on {receive}, tells on http://{http}");
        Ok(Self { program: program.to_path_buf(), running, dir: dir.to_path_buf(), receive, http })
    }

    pub(super) fn addresses(&self) -> String {
        format!("udp {} http://{}", self.receive, self.http)
    }

    /// Waits until everything that was sent has arrived, and shows health and counters.
    pub(super) fn check_health(&self, sent: &[Sent], checks: &mut Checks) -> Result<()> {
        let packets: u64 = sent.iter().map(|sent| sent.packets).sum();
        let status = wait::value(LIMIT, "every packet to arrive", || -> Result<Value> {
            let status: Value = serde_json::from_str(&self.get("/api/v1/status")?)?;
            let received = &status["packets"]["received"];
            if received.as_u64() != Some(packets) {
                bail!("{received} of {packets} packets have arrived");
            }
            Ok(status)
        });
        println!("\nhealth and counters, from http://{}:", self.http);
        println!("/health/ready   {}", self.get("/health/ready")?.trim());
        println!("/api/v1/status  packets {}, flows {}", status["packets"], status["flows"]);
        let counters = &status["packets"];
        let dropped: u64 =
            counters["dropped"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
        checks.equal(
            "every packet is accounted for: received = decoded + dropped",
            counters["received"].as_u64(),
            counters["decoded"].as_u64().map(|decoded| decoded + dropped),
        );
        checks.equal("the kernel dropped none", counters["kernel_drops"].as_u64(), Some(0));
        Ok(())
    }

    /// Ends the collector as a service manager does; it writes what it knows of flows that still live.
    pub(super) fn stop(&mut self, checks: &mut Checks) -> Result<Account> {
        println!("\n== the records");
        let status = self.running.stop(LIMIT)?;
        checks.equal("the collector ends with 0: nothing was lost", status.code(), Some(0));
        fs::write(self.dir.join("collector.log"), self.running.text(Stream::Stderr))?;
        Ok(Account { records: self.dir.join("records/conn.log") })
    }

    fn get(&self, path: &str) -> Result<String> {
        let url = format!("http://{}{path}", self.http);
        let mut reply = ureq::get(&url).config().http_status_as_error(false).build().call()?;
        reply.body_mut().read_to_string().with_context(|| url)
    }
}

/// Sends a capture for each of some sessions, as their mirrors would, and returns what was sent.
pub(super) fn send(
    collector: &Collector,
    sessions: &BTreeMap<String, Session>,
    dir: &Path,
) -> Result<Vec<Sent>> {
    let captures = match shared().map(|dir| dir.join("pcaps")).filter(|dir| dir.join("facts.jsonl").is_file())
    {
        Some(pcaps) => {
            println!("traffic: captures of real networks in {}", shell::shown(&pcaps));
            indexed(&pcaps)?
        }
        None => {
            println!("traffic: made by the demo itself, because no folder of real captures is here");
            made(dir)?
        }
    };
    let mut sent = Vec::new();
    for (name, capture, community_ids) in captures {
        let session = sessions.values().find(|session| session.name == name);
        let session = session.with_context(|| format!("no session mirrors {name}"))?.clone();
        let mut command = Command::new(&collector.program);
        command.arg("send").arg(&capture).args(["--to", &collector.receive.to_string()]);
        // Slow enough for any receive buffer: this shows what comes out, not how fast.
        command.args(["--vni", &session.vni.to_string(), "--rate", "2000"]);
        shell::output(&mut command)?;
        let packets = packets(&capture)?;
        let file = capture.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("  {packets:4} packets of {name:9} with VNI {:8} ({file})", session.vni);
        sent.push(Sent { session, packets, community_ids });
    }
    Ok(sent)
}

pub(super) type Chosen = Vec<(&'static str, PathBuf, Judged)>;

fn indexed(pcaps: &Path) -> Result<Chosen> {
    let index = fs::read_to_string(pcaps.join("facts.jsonl"))?;
    let facts: Vec<Value> = index.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut chosen = Vec::new();
    for (name, file) in CAPTURES {
        let fact = facts
            .iter()
            .find(|fact| fact["file"] == file)
            .with_context(|| format!("no {file} in the index"))?;
        let ids = fact["community_id"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let ids: BTreeSet<_> = ids.map(str::to_owned).collect();
        chosen.push((name, pcaps.join(file), Judged::Known(ids)));
    }
    Ok(chosen)
}

/// Two captures of our own; tshark says what is in them, where it is installed.
pub(super) fn made(dir: &Path) -> Result<Chosen> {
    let exchange =
        |client: &str, server: &str, request: &'static [u8], response: &'static [u8]| -> Result<_> {
            Ok(Exchange {
                client: client.parse()?,
                server: server.parse()?,
                request,
                response,
                start: Duration::from_secs(1_700_000_000),
                gap: Duration::from_millis(3),
            })
        };
    let mut web = Capture::default();
    let request = b"GET / HTTP/1.1\r\nHost: shop.example.test\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    web.extend(tcp_conversation(&exchange("10.20.1.50:40001", "10.20.1.4:80", request, response)?));
    web.extend(tcp_conversation(&exchange(
        "[2001:db8:20::9]:40002",
        "[2001:db8:20::4]:80",
        request,
        response,
    )?));
    let mut api = Capture::default();
    api.extend(udp_exchange(&exchange("10.20.2.7:40003", "10.20.0.2:53", b"question", b"answer")?));
    api.extend(udp_exchange(&exchange("10.20.2.7:40004", "10.20.9.9:514", b"a log line", b"")?));
    let mut chosen = Vec::new();
    for (name, capture) in [("web-1", web), ("api-1", api)] {
        let path = dir.join(format!("{name}.pcap"));
        capture.write(&path)?;
        let judged = tshark(&path)?;
        chosen.push((name, path, judged));
    }
    Ok(chosen)
}

fn tshark(capture: &Path) -> Result<Judged> {
    let tshark = match tools::tool("tshark") {
        Ok(path) => path,
        Err(missing) => return Ok(Judged::Unknown(missing.to_string())),
    };
    let mut command = Command::new(tshark);
    command.arg("-n").arg("-r").arg(capture);
    command.args(["--enable-protocol", "communityid", "-T", "fields", "-e", "communityid"]);
    let ids = shell::output(&mut command)?.lines().map(str::to_owned).filter(|id| !id.is_empty()).collect();
    Ok(Judged::Known(ids))
}

/// The number of packets in a classic capture file, from its record headers.
pub(super) fn packets(capture: &Path) -> Result<u64> {
    let bytes = fs::read(capture)?;
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
    let little = word(0).is_some_and(|magic| matches!(u32::from_le_bytes(magic), 0xa1b2_c3d4 | 0xa1b2_3c4d));
    let mut count = 0;
    // After the file's header of 24 bytes, each record has one of 16 with the captured length as its third word.
    let mut at = 24;
    while let Some(length) = word(at + 8) {
        let length = if little { u32::from_le_bytes(length) } else { u32::from_be_bytes(length) };
        at += 16 + usize::try_from(length)?;
        count += 1;
    }
    Ok(count)
}
