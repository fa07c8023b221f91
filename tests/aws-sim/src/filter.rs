//! `Filter.N` of the describe calls: names checked against the action's list, values with AWS's wildcards.
//!
//! Values of one filter are alternatives, filters are conjunctive. `*` stands for any run, `?` for one character,
//! `\` takes the next character literally (EC2 user guide, "Filter your resources").

use crate::error::ApiError;
use crate::query::Params;
use crate::tag::Tags;

/// EC2 takes at most this many filters in one request (EC2 user guide, "Filter your resources").
const MAX_FILTERS: usize = 50;
/// And this many values of a filter; here over all filters of one request.
const MAX_VALUES: usize = 200;

/// The filters of one request.
#[derive(Debug, Default)]
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads `Filter.N.Name` and `Filter.N.Value.M`; `names` are the filters of the action beside `tag:KEY` and `tag-key`.
    pub(crate) fn read(params: &mut Params, names: &[&str]) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for index in params.indexes("Filter")? {
            let name = params.required(&format!("Filter.{index}.Name"))?;
            let is_tag = name == "tag-key" || name.strip_prefix("tag:").is_some_and(|key| !key.is_empty());
            if !is_tag && !names.contains(&name.as_str()) {
                return Err(ApiError::invalid(format!("The filter '{name}' is invalid")));
            }
            let prefix = format!("Filter.{index}.Value");
            let mut values = Vec::new();
            for member in params.indexes(&prefix)? {
                values.push(params.text(&format!("{prefix}.{member}")).unwrap_or_default());
            }
            if values.is_empty() {
                return Err(ApiError::invalid(format!("The filter '{name}' has no values")));
            }
            filters.push((name, values));
        }
        if filters.len() > MAX_FILTERS {
            let message =
                format!("The maximum number of filters specified on a single call is {MAX_FILTERS}");
            return Err(ApiError::new("FilterLimitExceeded", message));
        }
        if filters.iter().map(|(_, values)| values.len()).sum::<usize>() > MAX_VALUES {
            let message =
                format!("The maximum number of filter values specified on a single call is {MAX_VALUES}");
            return Err(ApiError::new("FilterLimitExceeded", message));
        }
        Ok(Self(filters))
    }

    /// Whether an object passes. `field` gives the object's values for a filter name; no value matches nothing.
    pub(crate) fn accept(&self, tags: &Tags, field: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let any = |value: &str| patterns.iter().any(|pattern| matches(pattern, value));
            if name == "tag-key" {
                tags.keys().any(|key| any(key))
            } else if let Some(key) = name.strip_prefix("tag:") {
                tags.get(key).is_some_and(|value| any(value))
            } else {
                field(name).iter().any(|value| any(value))
            }
        })
    }
}

/// Case-sensitive wildcard match.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<Piece> = pieces(pattern);
    let text: Vec<char> = text.chars().collect();
    // Greedy with one point to come back to: the last `*` and how much it has swallowed.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::Any) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Piece::One) => {
                p += 1;
                t += 1;
            }
            Some(Piece::Literal(c)) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    p = at + 1;
                    t = swallowed + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| matches!(piece, Piece::Any))
}

enum Piece {
    Any,
    Literal(char),
    One,
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Any,
            '?' => Piece::One,
            '\\' => Piece::Literal(chars.next().unwrap_or('\\')),
            other => Piece::Literal(other),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_follow_ec2() {
        for (pattern, text, expected) in [
            ("prod", "prod", true),
            ("prod", "Prod", false),
            ("pr*", "prod", true),
            ("*o*", "prod", true),
            ("p?od", "prod", true),
            ("p?d", "prod", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} against {text}");
        }
    }
}
