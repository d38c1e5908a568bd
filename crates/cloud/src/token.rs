//! A token, and what it says about itself.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose};
use http::HeaderValue;
use jiff::Timestamp;
use kernel::Secret;
use serde::Deserialize;
use serde_json::Value;

/// An access token.
#[derive(Clone)]
pub struct Token {
    /// The token itself.
    pub secret: Secret,
    /// When it stops being valid, by Entra's word.
    pub expires_at: Timestamp,
    /// What it says about itself. For diagnosis only: it is not verified, and nothing is decided
    /// by it.
    pub claims: Claims,
}

/// A token is not handed out in the last two minutes of its life: a call must not outlive it.
pub(crate) const MARGIN: Duration = Duration::from_mins(2);

impl Token {
    pub(crate) fn new(secret: Secret, expires_at: Timestamp) -> Self {
        let claims = Claims::read(secret.expose());
        Self {
            secret,
            expires_at,
            claims,
        }
    }

    /// The value of the `Authorization` header, marked sensitive. `None` when the token holds
    /// characters that no header may.
    pub fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.secret.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        now.checked_add(MARGIN)
            .is_ok_and(|then| then < self.expires_at)
    }

    pub(crate) fn is(&self, text: &Secret) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(
            self.secret.expose().as_bytes(),
            text.expose().as_bytes(),
        )
        .is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("expires_at", &self.expires_at)
            .field("aud", &self.claims.aud)
            .finish_non_exhaustive()
    }
}

/// Claims worth reading for diagnosis. All are absent when the token is not a JWT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Audience: the host family.
    pub aud: Option<String>,
    /// Tenant id.
    pub tid: Option<String>,
    /// Application id (`appid`, or `azp` in version 2).
    pub appid: Option<String>,
    /// `app` or `user`.
    pub idtyp: Option<String>,
    /// App roles, such as `Exchange.ManageAsApp`.
    pub roles: Vec<String>,
    /// Delegated scopes, separated by blanks.
    pub scp: Option<String>,
    /// Template ids of Entra directory roles.
    pub wids: Vec<String>,
    /// User principal name (`upn`, or `preferred_username`).
    pub upn: Option<String>,
    /// Expiry in seconds since 1970.
    pub exp: Option<i64>,
}

impl Claims {
    fn read(token: &str) -> Self {
        let parsed = token
            .split('.')
            .nth(1)
            .and_then(|part| {
                general_purpose::URL_SAFE_NO_PAD
                    .decode(part.trim_end_matches('='))
                    .ok()
            })
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(value) = parsed else {
            return Self::default();
        };
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let list = |name: &str| match value.get(name) {
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        Self {
            aud: text("aud"),
            tid: text("tid"),
            appid: text("appid").or_else(|| text("azp")),
            idtyp: text("idtyp"),
            roles: list("roles"),
            scp: text("scp"),
            wids: list("wids"),
            upn: text("upn").or_else(|| text("preferred_username")),
            exp: value.get("exp").and_then(Value::as_i64),
        }
    }
}

/// The claims that a 401 asks for: the `claims="…"` of its `WWW-Authenticate` header, base64url of
/// JSON. `None` when it asks for none.
pub(crate) fn claims_challenge(www_authenticate: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct AnyObject {}
    let lower = www_authenticate.to_ascii_lowercase();
    let mut from = 0;
    let start = loop {
        let at = from + lower.get(from..)?.find("claims=\"")?;
        // `foo_claims="…"` is another parameter.
        let before = lower.get(..at).and_then(|front| front.chars().next_back());
        if before.is_none_or(|c| c == ' ' || c == ',') {
            break at + "claims=\"".len();
        }
        from = at + 1;
    };
    let value = www_authenticate
        .get(start..)?
        .split('"')
        .next()?
        .trim_end_matches('=');
    let bytes = general_purpose::URL_SAFE_NO_PAD
        .decode(value)
        .or_else(|_| general_purpose::STANDARD_NO_PAD.decode(value))
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    serde_json::from_str::<AnyObject>(&text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &Value) -> String {
        let part = general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("e30.{part}.sig")
    }

    #[test]
    fn claims_of_an_app_and_of_a_user() {
        let app = Claims::read(&jwt(&serde_json::json!({
            "aud": "https://outlook.office365.com", "tid": "t", "appid": "a", "idtyp": "app",
            "roles": ["Exchange.ManageAsApp"], "wids": ["w"], "exp": 1_900_000_000
        })));
        assert_eq!(app.roles, ["Exchange.ManageAsApp"]);
        assert_eq!(
            (app.appid.as_deref(), app.exp),
            (Some("a"), Some(1_900_000_000))
        );
        let user = Claims::read(&jwt(&serde_json::json!({
            "azp": "b", "scp": "Exchange.Manage", "preferred_username": "admin@contoso.com",
            "roles": 7
        })));
        assert_eq!(user.upn.as_deref(), Some("admin@contoso.com"));
        assert_eq!(user.appid.as_deref(), Some("b"));
        for odd in ["", "opaque", "a.b.c", "a.e30.c", "..", "a.W10.c"] {
            assert_eq!(Claims::read(odd), Claims::default());
        }
    }

    #[test]
    fn a_challenge_is_found_among_other_parameters() {
        let json = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;
        let value = general_purpose::URL_SAFE.encode(json);
        let header = format!(
            r#"Bearer realm="", authorization_uri="https://login.example/x", x_claims="bm8=", error="insufficient_claims", claims="{value}""#
        );
        assert_eq!(claims_challenge(&header).as_deref(), Some(json));
        assert_eq!(claims_challenge(r#"Bearer claims="bm90IGpzb24""#), None);
        assert_eq!(claims_challenge(r#"Bearer error="invalid_token""#), None);
        assert_eq!(claims_challenge(r#"Bearer claims="%%%""#), None);
        assert_eq!(claims_challenge("claims=\""), None);
    }

    #[test]
    fn the_last_two_minutes_are_not_handed_out() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let token = |seconds| {
            Token::new(
                Secret::new("x"),
                now + jiff::SignedDuration::from_secs(seconds),
            )
        };
        assert!(token(121).is_fresh(now));
        assert!(!token(120).is_fresh(now));
        assert!(!token(-5).is_fresh(now));
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let token = Token::new(Secret::new("opaque-token"), Timestamp::UNIX_EPOCH);
        assert!(!format!("{token:?}").contains("opaque"));
        assert!(!format!("{:?}", token.bearer().unwrap()).contains("opaque"));
    }
}
