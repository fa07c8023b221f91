//! The program `enigma-collector`: hands the environment to the library, which reads none by itself.

use std::process::ExitCode;

/// Records are made on one thread and freed on another, which the C library's allocator pays for with locks: an eighth
/// of the time of a replay went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use enigma_collector::Environment;

fn main() -> ExitCode {
    enigma_collector::main(Environment {
        level: std::env::var("ENIGMA_LOG").ok(),
        http_token: std::env::var("ENIGMA_HTTP_TOKEN").ok(),
    })
}
