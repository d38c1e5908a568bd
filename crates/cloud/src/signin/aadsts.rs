//! Entra's refusals as sentences that say what to do.
//!
//! Entra answers `{"error", "error_description": "AADSTSnnn: …", "error_codes": [nnn], …}`. The
//! number decides; a number that is not in the table is passed on in Entra's own words.

use kernel::{Code, ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::Value;

use super::sentences::sentence;

/// A refusal by the sign-in host, already put into words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// HTTP status of the answer.
    pub status: u16,
    /// The OAuth error, such as `invalid_client`; escaped.
    pub error: String,
    /// Entra's number, the first where it gives several.
    pub aadsts: Option<u32>,
    /// Our sentence, or Entra's first line where we have none.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The first line of Entra's text; escaped, and without the secret should it repeat it.
    pub entra_text: String,
    /// Entra's id of the answer, for Microsoft's support.
    pub trace_id: Option<String>,
    kind: ErrorKind,
    code: Code,
}

/// Who was signing in, for the sentences.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub tenant: &'a str,
    pub client_id: &'a str,
    pub username: Option<&'a str>,
    pub scope: &'a str,
    /// What must not stand in any text.
    pub secret: Option<&'a kernel::Secret>,
}

impl Refusal {
    /// Reads an error body; `None` when it is not one.
    pub(crate) fn read(status: u16, body: &[u8], who: Who<'_>) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let error = clean(body.get("error")?.as_str()?, who, 80);
        let description = body
            .get("error_description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let aadsts = number(&body, description);
        let first = description.split(['\r', '\n']).next().unwrap_or_default();
        let first = first.split(" Trace ID:").next().unwrap_or_default();
        let entra_text = clean(first, who, 400);
        let trace_id = body
            .get("trace_id")
            .and_then(Value::as_str)
            .map(|id| clean(id, who, 64));
        let known = aadsts.and_then(sentence);
        let (kind, code, message, hint) = if let (Some(known), Some(n)) = (known, aadsts) {
            let text = fill(known.text, who);
            // This one text is known to users word for word.
            let text = if n == 50_034 {
                text
            } else {
                format!("{text} (AADSTS{n})")
            };
            (known.kind, known.code, text, fill(known.hint, who))
        } else {
            let said = if entra_text.is_empty() {
                &error
            } else {
                &entra_text
            };
            (
                ErrorKind::AuthenticationFailed,
                code::SIGN_IN_FAILED,
                format!("Entra refused the sign-in: {said}"),
                aadsts.map_or_else(
                    || "Check tenant, cloud and auth of the connection".to_owned(),
                    |n| format!("Look up https://login.microsoftonline.com/error?code={n}"),
                ),
            )
        };
        Some(Self {
            status,
            error,
            aadsts,
            message,
            hint,
            entra_text,
            trace_id,
            kind,
            code,
        })
    }

    /// The failure to report.
    pub fn failure(&self) -> Failure {
        let mut failure = Failure::new(self.kind, self.code.clone(), self.message.clone())
            .status(self.status)
            .hint(self.hint.clone())
            .arg("error", self.error.clone())
            .happened(Happened::Refused);
        if let Some(n) = self.aadsts {
            failure = failure.arg("aadsts", n);
        }
        if !self.entra_text.is_empty() {
            failure = failure.arg("entra_text", self.entra_text.clone());
        }
        failure.request_id.clone_from(&self.trace_id);
        failure
    }

    /// The same refusal in the words for a machine's own identity endpoint, which knows no app
    /// registration.
    pub(crate) fn by_the_machine(mut self, client_id: Option<&str>) -> Self {
        if self.aadsts.is_some() {
            return self;
        }
        let said = if self.entra_text.is_empty() {
            &self.error
        } else {
            &self.entra_text
        };
        self.message = format!("The machine's managed identity gave no token: {said}");
        self.hint = match client_id {
            Some(id) => format!(
                "Assign the user-assigned identity {} to this machine",
                escape::line(id)
            ),
            None => "Turn on the system-assigned identity, or set client_id to a user-assigned one"
                .to_owned(),
        };
        self
    }

    /// Whether the credential itself is wrong or expired, so that its source is worth a second
    /// look: somebody may have rotated it.
    pub(crate) fn blames_the_credential(&self) -> bool {
        matches!(
            self.aadsts,
            Some(7_000_215 | 7_000_222 | 700_027 | 50_126 | 50_055 | 50_056 | 700_024 | 50_013)
        )
    }

    /// Whether a new certificate may just not be known everywhere yet.
    pub(crate) fn may_be_a_rotation(&self) -> bool {
        self.aadsts == Some(700_027)
    }

    /// Whether a kept sign-in is over, so that a person has to sign in again.
    pub(crate) fn ends_the_kept_sign_in(&self) -> bool {
        self.error == "invalid_grant" || self.error == "interaction_required"
    }
}

/// Escaped, clipped, and without the secret.
fn clean(text: &str, who: Who<'_>, limit: usize) -> String {
    let secret = who
        .secret
        .map(kernel::Secret::expose)
        .filter(|secret| !secret.is_empty());
    let text = match secret {
        Some(secret) => text.replace(secret, "[redacted]"),
        None => text.to_owned(),
    };
    escape::clipped(&text, limit)
}

fn number(body: &Value, description: &str) -> Option<u32> {
    let listed = body
        .get("error_codes")
        .and_then(Value::as_array)
        .and_then(|codes| codes.first())
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok());
    listed.or_else(|| {
        let digits = description.split_once("AADSTS")?.1;
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits.get(..end)?.parse().ok()
    })
}

