//! `cost` and `estimated_monthly_cost_usd`: what the sessions of a fleet cost a month. Pure.
//!
//! The arithmetic is the core's (`enigma_fleet::cost`); here is how a person writes a price and reads a result. The
//! result is in whole dollars: it is an estimate, and fractions of decimal numbers do not survive every way through
//! Terraform.

use enigma_fleet::cost::{self, DEFAULT_HOURLY_PRICE, Usd};
use enigma_tfplugin::{Attribute, Dynamic, Object, Validator, Value};

/// Millionths of a dollar in a dollar.
const MICRO: u64 = 1_000_000;

/// The argument.
pub(super) fn argument() -> Attribute {
    Attribute::nested_single(
        Object::new().attribute(
            "session_hour_usd",
            Attribute::string()
                .validate(Validator::new("a price in US dollars such as `0.015`", |text: String| {
                    parse(&text).map(drop)
                }))
                .description(
                    "Price of one session for one hour in US dollars. Unset: `0.015`, AWS's price for US East; other Regions differ, see \
                     <https://aws.amazon.com/vpc/pricing/>.",
                ),
        ),
    )
    .description("Prices for `estimated_monthly_cost_usd`.")
}

/// Digits with at most six decimals.
fn parse(text: &str) -> Result<Usd, String> {
    let wrong = || format!("\"{text}\" is not a price such as 0.015 (at most six decimals).");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 6 || !is_number(whole) || !is_number(decimals) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let decimals: u64 = format!("{decimals:0<6}").parse().map_err(|_| wrong())?;
    whole.checked_mul(MICRO).and_then(|dollars| dollars.checked_add(decimals)).map(Usd).ok_or_else(wrong)
}

/// What so many sessions cost a month, in whole dollars rounded up; unknown while the price is.
pub(super) fn monthly(arguments: &Dynamic, sessions: usize) -> Value<u64> {
    let written = arguments.get("cost").map_or(&Dynamic::Null, |cost| match cost {
        Dynamic::Unknown => cost,
        cost => cost.get("session_hour_usd").unwrap_or(&Dynamic::Null),
    });
    if matches!(written, Dynamic::Unknown) {
        return Value::Unknown;
    }
    // A text that is no price was refused in validation.
    let hourly = written.as_str().and_then(|text| parse(text).ok()).unwrap_or(DEFAULT_HOURLY_PRICE);
    Value::Known(cost::monthly(sessions, hourly).dollars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_decimal_text() {
        for (text, micro) in [
            ("0.015", 15_000),
            ("1", 1_000_000),
            ("0.0000015", 0),
            ("2.5", 2_500_000),
            ("10.000001", 10_000_001),
        ] {
            assert_eq!(parse(text).map(|usd| usd.0).unwrap_or_default(), micro, "{text}");
        }
        for text in ["", ".5", "-1", "1e-3", "1,5", "free", "99999999999999999999"] {
            assert!(parse(text).unwrap_err().contains("0.015"), "{text}");
        }
    }

    #[test]
    fn a_month_has_730_hours_and_part_of_a_dollar_is_one() {
        let priced = |price: Dynamic| Dynamic::map([("cost", Dynamic::map([("session_hour_usd", price)]))]);
        // 730 hours at 1.5 cents are 10.95 dollars.
        assert_eq!(monthly(&Dynamic::map([("cost", Dynamic::Null)]), 1), Value::Known(11));
        assert_eq!(monthly(&priced(Dynamic::from("0.015")), 1000), Value::Known(10_950));
        assert_eq!(monthly(&priced(Dynamic::from("0")), 1000), Value::Known(0));
        assert_eq!(monthly(&priced(Dynamic::Null), 0), Value::Known(0));
        assert_eq!(monthly(&priced(Dynamic::Unknown), 1), Value::Unknown);
        assert_eq!(monthly(&Dynamic::map([("cost", Dynamic::Unknown)]), 1), Value::Unknown);
    }
}
