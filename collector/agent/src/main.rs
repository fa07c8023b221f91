//! The program `enigma-collector`: hands the environment to the library, which reads none by itself.

use std::process::ExitCode;

use enigma_collector::Environment;

fn main() -> ExitCode {
    enigma_collector::main(Environment {
        level: std::env::var("ENIGMA_LOG").ok(),
        http_token: std::env::var("ENIGMA_HTTP_TOKEN").ok(),
    })
}
