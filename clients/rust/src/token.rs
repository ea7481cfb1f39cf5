//! The caller's JSON Web Token, as its supplier returns it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tonic::codegen::StdError;

use crate::Error;

type Supplied = Pin<Box<dyn Future<Output = Result<String, StdError>> + Send>>;

/// A supplier of tokens, which caches them.
#[derive(Clone)]
pub(crate) struct TokenSource(Arc<dyn Fn(bool) -> Supplied + Send + Sync>);

impl TokenSource {
    pub(crate) fn new<S, F, E>(supplier: S) -> Self
    where
        S: Fn(bool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<StdError>,
    {
        Self(Arc::new(move |refresh| {
            let supplied = supplier(refresh);
            Box::pin(async move { supplied.await.map_err(Into::into) })
        }))
    }

    /// Returns a token that can be sent as it is.
    pub(crate) async fn token(&self, refresh: bool) -> Result<String, Error> {
        let token = (self.0)(refresh).await.map_err(Error::token)?;
        check(&token)?;
        Ok(token)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenSource")
    }
}

/// Fails if a token cannot be sent; the error does not show it.
fn check(token: &str) -> Result<(), Error> {
    if token.trim() != token {
        return Err(Error::argument("token: it begins or ends with a blank or a line break; strip it"));
    }
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::argument("token: it is empty, or has a character that no header may contain"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_may_contain_is_refused_and_not_shown() {
        check("abc.DEF-1_2~").unwrap();
        for token in ["", "secret\n", " secret", "sec ret", "secret\u{e4}", "sec\u{0}ret"] {
            let error = check(token).unwrap_err().to_string();

            assert!(error.starts_with("token: ") && !error.contains("sec"), "{error}");
        }
    }
}
