//! The HTTP server over TLS, as clients that others wrote see it: curl and openssl.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use enigma_test_support::packets::{ethernet, udp, vxlan};
use enigma_test_support::process::{Signal, Stream};
use enigma_test_support::skip::skip;
use enigma_test_support::{tools, wait};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::collector::{Collector, LIMIT, output, records};

const AT_ONCE: &str = "shutdown.drain = \"0s\"\n";

/// A certificate and key on the disk, and the clients that try them.
struct Tls {
    dir: TempDir,
    curl: PathBuf,
    openssl: PathBuf,
}

impl Tls {
    /// `None`, told as skipped, without the clients.
    fn new() -> Option<Self> {
        let (curl, openssl) = match (tools::tool("curl"), tools::tool("openssl")) {
            (Ok(curl), Ok(openssl)) => (curl, openssl),
            (curl, openssl) => {
                curl.err().into_iter().chain(openssl.err()).for_each(skip);
                return None;
            }
        };
        let tls = Self { dir: tempfile::tempdir().unwrap(), curl, openssl };
        tls.renew("first");
        Some(tls)
    }

    /// Writes another certificate, of this common name, over the one that is there.
    fn renew(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(self.certificate(), certificate.pem()).unwrap();
        std::fs::write(self.key(), key.serialize_pem()).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// Until when the certificate is valid, as openssl reads it.
    fn not_after(&self) -> String {
        let mut command = Command::new(&self.openssl);
        command.args(["x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in"]);
        let said = String::from_utf8(command.arg(self.certificate()).output().unwrap().stdout).unwrap();
        said.trim().strip_prefix("notAfter=").unwrap().to_owned()
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    fn config(&self) -> String {
        let (certificate, key) = (self.certificate(), self.key());
        format!("{AT_ONCE}http.tls_certificate = {certificate:?}\nhttp.tls_key = {key:?}\n")
    }

    /// A request by curl, which checks the certificate.
    fn curl(&self, url: &str, more: &[&str]) -> Output {
        let mut command = Command::new(&self.curl);
        command.args(["--silent", "--show-error", "--max-time", "30", "--noproxy", "*", "--cacert"]);
        command.arg(self.certificate()).args(more).arg(url).env_remove("CURL_CA_BUNDLE").output().unwrap()
    }

    /// The body of a request that succeeds.
    fn body(&self, collector: &Collector, path: &str, more: &[&str]) -> String {
        let output = self.curl(&format!("https://{}{path}", collector.http), more);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `openssl s_client` says of a handshake.
    fn handshake(&self, collector: &Collector, more: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.openssl);
        command.args(["s_client", "-connect", &collector.http, "-verify_return_error", "-CAfile"]);
        command.arg(self.certificate()).args(more).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn curl_and_openssl_get_answers_over_tls_1_2_and_1_3_and_nothing_older() {
    let Some(tls) = Tls::new() else { return };
    let token = tls.dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let collector = Collector::start(&format!("{}http.token_file = {token:?}\n", tls.config()));
    for version in [&["--tlsv1.3"][..], &["--tls-max", "1.2"], &["--http2"]] {
        assert_eq!(tls.body(&collector, "/health/ready", version), "ready\n", "{version:?}");
    }
    let metrics = tls.body(&collector, "/metrics", &[]);
    assert!(metrics.contains("enigma_collector_ready 1\n"));
    // When it ends is for an alarm, so it is held against what openssl reads of the file.
    let until = "enigma_collector_http_certificate_expiration_timestamp_seconds ";
    let until = metrics.lines().find_map(|line| line.strip_prefix(until)).unwrap();
    let shown: jiff::Timestamp = tls.not_after().parse().unwrap();
    assert_eq!(until, shown.as_second().to_string());
    // The alias, and several requests in one connection.
    let url = format!("https://{}/api/2.0/status", collector.http);
    let two = tls.curl(&url, &[&url, "--write-out", " %{num_connects} "]);
    assert_eq!(String::from_utf8_lossy(&two.stdout), "ready\n 1 ready\n 0 ");
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef";
    assert!(tls.body(&collector, "/api/v1/status", &["--header", bearer]).contains("\"phase\":\"serving\""));
    assert_eq!(
        tls.body(&collector, "/api/v1/status", &["--write-out", "%{http_code}", "--output", "/dev/null"]),
        "401"
    );
    // Who does not know the certificate does not go on: it is really the one that is checked.
    let unknown = tls.curl(&format!("https://{}/health/ready", collector.http), &["--cacert", "/dev/null"]);
    assert!(!unknown.status.success() && unknown.stdout.is_empty(), "{unknown:?}");

    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (done, said) = tls.handshake(&collector, &[version, "-alpn", "h2,http/1.1"]);
        assert!(done && said.contains("Verify return code: 0 (ok)"), "{version}: {said}");
        assert!(said.contains(&format!("New, {name}, Cipher is")), "{version}: {said}");
        assert!(said.contains("ALPN protocol: http/1.1"), "{version}: {said}");
    }
    // At the lowest level of security, or openssl itself would refuse to ask.
    let weak = ["-cipher", "ALL:@SECLEVEL=0"];
    for version in ["-tls1_1", "-tls1"] {
        let (done, said) = tls.handshake(&collector, &[&[version], &weak[..]].concat());
        assert!(!done && said.contains("SSL alert number"), "the server refuses, {version}: {said}");
    }
    let (done, said) = tls.handshake(&collector, &["-alpn", "h2"]);
    assert!(!done && said.contains("alert no application protocol"), "{said}");

    // Plain HTTP is answered with the few bytes of an alert, and with nothing of the collector's.
    let plain = tls.curl(&format!("http://{}/metrics", collector.http), &["--http0.9"]);
    let answer = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(plain.stdout.len() <= 7 && !answer.contains("HTTP"), "{plain:?}");
    assert_eq!(tls.body(&collector, "/health/live", &[]), "live\n");
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn packets_that_are_asked_for_come_over_tls_too() {
    let Some(tls) = Tls::new() else { return };
    let token = tls.dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let collector = Collector::start(&format!("{}http.token_file = {token:?}\n", tls.config()));
    let file = tls.dir.path().join("packets.pcapng");
    let mut command = Command::new(&tls.curl);
    command.args(["--silent", "--show-error", "--fail", "--max-time", "60", "--noproxy", "*", "--cacert"]);
    command.arg(tls.certificate()).args(["-H", "Authorization: Bearer 0123456789abcdef0123456789abcdef"]);
    // Full long before it is over.
    command.args(["-d", "{\"seconds\": 60, \"max_bytes\": 16384}", "-o"]).arg(&file);
    let mut curl = command.arg(format!("https://{}/api/v1/captures", collector.http)).spawn().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let frame =
        ethernet(&udp("10.1.0.1:1024".parse().unwrap(), "10.1.0.2:9000".parse().unwrap(), &[7; 1_000]));
    wait::until(LIMIT, "curl", || {
        sender.send_to(&vxlan(5, &frame), &collector.receive).unwrap();
        curl.try_wait().unwrap().is_some_and(|status| {
            assert!(status.success(), "{status}");
            true
        })
    });
    let out = tls.dir.path().join("out");
    let words = ["replay", file.to_str().unwrap(), "--output", out.to_str().unwrap()];
    assert_eq!(output(words).status.code(), Some(0));
    let packets = records(&out)[0]["orig_pkts"].as_u64().unwrap();
    assert!((10..=16).contains(&packets), "16 KiB of packets of 1 KiB: {packets}");
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn who_shakes_hands_slowly_is_cut_off_and_does_not_keep_the_health_check_out() {
    let Some(tls) = Tls::new() else { return };
    let collector = Collector::start(&tls.config());
    // As many as are served at a time, and more: some say the first bytes of a ClientHello, some nothing.
    let mut slow: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(&collector.http).unwrap()).collect();
    for stream in slow.iter_mut().step_by(2) {
        stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    }
    assert_eq!(tls.body(&collector, "/health/live", &[]), "live\n");
    for mut stream in slow {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // Closed or reset; a timeout would be an error of another kind.
        match stream.read_to_end(&mut Vec::new()) {
            Ok(length) => assert_eq!(length, 0),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn a_hangup_shows_the_new_certificate_and_keeps_the_old_one_when_the_new_is_bad() {
    let Some(tls) = Tls::new() else { return };
    let collector = Collector::start(&tls.config());
    let path = collector.dir.path().join("collector.toml");
    let said = |what: &str| {
        collector.running.signal(Signal::HUP).unwrap();
        wait::until(LIMIT, what, || collector.running.text(Stream::Stderr).contains(what));
    };
    let shown = || {
        let (done, said) = tls.handshake(&collector, &[]);
        assert!(done, "{said}");
        said.lines().find_map(|line| line.strip_prefix("subject=CN = ").map(str::to_owned)).unwrap()
    };
    assert_eq!(shown(), "first");
    said("nothing has changed");
    tls.renew("second");
    said("configuration reloaded: http.tls_* changed");
    assert_eq!(shown(), "second");
    // The certificate has come, its key has not.
    let (certificate, key) = (std::fs::read(tls.certificate()).unwrap(), std::fs::read(tls.key()).unwrap());
    tls.renew("third");
    std::fs::write(tls.key(), &key).unwrap();
    said("does not fit the first certificate");
    assert!(collector.running.text(Stream::Stderr).contains("everything stays as it is"));
    std::fs::write(tls.certificate(), &certificate).unwrap();
    assert_eq!(shown(), "second");
    // To plain HTTP, and back from other files.
    let config = std::fs::read_to_string(&path).unwrap();
    let plain: String =
        config.lines().filter(|line| !line.contains("tls_")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, plain).unwrap();
    collector.running.signal(Signal::HUP).unwrap();
    let url = format!("http://{}/health/ready", collector.http);
    wait::until(LIMIT, "plain HTTP", || tls.curl(&url, &["--http0.9"]).stdout == b"ready\n");
    let moved = tls.dir.path().join("moved.pem");
    std::fs::write(&moved, [certificate, key].concat()).unwrap();
    let config =
        config.replace(&text(&tls.certificate()), &text(&moved)).replace(&text(&tls.key()), &text(&moved));
    std::fs::write(&path, config).unwrap();
    collector.running.signal(Signal::HUP).unwrap();
    wait::until(LIMIT, "TLS again", || tls.handshake(&collector, &[]).0);
    assert_eq!(shown(), "second");
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn keys_as_openssl_writes_them_are_taken_and_mistakes_are_told_before_anything_starts() {
    let Some(tls) = Tls::new() else { return };
    let openssl = |words: &str| {
        let mut command = Command::new(&tls.openssl);
        let output = command.args(words.split(' ')).current_dir(tls.dir.path()).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let file = tls.dir.path().join("collector.toml");
    let check = |certificate: &str, key: &str| {
        let at = |name: &str| tls.dir.path().join(name);
        let config = format!("[http]\ntls_certificate = {:?}\ntls_key = {:?}\n", at(certificate), at(key));
        std::fs::write(&file, config).unwrap();
        let output = output(["check-config", file.to_str().unwrap()]);
        let here = format!("{}/", tls.dir.path().display());
        (output.status.code(), String::from_utf8(output.stderr).unwrap().replace(&here, ""))
    };
    let right = (Some(0), "collector.toml: no mistakes\n".to_owned());
    // RSA in PKCS #1, an elliptic curve in SEC 1, both in PKCS #8 as `req` writes them.
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=rsa -keyout rsa.key -out rsa.pem");
    openssl("rsa -in rsa.key -traditional -out rsa1.key");
    openssl("ecparam -name secp384r1 -genkey -noout -out ec1.key");
    openssl("req -x509 -new -key ec1.key -days 2 -subj /CN=ec -out ec.pem");
    openssl("pkcs8 -topk8 -nocrypt -in ec1.key -out ec.key");
    for (certificate, key) in
        [("rsa.pem", "rsa.key"), ("rsa.pem", "rsa1.key"), ("ec.pem", "ec1.key"), ("ec.pem", "ec.key")]
    {
        assert_eq!(check(certificate, key), right, "{certificate} {key}");
    }
    openssl("pkcs8 -topk8 -in ec1.key -passout pass:secret -out locked.key");
    openssl("x509 -in ec.pem -outform DER -out ec.der");
    for (certificate, key, wrong) in [
        (
            "ec.pem",
            "rsa.key",
            "3: http.tls_key: the key in rsa.key does not fit the first certificate in ec.pem,",
        ),
        ("ec.pem", "rsa1.key", "3: http.tls_key: the key in rsa1.key does not fit"),
        ("ec.pem", "locked.key", "3: http.tls_key: locked.key holds no private key"),
        ("ec.der", "ec.key", "2: http.tls_certificate: ec.der holds no certificate"),
        (
            "absent.pem",
            "ec.key",
            "2: http.tls_certificate: cannot read absent.pem: No such file or directory",
        ),
    ] {
        let (code, said) = check(certificate, key);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.starts_with(&format!("collector.toml:{wrong}")), "{said}");
        assert!(said.ends_with("1 mistake; nothing was started\n"), "{said}");
    }
    assert_eq!(output(["run", "--config", file.to_str().unwrap()]).status.code(), Some(2));
    // Expired: told, and no reason to leave a host without its health check.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    std::fs::write(tls.certificate(), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(tls.key(), key.serialize_pem()).unwrap();
    let (code, said) = check("cert.pem", "key.pem");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("warning: the certificate in cert.pem expired at 2020-01-01T00:00:00Z"),
        "{said}"
    );
    let collector = Collector::start(&tls.config());
    assert!(!tls.curl(&format!("https://{}/health/ready", collector.http), &[]).status.success());
    assert_eq!(tls.body(&collector, "/health/ready", &["--insecure"]), "ready\n");
    let ended = collector.stop();
    assert!(ended.said.contains("WARN") && ended.said.contains("expired at 2020-01-01"), "{}", ended.said);
}
