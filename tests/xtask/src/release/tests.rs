//! Arguments, what compilers say, and files as programs of others read them; the builds themselves take minutes.

use clap::Parser as _;

use super::*;
use crate::Arguments;
use crate::release::{profdata, profile, training};

fn parsed(words: &[&str]) -> Result<Options, clap::Error> {
    let arguments = Arguments::try_parse_from(["cargo xtask", "release"].iter().chain(words))?;
    match arguments.command {
        crate::Command::Release(options) => Ok(options),
        _ => unreachable!("another command"),
    }
}

#[test]
fn a_plain_build_cannot_be_trained() {
    let options = parsed(&["--train", "a", "--train", "b", "--only", "collector"]).unwrap();
    assert_eq!(options.train, ["a", "b"].map(PathBuf::from));
    assert_eq!((options.only, options.no_profile), (Some(Program::Collector), false));
    assert!(parsed(&["--no-profile"]).unwrap().no_profile);
    assert!(parsed(&["--no-profile", "--train", "a"]).is_err());
    assert!(parsed(&["--only", "simulator"]).is_err());
}

#[test]
fn compilers_tell_host_and_llvm() {
    let said = "rustc 1.95.0 (59807616e 2026-04-14)\nhost: aarch64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
    let told = parse_compiler(said, Path::new("/s")).unwrap();
    assert_eq!((told.host.as_str(), told.llvm), ("aarch64-unknown-linux-gnu", 22));
    let error = parse_compiler("host: x\n", Path::new("/s")).unwrap_err();
    assert_eq!(error.to_string(), "`rustc -vV` tells no LLVM version");
    // Whatever compiler is here says it in the same words.
    assert!(compiler().unwrap().sysroot.is_dir());
}

#[test]
fn versions_of_other_distributions_are_read() {
    let debian = "Debian LLVM version 14.0.6\n  Optimized build.\n";
    let own = "LLVM (http://llvm.org/):\n  LLVM version 22.1.2-rust-1.95.0-stable\n  Optimized build.\n";
    assert_eq!([debian, own, "llvm"].map(profdata::parse_version), [Some(14), Some(22), None]);
}

#[test]
fn flags_of_the_user_are_kept() {
    let add = |encoded: Option<&str>, plain: Option<&str>| {
        profile::encoded_flags(encoded.map(Into::into), plain.map(Into::into), "-Cx=/a b".as_ref())
    };
    assert_eq!(add(None, None), "-Cx=/a b");
    assert_eq!(add(None, Some("-Ca  -Cb")), "-Ca\u{1f}-Cb\u{1f}-Cx=/a b");
    assert_eq!(add(Some("-Cc"), Some("-Ca")), "-Cc\u{1f}-Cx=/a b");
}

#[test]
fn platforms_have_the_names_terraform_gives_them() {
    for (host, platform) in [
        ("x86_64-unknown-linux-gnu", "linux_amd64"),
        ("aarch64-unknown-linux-musl", "linux_arm64"),
        ("aarch64-apple-darwin", "darwin_arm64"),
        ("x86_64-unknown-freebsd", "freebsd_amd64"),
    ] {
        assert_eq!(files::platform(host), platform);
    }
}

#[test]
fn captures_are_known_by_their_names() {
    for name in ["a.pcap", "b.pcapng.gz", "c.cap", "d.pcap.zst"] {
        assert!(training::is_capture(Path::new(name)), "{name}");
    }
    for name in ["a.txt", "pcap", "facts.jsonl", "a.pcap.out"] {
        assert!(!training::is_capture(Path::new(name)), "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    let error = training::prepare(&[dir.path().to_path_buf()]).err().unwrap().to_string();
    assert!(error.contains("has no capture"), "{error}");
}

/// `sha256sum` and `tar` read what `modules/collector` will have them read on an instance.
#[test]
fn files_are_as_installers_want_them() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let archive = format!("enigma-collector-{}-x86_64.tar.gz", env!("CARGO_PKG_VERSION"));
    let make = |to: &Path| {
        let mut files = Files::new(to, "x86_64-unknown-linux-gnu").unwrap();
        files.collector(&program).unwrap();
        files.provider(&program).unwrap();
        files.sums().unwrap();
        fs::read(to.join(&archive)).unwrap()
    };
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    assert_eq!(make(&first), make(&second), "the same program gives the same archive");
    // Again into the same folder, as a second release goes.
    make(&first);
    shell::output(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&first)).unwrap();
    let list = shell::output(Command::new("tar").args(["-tzvf"]).arg(first.join(&archive))).unwrap();
    assert!(list.starts_with("-rwxr-xr-x 0/0"), "{list}");
    assert!(list.lines().next().unwrap().ends_with(" enigma-collector"), "{list}");
    // Whatever the umask of the checkout was.
    assert!(list.lines().nth(1).unwrap().starts_with("-rw-r--r-- 0/0"), "{list}");
    let unpacked = dir.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--file"]).arg(first.join(&archive));
    shell::output(tar.arg("--directory").arg(&unpacked).arg("enigma-collector")).unwrap();
    assert_eq!(fs::read(unpacked.join("enigma-collector")).unwrap(), fs::read(&program).unwrap());
    let provider = first.join(format!(
        "providers/registry.terraform.io/enigma/enigma/{0}/linux_amd64/terraform-provider-enigma_v{0}",
        env!("CARGO_PKG_VERSION")
    ));
    assert_eq!(fs::metadata(provider).unwrap().permissions().mode() & 0o777, 0o755);
}
