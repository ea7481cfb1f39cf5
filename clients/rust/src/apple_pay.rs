use serde_json::Value;

use crate::Error;

/// What a browser's `onpaymentauthorized` gave: `event.payment.token`, or its member `paymentData`.
///
/// It is made of the JSON text that came from the browser, or of a [`serde_json::Value`], which may be the whole
/// `event.payment` too.
pub struct BrowserToken(Given);

enum Given {
    Text(Vec<u8>),
    Value(Value),
}

impl From<&str> for BrowserToken {
    fn from(text: &str) -> Self {
        Self(Given::Text(text.into()))
    }
}

impl From<String> for BrowserToken {
    fn from(text: String) -> Self {
        Self(Given::Text(text.into()))
    }
}

impl From<&[u8]> for BrowserToken {
    fn from(text: &[u8]) -> Self {
        Self(Given::Text(text.into()))
    }
}

impl From<Vec<u8>> for BrowserToken {
    fn from(text: Vec<u8>) -> Self {
        Self(Given::Text(text))
    }
}

impl From<Value> for BrowserToken {
    fn from(value: Value) -> Self {
        Self(Given::Value(value))
    }
}

/// Returns what `token_json` of a request takes. Text is passed on byte for byte.
///
/// # Errors
///
/// It is not a JSON object, or the text of `event.payment` instead of its token. The error never shows the token.
///
/// ```
/// let token_json = payorch::apple_pay_token(r#"{"data": "...", "version": "EC_v1"}"#)?;
/// assert_eq!(br#"{"data": "...", "version": "EC_v1"}"#, &*token_json);
/// # Ok::<(), payorch::Error>(())
/// ```
pub fn apple_pay_token(token: impl Into<BrowserToken>) -> Result<Vec<u8>, Error> {
    match token.into().0 {
        Given::Text(text) => checked(text),
        Given::Value(Value::Object(mut members)) => match members.remove("token") {
            None => Ok(Value::Object(members).to_string().into_bytes()),
            Some(token @ Value::Object(_)) => Ok(token.to_string().into_bytes()),
            Some(_) => Err(no_object()),
        },
        Given::Value(_) => Err(no_object()),
    }
}

fn checked(text: Vec<u8>) -> Result<Vec<u8>, Error> {
    // The parser's own error could quote the token.
    match serde_json::from_slice(&text).map_err(|_| Error::argument("token: it is not JSON"))? {
        Value::Object(members) if members.contains_key("token") => {
            Err(Error::argument("token: this is the whole payment; pass its member `token`"))
        }
        Value::Object(_) => Ok(text),
        _ => Err(no_object()),
    }
}

fn no_object() -> Error {
    Error::argument("token: it is not a JSON object")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_passed_on_byte_for_byte() {
        let text = "{ \"version\":\"EC_v1\",\n\"data\": \"\u{fc}\" }";

        assert_eq!(text.as_bytes(), apple_pay_token(text).unwrap());
    }

    #[test]
    fn an_object_may_be_the_whole_payment() {
        let token = json!({"paymentData": {"version": "EC_v1"}});
        let payment = json!({"token": token, "shippingContact": {}});

        assert_eq!(token.to_string().as_bytes(), apple_pay_token(payment).unwrap());
        assert_eq!(token.to_string().as_bytes(), apple_pay_token(token).unwrap());
    }

    #[test]
    fn errors_do_not_show_the_token() {
        for (text, problem) in [
            ("{\"data\": \"secret", "it is not JSON"),
            ("\"secret\"", "it is not a JSON object"),
            ("{\"token\": \"secret\"}", "this is the whole payment; pass its member `token`"),
        ] {
            let error = apple_pay_token(text).unwrap_err();

            assert_eq!(format!("token: {problem}"), error.to_string());
        }
    }
}
