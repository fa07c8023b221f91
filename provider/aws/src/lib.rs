#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod convert;
mod ec2;
mod errors;
mod retry;
mod session;

pub use config::{AssumeRole, AwsConfig, ConfigError, Endpoints, RetryMode, StaticKeys};
pub use session::AwsCloud;
