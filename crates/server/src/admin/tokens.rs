//! API tokens.

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use kernel::{ErrorKind, Failure, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Caps, NewToken, Scope, TokenRow, Usage};

use super::reach;
use crate::{access::Caller, body, dispatch::Call, query::bad, reply};

/// A token to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenBody {
    /// Its name, unlike any other's: letters, digits, `-`, `_`, `.` and `@`, up to 100.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._@-]{1,100}$"))]
    name: String,
    /// What it may do.
    #[schemars(length(min = 1))]
    scopes: Vec<ScopeName>,
    /// Only these commands; none means all that the scopes grant.
    commands: Option<Vec<String>>,
    /// Only these connections; none means all.
    connections: Option<Vec<String>>,
    /// How much it may change.
    caps: Option<CapsBody>,
    /// When it ends: a date, or a length of time from now such as `90d`.
    expires: String,
    /// A destructive run of it needs no plan hash.
    #[serde(default)]
    waives_plan_hash: bool,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScopeName {
    /// Run commands that read, and look at runs.
    Read,
    /// Run commands that change something which can be put right again.
    Write,
    /// Run commands that delete mail.
    Destructive,
    /// See raw data.
    Raw,
    /// Tokens, freeze, audit.
    Admin,
}

/// How much a token may change; none means no limit.
#[derive(Debug, Default, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CapsBody {
    /// Items in one run.
    items_per_run: Option<u64>,
    /// Items in an hour.
    items_per_hour: Option<u64>,
    /// Mailboxes that one run may touch.
    mailboxes_per_run: Option<u64>,
    /// Mailboxes in an hour.
    mailboxes_per_hour: Option<u64>,
}

/// A token; never its secret.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenView {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// What it may do.
    scopes: Vec<ScopeName>,
    /// Only these commands; null means all that the scopes grant.
    commands: Option<Vec<String>>,
    /// Only these connections; null means all.
    connections: Option<Vec<String>>,
    /// How much it may change.
    caps: CapsBody,
    /// A destructive run of it needs no plan hash.
    waives_plan_hash: bool,
    /// When it was made.
    created: String,
    /// When it ends.
    expires: String,
    /// When it was used last, to the minute.
    last_used: Option<String>,
    /// When it was revoked.
    revoked: Option<String>,
    /// What it has changed within the last hour.
    last_hour: UsageView,
}

/// What the hourly caps of a token are held against: what was done within the last hour, and what
/// runs that are not over may still do.
#[derive(Debug, Serialize, JsonSchema)]
struct UsageView {
    /// Runs that change something.
    runs: u64,
    /// Their items.
    items: u64,
    /// Mailboxes that they touch.
    mailboxes: u64,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NewTokenView {
    /// The token.
    token: TokenView,
    /// Its secret. It is in no other place than this answer.
    secret: String,
}

impl ScopeName {
    fn scope(self) -> Scope {
        match self {
            Self::Read => Scope::Read,
            Self::Write => Scope::Write,
            Self::Destructive => Scope::Destructive,
            Self::Raw => Scope::Raw,
            Self::Admin => Scope::Admin,
        }
    }

    fn of(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
            Scope::Destructive => Self::Destructive,
            Scope::Raw => Self::Raw,
            Scope::Admin => Self::Admin,
        }
    }
}

impl TokenView {
    fn of(row: &TokenRow, usage: Usage) -> Self {
        Self {
            id: row.id.clone(),
            name: row.name.clone(),
            scopes: row.scopes.iter().copied().map(ScopeName::of).collect(),
            commands: row.commands.clone(),
            connections: row.connections.clone(),
            caps: CapsBody {
                items_per_run: row.caps.items_per_run,
                items_per_hour: row.caps.items_per_hour,
                mailboxes_per_run: row.caps.mailboxes_per_run,
                mailboxes_per_hour: row.caps.mailboxes_per_hour,
            },
            waives_plan_hash: row.waives_plan_hash,
            created: row.created.to_string(),
            expires: row.expires.to_string(),
            last_used: row.last_used.map(|at| at.to_string()),
            revoked: row.revoked.map(|at| at.to_string()),
            last_hour: UsageView {
                runs: usage.runs,
                items: usage.items,
                mailboxes: usage.mailboxes,
            },
        }
    }
}

