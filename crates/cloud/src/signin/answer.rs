//! What a token endpoint answers.

use jiff::{SignedDuration, Timestamp};
use kernel::Secret;
use serde::Deserialize;
use serde_json::Value;

use crate::token::Token;

/// A lifetime longer than any real one: a number from outside must not overflow the clock.
const LONGEST: i64 = 7 * 24 * 3600;

/// Tokens as an endpoint gives them.
#[derive(Deserialize)]
struct Wire {
    access_token: Secret,
    refresh_token: Option<Secret>,
    /// Seconds; a number from Entra, text from the metadata service.
    expires_in: Option<Value>,
    /// Seconds since 1970, from the app-service endpoint.
    expires_on: Option<Value>,
}

/// Tokens with the moment they end.
#[derive(Debug)]
pub(crate) struct TokenAnswer {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub expires_at: Timestamp,
}

impl TokenAnswer {
    /// Reads a body; `None` when it holds no token. `asked_at` is when the request was made.
    pub fn read(body: &[u8], asked_at: Timestamp) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        if wire.access_token.expose().is_empty() {
            return None;
        }
        let lifetime = match (wire.expires_in.as_ref(), wire.expires_on.as_ref()) {
            (Some(value), _) => seconds(value)?,
            (None, Some(value)) => seconds(value)?.saturating_sub(asked_at.as_second()),
            (None, None) => return None,
        };
        let lifetime = SignedDuration::from_secs(lifetime.clamp(0, LONGEST));
        Some(Self {
            access_token: wire.access_token,
            refresh_token: wire.refresh_token,
            expires_at: asked_at.checked_add(lifetime).ok()?,
        })
    }

    pub fn into_token(self) -> Token {
        Token::new(self.access_token, self.expires_at)
    }
}

fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_come_in_three_spellings() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let end = |body: &str| {
            TokenAnswer::read(body.as_bytes(), now)
                .map(|a| a.expires_at.as_second() - 1_800_000_000)
        };
        assert_eq!(end(r#"{"access_token":"t","expires_in":3599}"#), Some(3599));
        assert_eq!(
            end(r#"{"access_token":"t","expires_in":"3599"}"#),
            Some(3599)
        );
        assert_eq!(
            end(r#"{"access_token":"t","expires_on":"1800000100"}"#),
            Some(100)
        );
        assert_eq!(
            end(r#"{"access_token":"t","expires_in":9223372036854775807}"#),
            Some(LONGEST)
        );
        assert_eq!(end(r#"{"access_token":"t","expires_in":-5}"#), Some(0));
        for none in [
            "{}",
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"","expires_in":1}"#,
            r#"{"access_token":1,"expires_in":1}"#,
            "<html>",
        ] {
            assert_eq!(end(none), None, "{none}");
        }
    }
}
