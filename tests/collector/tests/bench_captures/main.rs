//! The program over the large captures of the benchmarks (hundreds of real captures in one, mirrored as VXLAN): flows
//! that are mirrored at both ends, and an hour of traffic.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails; helpers included")]

mod duplicates;
mod hour;

use std::path::{Path, PathBuf};
use std::process::Command;

use enigma_test_support::{shared, skip::skip, target_dir, tools};

/// A benchmark capture, made once by the script beside the captures and kept under the target directory; none after
/// saying why.
fn capture(name: &str, arguments: &[&str]) -> Option<PathBuf> {
    let Some(shared) = shared() else {
        skip("no captures to make a large one of: ENIGMA_SHARED names no folder");
        return None;
    };
    let (script, captures) = (shared.join("tools/bench-pcap/make_bench_pcap.py"), shared.join("pcaps"));
    if !script.is_file() || !captures.is_dir() {
        skip(format!("{} or {} is missing", script.display(), captures.display()));
        return None;
    }
    let python = match tools::python() {
        Ok(python) => python,
        Err(missing) => {
            skip(missing.to_string());
            return None;
        }
    };
    let folder = target_dir().join("bench-pcap");
    std::fs::create_dir_all(&folder).unwrap();
    // The arguments are part of the name: another size is another file.
    let file = folder.join(format!("{name}{}.pcap", arguments.concat()));
    if !file.is_file() {
        // A Python that is started there must leave nothing beside the script.
        let copy = folder.join("make_bench_pcap.py");
        std::fs::copy(&script, &copy).unwrap();
        let made = tempfile::NamedTempFile::new_in(&folder).unwrap();
        let mut make = Command::new(python);
        make.arg("-B").arg(&copy).arg(made.path()).arg(&captures).args(arguments);
        let output = make.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        made.persist(&file).unwrap();
    }
    Some(file)
}

/// The packets of a capture in the classic form and little endian, as the script writes it: header and frame each.
fn packets(capture: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = &capture[24..];
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(16)?;
        let (frame, next) = behind.split_at(u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize);
        rest = next;
        Some((header, frame))
    })
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
