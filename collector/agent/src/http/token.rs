//! The bearer token (RFC 6750 section 2.1) that answers about traffic ask for.

use std::io;
use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use subtle::ConstantTimeEq as _;

/// Fewest characters of a token: 16 random letters and digits are 95 bits, which nobody guesses over HTTP.
const SHORTEST: usize = 16;

/// Why there is no token although one was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("cannot read the token of the HTTP API from {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the token of the HTTP API ({from}) has {found} characters; at least {SHORTEST} visible ASCII characters are needed, \
         for example from `openssl rand -hex 32`"
    )]
    Weak { from: String, found: usize },
}

/// A secret that is compared and never shown.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// The token of the environment, else the first line of the file; `None` where neither is given.
    pub(crate) fn find(environment: Option<String>, file: Option<&Path>) -> Result<Option<Self>, TokenError> {
        if let Some(text) = environment {
            return Self::new(&text, "ENIGMA_HTTP_TOKEN".to_owned()).map(Some);
        }
        let Some(path) = file else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
        Self::new(text.lines().next().unwrap_or_default(), path.display().to_string()).map(Some)
    }

    fn new(text: &str, from: String) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Weak { from, found: text.chars().count() });
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether an `Authorization` header carries this token. How long the answer takes tells the length at most.
    pub(crate) fn admits(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some((scheme, given)) = authorization.and_then(|value| value.as_bytes().split_at_checked(7))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(given.ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_the_whole_token_behind_its_scheme_is_admitted() {
        let token = Token::find(Some(SECRET.to_owned()), None).unwrap().unwrap();
        let admits = |text: &str| token.admits(Some(&HeaderValue::from_str(text).unwrap()));
        assert!(admits(&format!("Bearer {SECRET}")));
        assert!(admits(&format!("bearer {SECRET}")));
        for wrong in [
            String::new(),
            SECRET.to_owned(),
            "Bearer ".to_owned(),
            format!("Bearer {}", &SECRET[1..]),
            format!("Bearer {SECRET}x"),
            format!("Basic {SECRET}"),
        ] {
            assert!(!admits(&wrong), "{wrong:?}");
        }
        assert!(!token.admits(None));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn the_environment_comes_before_the_file_and_weak_or_missing_tokens_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        assert!(matches!(Token::find(None, Some(&file)), Err(TokenError::Read { .. })));
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        assert_eq!(Token::find(None, Some(&file)).unwrap().unwrap().0, SECRET);
        let other = "f".repeat(16);
        assert_eq!(Token::find(Some(other.clone()), Some(&file)).unwrap().unwrap().0, other);
        for weak in ["", "short", "fifteen-charact", "sixteen chars ab"] {
            std::fs::write(&file, weak).unwrap();
            let error = Token::find(None, Some(&file)).unwrap_err();
            assert!(matches!(error, TokenError::Weak { .. }), "{weak}: {error}");
        }
        assert!(Token::find(None, None).unwrap().is_none());
    }
}
