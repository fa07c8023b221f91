#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod balancing;
mod config;
mod convert;
mod credentials;
mod ec2;
mod errors;
mod organization;
mod ram;
mod renewal;
mod retry;
mod session;

pub use config::{AssumeRole, AwsConfig, ConfigError, Endpoints, OrganizationRole, RetryMode, StaticKeys};
pub use session::AwsCloud;
