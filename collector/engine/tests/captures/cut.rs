//! What a mirror session that cuts packets (`packet_length`) leaves of TLS hellos.

use std::collections::BTreeSet;

use enigma_engine::FrameMode;

use crate::{captures, facts, fields, of_stream, reader, replay};

/// The values of a field in the `ssl` records of a capture whose packets are cut to `snap` bytes.
fn told(frames: &[reader::Frame], snap: usize) -> (BTreeSet<String>, BTreeSet<String>, usize) {
    let mut frames = frames.to_vec();
    frames.iter_mut().for_each(|frame| frame.data.truncate(snap));
    let (records, _) = replay(&frames, FrameMode::Auto);
    let (mut names, mut prints, mut parts) = (BTreeSet::new(), BTreeSet::new(), 0);
    for record in of_stream(&records, "ssl") {
        let fields = fields(record);
        let text = |name: &str| fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        names.extend(text("server_name"));
        prints.extend(text("ja3").into_iter().chain(text("ja3s")).chain(text("ja4")));
        parts += usize::from(text("server_name").is_some() && text("ja4").is_none());
    }
    (names, prints, parts)
}

#[test]
fn cut_hellos_tell_what_is_left_of_them_and_nothing_else() {
    let Some(folder) = captures() else { return };
    let (mut found, mut all_parts) = ([0; 4], 0);
    for fact in facts(&folder) {
        let file = fact["file"].as_str().expect("a file name");
        if fact["sni"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let frames = reader::read(&folder.join(file));
        let (names, prints, _) = told(&frames, usize::MAX);
        for (index, snap) in [128, 256, 400, 600].into_iter().enumerate() {
            let (cut_names, cut_prints, parts) = told(&frames, snap);
            let new: Vec<_> = cut_names.difference(&names).collect();
            assert!(new.is_empty(), "{file} cut to {snap} names {new:?}");
            let new: Vec<_> = cut_prints.difference(&prints).collect();
            assert!(new.is_empty(), "{file} cut to {snap} has fingerprints {new:?}");
            found[index] += cut_names.len();
            all_parts += parts;
        }
    }
    println!("server names in packets of up to 128, 256, 400 and 600 bytes: {found:?}; {all_parts} of parts");
    assert!(found.is_sorted() && found[1] > 10 && all_parts > 50, "{found:?} {all_parts}");
}
