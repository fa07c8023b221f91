//! The generated messages and services of `proto/`. Nothing outside `service`, `serve` and the `wire`
//! conversions names them, so that a new minor protocol version stays a local change.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    let_underscore_drop,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]

pub(crate) mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

pub(crate) mod go_plugin {
    tonic::include_proto!("plugin");
}
