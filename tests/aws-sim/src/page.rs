//! Paging: `MaxResults` and `NextToken`, or what other services call them, over objects in id order.
//!
//! A token names the last id it gave out, so objects made or deleted between two pages neither repeat nor hide
//! others. It is bound to account, Region, action and parameters; presenting it with others is refused.

use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::query::Params;

/// What the traffic-mirroring actions take for `MaxResults`, and how many they give when it is absent.
pub(crate) const MIRRORING: Limits = Limits { least: 5, most: 1000, default: Some(1000), names: EC2_NAMES };
/// Older describe calls give everything unless asked to page.
pub(crate) const CLASSIC: Limits = Limits { least: 5, most: 1000, default: None, names: EC2_NAMES };
/// Elastic load balancing; its page without `PageSize` is not on record, so it is a small one.
pub(crate) const BALANCING: Limits =
    Limits { least: 1, most: 400, default: Some(50), names: ("PageSize", "Marker") };
pub(crate) const ORGANIZATIONS: Limits = Limits { least: 1, most: 20, default: Some(20), names: EC2_NAMES };
pub(crate) const SCALING: Limits =
    Limits { least: 1, most: 100, default: Some(50), names: ("MaxRecords", "NextToken") };
/// Resource access manager; its page without `maxResults` is not on record either.
pub(crate) const SHARING: Limits =
    Limits { least: 1, most: 500, default: Some(50), names: ("maxResults", "nextToken") };

const EC2_NAMES: (&str, &str) = ("MaxResults", "NextToken");

/// Bounds of `MaxResults` for one family of actions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    least: i64,
    most: i64,
    default: Option<usize>,
    /// Parameters for the size of a page and for the token.
    names: (&'static str, &'static str),
}

/// The page a request asks for.
#[derive(Debug)]
pub(crate) struct Page {
    size: Option<usize>,
    after: Option<String>,
    fingerprint: String,
    begins_empty: bool,
}

impl Page {
    /// Reads the two parameters; `scope` is what the token is bound to beside the parameters.
    pub(crate) fn read(params: &mut Params, limits: Limits, scope: &str) -> Result<Self, ApiError> {
        let (size_name, token_name) = limits.names;
        let shown = if size_name == "MaxResults" { "maxResults" } else { size_name };
        let size = match params.integer(size_name, i64::MIN..=i64::MAX)? {
            None => limits.default,
            Some(number) if number < limits.least => {
                let why = format!("Expecting a value greater than or equal to {}.", limits.least);
                return Err(ApiError::value(shown, number, &why));
            }
            Some(number) if number > limits.most => {
                let why = format!("Expecting a value less than or equal to {}.", limits.most);
                return Err(ApiError::value(shown, number, &why));
            }
            Some(number) => usize::try_from(number).ok(),
        };
        let token = params.text(token_name).filter(|token| !token.is_empty());
        let fingerprint = fingerprint(scope, params);
        let after = match token {
            None => None,
            Some(token) => Some(open(&token, &fingerprint).ok_or_else(|| {
                ApiError::new(
                    "InvalidNextToken",
                    format!("The token '{token}' is not valid for this request"),
                )
            })?),
        };
        Ok(Self { size, after, fingerprint, begins_empty: false })
    }

    /// The same, where an empty page with a token comes before all others, as some services say may happen at any time.
    pub(crate) fn after_an_empty_one(self, begins_empty: bool) -> Self {
        Self { begins_empty, ..self }
    }

    /// Whether the caller asked for pages at all.
    pub(crate) fn is_asked(params: &Params) -> bool {
        params.pairs().contains_key("MaxResults") || params.pairs().contains_key("NextToken")
    }

    /// Whether an object comes on this page or on a later one.
    pub(crate) fn is_ahead(&self, id: &str) -> bool {
        self.after.as_deref().is_none_or(|after| id > after)
    }

    /// Cuts this page out of `(id, object)` pairs that are in id order.
    pub(crate) fn cut<T>(&self, rows: Vec<(String, T)>) -> (Vec<(String, T)>, Option<String>) {
        if self.begins_empty && self.after.is_none() {
            return (Vec::new(), Some(seal("", &self.fingerprint)));
        }
        let rows: Vec<_> = rows.into_iter().filter(|(id, _)| self.is_ahead(id)).collect();
        let size = self.size.unwrap_or(usize::MAX);
        let next = (rows.len() > size).then(|| seal(&rows[size.saturating_sub(1)].0, &self.fingerprint));
        (rows.into_iter().take(size).collect(), next)
    }
}

fn fingerprint(scope: &str, params: &Params) -> String {
    let mut digest = Sha256::new();
    digest.update(scope);
    for (key, value) in params.pairs() {
        digest.update(format!("\n{key}={value}"));
    }
    crate::id::hex(&digest.finalize(), 16)
}

fn seal(id: &str, fingerprint: &str) -> String {
    format!("{fingerprint}{}", crate::id::hex(id.as_bytes(), id.len() * 2))
}

fn open(token: &str, fingerprint: &str) -> Option<String> {
    let rest = token.strip_prefix(fingerprint)?;
    let bytes: Option<Vec<u8>> = (0..rest.len() / 2)
        .map(|at| rest.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::{MIRRORING, Page};
    use crate::query::Params;

    fn rows(count: usize) -> Vec<(String, usize)> {
        (0..count).map(|n| (format!("id-{n:03}"), n)).collect()
    }

    fn numbers(rows: Vec<(String, usize)>) -> Vec<usize> {
        rows.into_iter().map(|(_, number)| number).collect()
    }

    fn page(form: &str) -> Result<Page, String> {
        let mut params = Params::from_form(form.as_bytes()).unwrap();
        Page::read(&mut params, MIRRORING, "scope").map_err(|error| error.code.into_owned())
    }

    #[test]
    fn pages_cover_everything_once_even_when_rows_vanish() {
        let (first, token) = page("MaxResults=5&A=1").unwrap().cut(rows(12));
        assert_eq!(numbers(first), [0, 1, 2, 3, 4]);
        let mut left = rows(12);
        left.remove(4);
        left.remove(2);
        let (second, token) =
            page(&format!("MaxResults=5&A=1&NextToken={}", token.unwrap())).unwrap().cut(left);
        assert_eq!(numbers(second), [5, 6, 7, 8, 9]);
        let (third, token) =
            page(&format!("MaxResults=6&A=1&NextToken={}", token.unwrap())).unwrap().cut(rows(12));
        assert_eq!(numbers(third), [10, 11]);
        assert_eq!(token, None);
    }

    #[test]
    fn a_token_is_bound_to_its_parameters() {
        let (_, token) = page("MaxResults=5&A=1").unwrap().cut(rows(12));
        let token = token.unwrap();
        assert_eq!(page(&format!("A=2&NextToken={token}")).unwrap_err(), "InvalidNextToken");
        assert_eq!(page("A=1&NextToken=zzz").unwrap_err(), "InvalidNextToken");
    }

    #[test]
    fn max_results_has_bounds() {
        assert_eq!(page("MaxResults=4").unwrap_err(), "InvalidParameterValue");
        assert_eq!(page("MaxResults=1001").unwrap_err(), "InvalidParameterValue");
        assert!(page("MaxResults=1000").is_ok());
    }
}
