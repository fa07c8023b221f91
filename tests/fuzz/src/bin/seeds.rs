//! Writes the seeds of a target into a folder: `seeds TARGET FOLDER`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(target), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: seeds TARGET FOLDER".into());
    };
    std::fs::create_dir_all(&folder)?;
    for (number, seed) in enigma_collector_tests::seeds::of(&target).iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{number:02}")), seed)?;
    }
    Ok(())
}