fn fill(text: &str, who: Who<'_>) -> String {
    let resource = who.scope.split("/.default").next().unwrap_or(who.scope);
    text.replace("{client}", &escape::line(who.client_id))
        .replace("{tenant}", &escape::line(who.tenant))
        .replace(
            "{user}",
            &escape::line(who.username.unwrap_or("the account")),
        )
        .replace("{resource}", &escape::line(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who<'a>() -> Who<'a> {
        Who {
            tenant: "contoso.onmicrosoft.com",
            client_id: "11111111-2222-4333-8444-555555555555",
            username: Some("admin@contoso.com"),
            scope: "https://outlook.office365.com/.default",
            secret: None,
        }
    }

    fn refusal(status: u16, error: &str, n: u32) -> Refusal {
        let body = serde_json::json!({
            "error": error,
            "error_description": format!("AADSTS{n}: Entra's text.\r\nTrace ID: x"),
            "error_codes": [n], "trace_id": "trace"
        });
        Refusal::read(status, body.to_string().as_bytes(), who()).unwrap()
    }

    /// Every number that the protocol notes list, with what a caller gets.
    #[test]
    fn every_known_number_says_what_to_do() {
        let table = [
            (
                7_000_215,
                401,
                "invalid_client",
                code::WRONG_SECRET,
                "value, not its id",
            ),
            (
                7_000_222,
                401,
                "invalid_client",
                code::SECRET_EXPIRED,
                "new one",
            ),
            (
                700_027,
                401,
                "invalid_client",
                code::CERTIFICATE_REFUSED,
                "Upload",
            ),
            (
                50_126,
                400,
                "invalid_grant",
                code::WRONG_PASSWORD,
                "Check both",
            ),
            (
                50_034,
                400,
                "invalid_grant",
                code::UNKNOWN_USER,
                "user name",
            ),
            (
                50_055,
                400,
                "invalid_grant",
                code::ACCOUNT_UNUSABLE,
                "Change it",
            ),
            (
                50_076,
                400,
                "invalid_grant",
                code::MFA_REQUIRED,
                "device_code",
            ),
            (
                50_079,
                400,
                "invalid_grant",
                code::MFA_REQUIRED,
                "device_code",
            ),
            (
                53_003,
                400,
                "access_denied",
                code::BLOCKED_BY_POLICY,
                "exception",
            ),
            (
                65_001,
                400,
                "invalid_grant",
                code::CONSENT_MISSING,
                "consent",
            ),
            (
                700_016,
                400,
                "unauthorized_client",
                code::APP_NOT_FOUND,
                "application id",
            ),
            (
                7_000_229,
                400,
                "invalid_client",
                code::APP_NOT_FOUND,
                "consents",
            ),
            (
                90_002,
                400,
                "invalid_request",
                code::TENANT_NOT_FOUND,
                "`cloud`",
            ),
            (
                900_023,
                400,
                "invalid_request",
                code::TENANT_NOT_FOUND,
                "GUID",
            ),
            (
                500_011,
                400,
                "invalid_resource",
                code::CONSENT_MISSING,
                "Exchange Online",
            ),
            (
                7_000_218,
                401,
                "invalid_client",
                code::SIGN_IN_FAILED,
                "oauth2",
            ),
            (
                50_020,
                400,
                "invalid_grant",
                code::ACCOUNT_UNUSABLE,
                "tenant itself",
            ),
            (
                50_177,
                400,
                "invalid_grant",
                code::ACCOUNT_UNUSABLE,
                "tenant itself",
            ),
            (
                650_051,
                400,
                "invalid_client",
                code::CONSENT_MISSING,
                "minute",
            ),
            (
                700_082,
                400,
                "invalid_grant",
                code::SIGN_IN_EXPIRED,
                "Sign in again",
            ),
            (
                5_000_224,
                400,
                "invalid_request",
                code::TENANT_NOT_FOUND,
                "owner",
            ),
            (
                9_002_313,
                400,
                "invalid_request",
                code::SIGN_IN_FAILED,
                "stray",
            ),
        ];
        for (n, status, error, code, hint) in table {
            let failure = refusal(status, error, n).failure();
            assert_eq!(failure.code, code, "{n}");
            assert_eq!(failure.status_code, status, "{n}");
            assert_eq!(failure.args.get("aadsts"), Some(&n.into()));
            assert!(
                failure.hint.as_deref().unwrap().contains(hint),
                "{n}: {:?}",
                failure.hint
            );
            assert!(!failure.message.contains('{'), "{n}: {}", failure.message);
            assert_eq!(failure.message.contains(&format!("AADSTS{n}")), n != 50_034);
            assert_eq!(failure.request_id.as_deref(), Some("trace"));
            assert!(!failure.may_have_taken_effect());
        }
    }

    #[test]
    fn the_texts_that_users_know() {
        let wrong = refusal(400, "invalid_grant", 50_126).failure();
        assert!(wrong.message.contains("Invalid username and password."));
        assert_eq!(wrong.kind, ErrorKind::AuthenticationFailed);
        let unknown = refusal(400, "invalid_grant", 50_034).failure();
        assert_eq!(
            unknown.message,
            "The user is not recognized as a managed user, or a federated user."
        );
    }

    #[test]
    fn the_recorded_bodies_are_read() {
        let recorded: Value = serde_json::from_str(include_str!(
            "../../../../tests/data/wire/token_errors.json"
        ))
        .unwrap();
        let mut seen = Vec::new();
        for (_, case) in recorded
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "note")
        {
            let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
            let refusal =
                Refusal::read(status, case["body"].to_string().as_bytes(), who()).unwrap();
            assert!(
                !refusal.entra_text.contains("Trace ID"),
                "{}",
                refusal.entra_text
            );
            assert!(refusal.trace_id.is_some());
            seen.push((
                refusal.aadsts.unwrap(),
                refusal.failure().code.as_str().to_owned(),
            ));
        }
        assert_eq!(
            seen,
            [
                (7_000_215, "wrong_secret".to_owned()),
                (50_126, "wrong_password".to_owned())
            ]
        );
    }

    #[test]
    fn an_unknown_number_keeps_entras_words_escaped_and_without_the_secret() {
        let secret = kernel::Secret::new("hunter2");
        let body = serde_json::json!({
            "error": "invalid_client",
            "error_description": "AADSTS424242: bad\u{1b}[2J hunter2\r\nTrace ID: x",
        });
        let who = Who {
            secret: Some(&secret),
            ..who()
        };
        let refusal = Refusal::read(400, body.to_string().as_bytes(), who).unwrap();
        assert_eq!(refusal.aadsts, Some(424_242));
        assert_eq!(
            refusal.message,
            "Entra refused the sign-in: AADSTS424242: bad\\u{1b}[2J [redacted]"
        );
        for not_an_error in ["", "<html>", "{}", r#"{"error":{"code":"x"}}"#, "[]"] {
            assert!(Refusal::read(400, not_an_error.as_bytes(), who).is_none());
        }
    }
}
