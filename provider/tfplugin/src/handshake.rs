//! go-plugin's handshake: what Terraform says through the environment, and the one line of the answer.
//!
//! Source: hashicorp/go-plugin `docs/internals.md` and `server.go`. Reads nothing itself: the environment is
//! an argument.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Terraform's magic cookie. No secret: it tells a start by Terraform from a start by hand.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// The version of go-plugin's own conventions.
const CORE_VERSION: u32 = 1;
/// The Terraform protocol that is served.
pub(crate) const PROTOCOL_VERSION: u32 = 6;

/// What Terraform asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// PEM of the only certificate to accept; `None` for a connection without TLS.
    pub(crate) client_certificate: Option<String>,
    /// Where to put the socket; the temporary directory if not said.
    pub(crate) socket_dir: Option<PathBuf>,
}

/// Why a start does not lead to serving.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Somebody started the program by hand.
    #[error(
        "this program is a Terraform provider: Terraform starts it, people do not. Name it in required_providers and run \
         `terraform init`, or start it with -debug to attach a debugger"
    )]
    NotStartedByTerraform,
    /// The host speaks other protocol versions only.
    #[error(
        "this provider speaks Terraform plugin protocol 6, the program that started it only {offered}. Terraform 1.0 or newer \
         is needed"
    )]
    Protocol {
        /// The versions offered, as sent.
        offered: String,
    },
}

impl Handshake {
    /// Reads what Terraform said through `env`, a look-up of environment variables.
    ///
    /// # Errors
    /// If it was not Terraform, or one with other protocol versions.
    pub(crate) fn read(env: impl Fn(&str) -> Option<OsString>) -> Result<Self, HandshakeError> {
        let text = |key: &str| env(key).and_then(|value| value.into_string().ok()).filter(|v| !v.is_empty());
        if text(COOKIE.0).as_deref() != Some(COOKIE.1) {
            return Err(HandshakeError::NotStartedByTerraform);
        }
        // Absent from very old hosts, which then judge the answer themselves.
        if let Some(offered) = text("PLUGIN_PROTOCOL_VERSIONS") {
            let ours = PROTOCOL_VERSION.to_string();
            if !offered.split(',').any(|version| version.trim() == ours) {
                return Err(HandshakeError::Protocol { offered });
            }
        }
        Ok(Self {
            client_certificate: text("PLUGIN_CLIENT_CERT"),
            socket_dir: env("PLUGIN_UNIX_SOCKET_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from),
        })
    }

    /// The line on standard output: versions, address, kind of RPC, our certificate as unpadded base64 of DER.
    pub(crate) fn answer(socket: &Path, certificate: Option<&str>) -> String {
        let certificate = certificate.unwrap_or_default();
        format!("{CORE_VERSION}|{PROTOCOL_VERSION}|unix|{}|grpc|{certificate}", socket.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Handshake, HandshakeError> {
        Handshake::read(|key| variables.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into()))
    }

    #[test]
    fn a_start_by_hand_is_told_so() {
        assert_eq!(read(&[]), Err(HandshakeError::NotStartedByTerraform));
        assert_eq!(read(&[(COOKIE.0, "other")]), Err(HandshakeError::NotStartedByTerraform));
    }

    #[test]
    fn protocol_6_is_found_among_the_offered() {
        assert!(read(&[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "5,6")]).is_ok());
        let refused = read(&[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "4,5")]);
        assert_eq!(refused, Err(HandshakeError::Protocol { offered: "4,5".into() }));
    }

    #[test]
    fn empty_variables_count_as_absent() {
        let handshake =
            read(&[COOKIE, ("PLUGIN_CLIENT_CERT", ""), ("PLUGIN_UNIX_SOCKET_DIR", "/run/x")]).unwrap();
        assert_eq!(handshake.client_certificate, None);
        assert_eq!(handshake.socket_dir.as_deref(), Some(Path::new("/run/x")));
    }

    #[test]
    fn the_answer_is_one_line_of_six_fields() {
        assert_eq!(Handshake::answer(Path::new("/t/s"), Some("QUJD")), "1|6|unix|/t/s|grpc|QUJD");
        assert_eq!(Handshake::answer(Path::new("/t/s"), None), "1|6|unix|/t/s|grpc|");
    }
}
