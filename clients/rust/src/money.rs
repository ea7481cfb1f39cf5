use crate::{Error, Money};

const DECIMALS: usize = 9;
const NANOS_PER_UNIT: i128 = 1_000_000_000;

/// Returns an amount as the contract takes it, exactly, from its decimal text.
///
/// Pass numbers of other types as text; a binary float is not exact. The currency is an ISO 4217 code, such as USD.
///
/// # Errors
///
/// The text is no plain decimal number, has more than nine decimals or more digits than fit, or the currency is no code.
///
/// ```
/// let amount = payorch::money("100.10", "USD")?;
/// assert_eq!((100, 100_000_000), (amount.units, amount.nanos));
/// assert!(payorch::money("0.1234567891", "USD").is_err());
/// # Ok::<(), payorch::Error>(())
/// ```
pub fn money(amount: impl AsRef<str>, currency: impl Into<String>) -> Result<Money, Error> {
    let (amount, currency) = (amount.as_ref(), currency.into());
    if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Err(Error::argument(format!("currency: {currency:?} is not three capital letters, such as USD")));
    }
    let unsigned = amount.strip_prefix(['-', '+']).unwrap_or(amount);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) {
        return Err(Error::argument(format!("amount: {amount:?} is not a decimal number, such as 100.10")));
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > DECIMALS {
        return Err(Error::argument(format!("amount: {amount:?} has more than {DECIMALS} decimals")));
    }
    let units = if whole.is_empty() { Ok(0) } else { whole.parse::<i64>() };
    let units = units.map_err(|_| Error::argument(format!("amount: {amount:?} has more digits than fit")))?;
    let nanos: i32 = format!("{decimals:0<DECIMALS$}").parse().expect("nine digits fit");
    let sign = if amount.starts_with('-') { -1 } else { 1 };
    Ok(Money { currency_code: currency, units: i64::from(sign) * units, nanos: sign * nanos })
}

/// Returns an amount as decimal text, exactly and without needless zeros after the point.
///
/// ```
/// assert_eq!("12.5", payorch::decimal_of(&payorch::money("12.50", "USD")?));
/// # Ok::<(), payorch::Error>(())
/// ```
#[must_use]
pub fn decimal_of(amount: &Money) -> String {
    let scaled = i128::from(amount.units) * NANOS_PER_UNIT + i128::from(amount.nanos);
    let (units, nanos) = (scaled.abs() / NANOS_PER_UNIT, scaled.abs() % NANOS_PER_UNIT);
    let sign = if scaled < 0 { "-" } else { "" };
    format!("{sign}{units}.{nanos:0DECIMALS$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, units, nanos) in [
            ("0.1", 0, 100_000_000),
            ("-5.25", -5, -250_000_000),
            (".5", 0, 500_000_000),
            ("7.", 7, 0),
            ("1.10000000000", 1, 100_000_000),
            ("9223372036854775807.999999999", i64::MAX, 999_999_999),
        ] {
            let amount = money(text, "USD").unwrap();

            assert_eq!((units, nanos), (amount.units, amount.nanos), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_named() {
        for text in ["", ".", "-", "1e2", "NaN", "1,5", " 1", "--1", "٣", "9223372036854775808", "0.1234567891"] {
            let error = money(text, "USD").unwrap_err().to_string();

            assert!(error.starts_with(&format!("amount: {text:?}")), "{error}");
        }
        for currency in ["", "usd", "US", "USDX", "ÄÖ"] {
            assert!(money("1", currency).is_err(), "{currency}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(units in any::<i64>().prop_filter("fits", |u| *u != i64::MIN), nanos in 0..1_000_000_000_i64) {
            let text = format!("{units}.{nanos:09}");
            let written = decimal_of(&money(&text, "EUR").unwrap());

            prop_assert_eq!(money(&text, "EUR").unwrap(), money(&written, "EUR").unwrap());
        }
    }
}