/// `GET /api/v1/tokens`.
pub(crate) async fn list(call: Call) -> Result<Response, Failure> {
    call.caller()?.unbound()?;
    let all = call.app.record.tokens(call.app.clock.now()).await?;
    let all: Vec<TokenView> = all
        .iter()
        .map(|(row, used)| TokenView::of(row, *used))
        .collect();
    reply::json(200, &all)
}

/// `POST /api/v1/tokens`.
pub(crate) async fn create(call: Call) -> Result<Response, Failure> {
    let caller = call.caller()?;
    let body: NewTokenBody = body::json(&call.body)?;
    let new = checked(&call, caller, body)?;
    let (row, secret) = call.app.record.create_token(new, caller.name()).await?;
    let view = NewTokenView {
        token: TokenView::of(&row, Usage::default()),
        secret: secret.expose().to_owned(),
    };
    reply::json(201, &view)
}

/// `DELETE /api/v1/tokens/{token}`.
pub(crate) async fn revoke(call: Call) -> Result<Response, Failure> {
    let caller = call.caller()?;
    caller.unbound()?;
    let id = call.path("token");
    if call.app.record.revoke_token(id, caller.name()).await? {
        return Ok(reply::nothing());
    }
    let shown = kernel::escape::clipped(id, 60);
    let text = format!("there is no token `{shown}` that could be revoked");
    Err(Failure::new(ErrorKind::NotFound, code::NOT_FOUND, text).status(404))
}

fn checked(call: &Call, caller: &Caller, body: NewTokenBody) -> Result<NewToken, Failure> {
    let named = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    if body.name.is_empty() || body.name.len() > 100 || !body.name.chars().all(named) {
        let rule = "takes 1 to 100 letters, digits, `-`, `_`, `.` and `@`";
        return Err(bad("name", rule));
    }
    if body.scopes.is_empty() {
        return Err(bad(
            "scopes",
            "is an empty list, and such a token could do nothing",
        ));
    }
    let commands = body.commands.map(|all| {
        let ids = all
            .iter()
            .map(|id| Ok(engine::find(id)?.meta.id.to_owned()));
        ids.collect::<Result<Vec<_>, Failure>>()
    });
    let commands = commands
        .transpose()
        .map_err(|failure| failure.status(400))?;
    for connection in body.connections.iter().flatten() {
        let known = call.app.seen_by(caller);
        if !known.iter().any(|one| one.name == *connection) {
            let shown = kernel::escape::clipped(connection, 60);
            return Err(bad(
                "connections",
                &format!("names `{shown}`, which is none"),
            ));
        }
    }
    let caps = body.caps.unwrap_or_default();
    let new = NewToken {
        name: body.name,
        scopes: body.scopes.into_iter().map(ScopeName::scope).collect(),
        commands,
        connections: body.connections,
        caps: Caps {
            items_per_run: caps.items_per_run,
            items_per_hour: caps.items_per_hour,
            mailboxes_per_run: caps.mailboxes_per_run,
            mailboxes_per_hour: caps.mailboxes_per_hour,
        },
        expires: expires(&body.expires, call.app.clock.now())?,
        waives_plan_hash: body.waives_plan_hash,
    };
    reach::check(caller, &new)?;
    Ok(new)
}

fn expires(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let days = text
        .trim()
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .filter(|days| (1..=3650).contains(days));
    let instant = match days {
        Some(days) => now
            .checked_add(SignedDuration::from_hours(days * 24))
            .map_err(|_| bad("expires", "lies too far ahead"))?,
        None => commands::dates::parse(text).map_err(|failure| {
            bad(
                "expires",
                &format!("takes a date, or days as `90d`: {failure}"),
            )
        })?,
    };
    if instant <= now {
        let text = "`expires` lies in the past";
        return Err(Failure::invalid(code::DATE_IN_THE_PAST, text).arg("member", "expires"));
    }
    Ok(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_date_or_days_and_lies_ahead() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let of = |text| expires(text, now).map(|at| at.to_string());
        assert_eq!(of("2d").unwrap(), "2026-01-03T00:00:00Z");
        assert_eq!(of("2026-01-03").unwrap(), "2026-01-03T00:00:00Z");
        assert_eq!(of("2025-12-31").unwrap_err().code, code::DATE_IN_THE_PAST);
        for text in ["0d", "-1d", "9999999d", "soon", ""] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
