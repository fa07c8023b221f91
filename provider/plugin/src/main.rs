#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod diagnostics;
mod interfaces;
mod member;
mod mirror_fleet;
mod provider;
mod reach;
mod written;

fn main() -> std::process::ExitCode {
    enigma_tfplugin::run(provider::Enigma::default(), "registry.terraform.io/enigma/enigma")
}
