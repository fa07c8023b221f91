use super::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const ROTATION: Rotation = Rotation { size: 100, interval: Duration::from_secs(60), keep: 0, keep_size: 0 };

#[test]
fn a_file_is_rotated_by_size_and_no_line_is_lost_or_split() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = FileSet::open(dir.path(), Some(ROTATION), Existing::Rotate, &["conn"], at(0)).unwrap();
    let mut rotated = 0;
    for number in 0..50 {
        files.write("conn", format!("line number {number:04}\n").as_bytes(), at(number / 10)).unwrap();
        rotated += files.rotate_due(at(number / 10)).unwrap();
    }
    let found = names(dir.path());
    assert_eq!(found.len() as u64, rotated + 1, "{found:?}");
    assert!(rotated >= 8, "50 lines of 17 bytes in files of 100: {rotated}");
    // Sorted by name they are in the order of time, the current one (no time in its name) last by '.' > '-'.
    let all: String = found.iter().map(|name| fs::read_to_string(dir.path().join(name)).unwrap()).collect();
    let expected: String = (0..50).map(|number| format!("line number {number:04}\n")).collect();
    assert_eq!(all, expected);
    assert!(found.iter().all(|name| name == "conn.log" || is_rotated_name("conn", name)), "{found:?}");
}

#[test]
fn age_counts_from_the_first_record_and_an_empty_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = FileSet::open(dir.path(), Some(ROTATION), Existing::Rotate, &["conn"], at(0)).unwrap();
    assert_eq!(files.rotate_due(at(3600)).unwrap(), 0);
    files.write("conn", b"a\n", at(3600)).unwrap();
    assert_eq!(files.rotate_due(at(3659)).unwrap(), 0);
    assert_eq!(files.rotate_due(at(3660)).unwrap(), 1);
    assert_eq!(names(dir.path()), ["conn-20231114T231320.000000Z.log", "conn.log"]);
    assert_eq!(fs::metadata(dir.path().join("conn.log")).unwrap().len(), 0);
}

#[test]
fn an_earlier_runs_file_is_kept_by_a_service_and_replaced_offline() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("conn.log"), "earlier\n").unwrap();
    drop(FileSet::open(dir.path(), Some(ROTATION), Existing::Rotate, &["conn"], at(0)).unwrap());
    assert_eq!(names(dir.path()).len(), 2);
    fs::write(dir.path().join("conn.log"), "earlier\n").unwrap();
    drop(FileSet::open(dir.path(), None, Existing::Replace, &["conn"], at(0)).unwrap());
    assert_eq!(names(dir.path()).len(), 2);
    assert_eq!(fs::read_to_string(dir.path().join("conn.log")).unwrap(), "");
}

#[test]
fn only_our_own_oldest_files_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["conn-notes.log", "conn-20231114T231320.000000Z.log.bz2", "dns-20231114T231320.000000Z.log"]
    {
        fs::write(dir.path().join(name), "keep me").unwrap();
    }
    let rotation = Rotation { size: 1, keep: 2, ..ROTATION };
    let mut files = FileSet::open(dir.path(), Some(rotation), Existing::Rotate, &["conn"], at(0)).unwrap();
    for second in 0..5 {
        files.write("conn", b"x\n", at(second)).unwrap();
        assert_eq!(files.rotate_due(at(second)).unwrap(), 1);
    }
    assert_eq!(
        names(dir.path()),
        [
            "conn-20231114T221323.000000Z.log",
            "conn-20231114T221324.000000Z.log",
            "conn-20231114T231320.000000Z.log.bz2",
            "conn-notes.log",
            "conn.log",
            "dns-20231114T231320.000000Z.log",
        ]
    );
}

#[test]
fn two_collectors_cannot_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = FileSet::open(dir.path(), None, Existing::Replace, &["conn"], at(0)).unwrap();
    let second = FileSet::open(dir.path(), None, Existing::Replace, &["conn"], at(0));
    assert!(matches!(second, Err(FileError::Taken { .. })));
    drop(first);
    assert!(FileSet::open(dir.path(), None, Existing::Replace, &["conn"], at(0)).is_ok());
}

#[test]
fn a_full_disk_costs_the_failed_block_and_nothing_else() {
    // /dev/full takes every open and refuses every write with ENOSPC.
    let dir = tempfile::tempdir().unwrap();
    if std::os::unix::fs::symlink("/dev/full", dir.path().join("conn.log")).is_err()
        || !Path::new("/dev/full").exists()
    {
        enigma_test_support::skip::skip("no /dev/full on this system");
        return;
    }
    let mut files = FileSet::open(dir.path(), None, Existing::Replace, &["conn"], at(0)).unwrap();
    let error = files.write("conn", b"lost\n", at(0)).unwrap_err();
    assert!(
        matches!(&error, FileError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull),
        "{error:?}"
    );
    files.write("dns", b"kept\n", at(0)).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("dns.log")).unwrap(), "kept\n");
}

fn plain(path: &Path) -> String {
    let file = File::open(path).unwrap();
    let mut text = String::new();
    if path.to_str().unwrap().ends_with(".gz") {
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    } else {
        io::Read::read_to_string(&mut zstd::Decoder::new(file).unwrap(), &mut text).unwrap();
    }
    text
}

