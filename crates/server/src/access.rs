//! Who calls, and what they may do.

use engine::{Origin, Way, ledger::IdempotencyKey};
use http::{HeaderMap, header};
use kernel::{Effect, ErrorKind, Failure, failure::code};
use store::{RunRow, Scope, TokenRow};

/// The holder of a valid token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) token: TokenRow,
}

impl Caller {
    /// Whether the token grants a scope. `destructive` includes `write`, and that includes `read`;
    /// `raw` and `admin` stand for themselves.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        let includes = |one: &Scope| match (one, scope) {
            (Scope::Destructive, Scope::Write | Scope::Read) | (Scope::Write, Scope::Read) => true,
            (one, scope) => *one == scope,
        };
        self.token.scopes.iter().any(includes)
    }

    /// Refuses unless the token grants a scope.
    pub(crate) fn need(&self, scope: Scope) -> Result<(), Failure> {
        if self.has(scope) {
            return Ok(());
        }
        Err(forbids(format!(
            "the token `{}` lacks the scope `{scope}`",
            self.name()
        ))
        .arg("scope", scope.to_string()))
    }

    /// Refuses a command that the token does not name, or whose effect its scopes do not cover.
    pub(crate) fn may_run(&self, id: &str, effect: Effect, dry_run: bool) -> Result<(), Failure> {
        self.names(id)?;
        self.need(scope_of(effect, dry_run))
    }

    /// Refuses a command that the token does not name.
    pub(crate) fn names(&self, id: &str) -> Result<(), Failure> {
        let named = |commands: &Vec<String>| commands.iter().any(|one| one == id);
        if self.token.commands.as_ref().is_none_or(named) {
            return Ok(());
        }
        Err(forbids(format!(
            "the token `{}` is not for the command `{id}`",
            self.name()
        ))
        .arg("command", id))
    }

    /// Whether a run is there for this caller: one of its connections and of its commands.
    pub(crate) fn sees_run(&self, row: &RunRow) -> bool {
        self.sees(&row.connection) && self.names(&row.command).is_ok()
    }

    /// Whether what belongs to a connection is there for this caller.
    pub(crate) fn sees(&self, connection: &str) -> bool {
        let bound = self.token.connections.as_ref();
        bound.is_none_or(|bound| bound.iter().any(|one| one == connection))
    }

    /// Refuses a token that is bound to connections or commands: what is asked for is about all.
    pub(crate) fn unbound(&self) -> Result<(), Failure> {
        if self.token.connections.is_none() && self.token.commands.is_none() {
            return Ok(());
        }
        Err(forbids(format!(
            "the token `{}` is bound to connections or commands, and this is about all",
            self.name()
        )))
    }

    /// The name under which things are recorded.
    pub(crate) fn name(&self) -> &str {
        &self.token.name
    }

    /// The origin of a run.
    pub(crate) fn origin(&self, way: Way, named: Option<String>) -> Origin {
        Origin {
            way,
            actor: self.name().to_owned(),
            named,
        }
    }

    /// The idempotency key of a request, within this token.
    pub(crate) fn key(&self, headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Failure> {
        let Some(value) = headers.get("idempotency-key") else {
            return Ok(None);
        };
        let key = value.to_str().unwrap_or_default().trim();
        if key.is_empty() || key.len() > 255 {
            return Err(Failure::invalid(
                code::BAD_REQUEST,
                "`Idempotency-Key` takes 1 to 255 visible ASCII characters",
            ));
        }
        Ok(Some(IdempotencyKey {
            scope: self.token.id.clone(),
            key: key.to_owned(),
        }))
    }
}

/// The scope that a run needs.
pub(crate) fn scope_of(effect: Effect, dry_run: bool) -> Scope {
    match effect {
        _ if dry_run => Scope::Read,
        Effect::Read | Effect::Prepares => Scope::Read,
        Effect::WriteReversible | Effect::Write => Scope::Write,
        Effect::Destructive => Scope::Destructive,
    }
}

/// The secret of the `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// There is no valid token.
pub(crate) fn token_required() -> Failure {
    Failure::new(
        ErrorKind::AuthenticationFailed,
        code::TOKEN_REQUIRED,
        "the request bears no valid token",
    )
    .status(401)
    .hint("send `Authorization: Bearer …` with a token that has not ended or been revoked")
}

/// The token does not grant it.
pub(crate) fn forbids(message: String) -> Failure {
    Failure::new(ErrorKind::PermissionDenied, code::TOKEN_FORBIDS, message).status(403)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scopes: &[Scope]) -> Caller {
        let token = serde_json::json!({ "at": "2026-01-01T00:00:00Z" });
        let at: jiff::Timestamp = token["at"].as_str().unwrap().parse().unwrap();
        Caller {
            token: TokenRow {
                id: "1".to_owned(),
                name: "soc".to_owned(),
                scopes: scopes.to_vec(),
                commands: None,
                connections: None,
                caps: store::Caps::default(),
                waives_plan_hash: false,
                created: at,
                expires: at,
                last_used: None,
                revoked: None,
            },
        }
    }

    #[test]
    fn a_scope_includes_only_what_it_must() {
        let destructive = caller(&[Scope::Destructive]);
        assert!(destructive.has(Scope::Write) && destructive.has(Scope::Read));
        assert!(!destructive.has(Scope::Raw) && !destructive.has(Scope::Admin));
        let admin = caller(&[Scope::Admin]);
        assert!(!admin.has(Scope::Read) && !admin.has(Scope::Destructive));
        assert!(!caller(&[Scope::Write]).has(Scope::Destructive));
    }

    #[test]
    fn a_dry_run_needs_no_more_than_reading() {
        assert_eq!(scope_of(Effect::Destructive, true), Scope::Read);
        assert_eq!(scope_of(Effect::Destructive, false), Scope::Destructive);
        assert_eq!(scope_of(Effect::Prepares, false), Scope::Read);
    }

    #[test]
    fn only_a_bearer_is_a_token() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Basic mcd_x".parse().unwrap());
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer  mcd_x".parse().unwrap());
        assert_eq!(bearer(&headers), Some("mcd_x"));
    }
}