#[test]
fn rotated_files_are_compressed_whole_and_those_an_earlier_run_left_too() {
    for compression in Compression::ALL {
        let dir = tempfile::tempdir().unwrap();
        let left = "conn-20231114T221319.000000Z.log";
        let half = format!("{left}{}{PARTIAL}", compression.suffix());
        for (name, text) in [(left, "left\n"), (&half, "half"), ("other.log", "not ours")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let rotation = Rotation { size: 1, keep: 3, ..ROTATION };
        let mut files = FileSet::open(dir.path(), Some(rotation), Existing::Rotate, &["conn"], at(0))
            .unwrap()
            .compressing(compression)
            .unwrap();
        for second in 0..2 {
            files.write("conn", format!("line {second}\n").as_bytes(), at(second)).unwrap();
            assert_eq!(files.rotate_due(at(second)).unwrap(), 1);
        }
        let expected: Vec<String> =
            [left, "conn-20231114T221320.000000Z.log", "conn-20231114T221321.000000Z.log"]
                .map(|name| format!("{name}{}", compression.suffix()))
                .into_iter()
                .chain(["conn.log".to_owned(), "other.log".to_owned()])
                .collect();
        enigma_test_support::wait::until(Duration::from_secs(30), "compressed files only", || {
            names(dir.path()) == expected
        });
        let texts: Vec<String> = expected[..3].iter().map(|name| plain(&dir.path().join(name))).collect();
        assert_eq!(texts, ["left\n", "line 0\n", "line 1\n"]);
        // They count as files to keep: the oldest goes when a fourth comes.
        files.write("conn", b"line 2\n", at(2)).unwrap();
        files.rotate_due(at(2)).unwrap();
        assert!(!names(dir.path()).contains(&expected[0]));
    }
}

#[test]
fn a_file_that_somebody_took_away_is_begun_anew_and_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut files =
        FileSet::open(dir.path(), Some(ROTATION), Existing::Rotate, &["conn", "dns", "ssl"], at(0)).unwrap();
    for stream in ["conn", "dns", "ssl"] {
        files.write(stream, b"first\n", at(0)).unwrap();
    }
    // Moved by a log shipper, deleted by a person.
    fs::rename(path("conn.log"), path("taken")).unwrap();
    fs::remove_file(path("dns.log")).unwrap();
    assert_eq!(files.rotate_due(at(60)).unwrap(), 1, "ssl alone is there to be rotated");
    for stream in ["conn", "dns", "ssl"] {
        files.write(stream, b"second\n", at(61)).unwrap();
        assert_eq!(fs::read_to_string(path(&format!("{stream}.log"))).unwrap(), "second\n");
    }
    assert_eq!(fs::read_to_string(path("taken")).unwrap(), "first\n");
}

#[test]
fn a_file_that_another_stands_in_for_is_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut files = FileSet::open(dir.path(), Some(ROTATION), Existing::Rotate, &["conn"], at(0)).unwrap();
    files.write("conn", b"ours\n", at(0)).unwrap();
    fs::rename(path("conn.log"), path("taken")).unwrap();
    fs::write(path("conn.log"), "of somebody\n").unwrap();
    files.rotate_due(at(1)).unwrap();
    files.write("conn", b"more\n", at(1)).unwrap();
    assert_eq!(fs::read_to_string(path("conn.log")).unwrap(), "more\n");
    let kept: Vec<_> = names(dir.path()).into_iter().filter(|name| is_rotated_name("conn", name)).collect();
    assert_eq!(kept.len(), 1, "what stood there was rotated, not emptied: {kept:?}");
    assert_eq!(fs::read_to_string(path(&kept[0])).unwrap(), "of somebody\n");
}

#[test]
fn rotated_files_of_all_streams_share_one_size() {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation { size: 10, keep_size: 45, ..ROTATION };
    let mut files =
        FileSet::open(dir.path(), Some(rotation), Existing::Rotate, &["conn", "dns"], at(0)).unwrap();
    fs::write(dir.path().join("notes.log"), vec![b'n'; 1000]).unwrap();
    for second in 0..10 {
        // conn ten times as often as dns: the oldest goes, whoever's it is.
        files.write("conn", b"123456789\n", at(second)).unwrap();
        if second == 5 {
            files.write("dns", b"123456789\n", at(second)).unwrap();
        }
        files.rotate_due(at(second)).unwrap();
    }
    let rotated: Vec<_> = names(dir.path()).into_iter().filter(|name| name.contains("-2023")).collect();
    let seconds: Vec<_> = rotated.iter().map(|name| name.split(['.', '-']).nth(1).unwrap()).collect();
    assert_eq!(seconds, ["20231114T221326", "20231114T221327", "20231114T221328", "20231114T221329"]);
    assert!(dir.path().join("notes.log").exists(), "what is not ours is neither counted nor deleted");
}

#[test]
fn a_service_that_starts_over_and_over_keeps_no_more_files() {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation { keep: 2, ..ROTATION };
    for start in 0..6 {
        let mut files =
            FileSet::open(dir.path(), Some(rotation), Existing::Rotate, &["conn"], at(start)).unwrap();
        files.write("conn", b"a record\n", at(start)).unwrap();
    }
    assert_eq!(names(dir.path()).len(), 3, "the present one and two: {:?}", names(dir.path()));
}
