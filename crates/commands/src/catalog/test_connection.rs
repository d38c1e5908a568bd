//! Test Connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use exchange::{
    Cmdlet, Service,
    cmdlet::{GetTenantAllowBlockListItems, ListType},
};
use jiff::SignedDuration;
use kernel::{Effect, ErrorKind, Failure, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Definition, Item, Meta, Outcome, Read, Rows, Session, Summary, Table, Tenant, dates,
    definition::ReadEnd,
    ports::{GraphStanding, SignIn, Standing},
    search::way::{self, Classic},
};

/// The command.
pub struct TestConnection;

/// Its input: nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {}

/// Its definition.
pub fn definition() -> Definition {
    Definition::read::<TestConnection>()
}

/// Cmdlets that a command does without, with a warning, where the role lacks them.
const DISPENSABLE: &[&str] = &["Get-AcceptedDomain", "Get-MailboxStatistics"];
/// A credential that ends sooner is warned about.
const SOON_DAYS: i64 = 30;

#[async_trait]
impl Read for TestConnection {
    type Input = Input;
    const META: Meta = Meta {
        id: "test-connection",
        title: "Test Connection",
        about: "Signs in, asks each service something small, and says which commands the granted roles allow.",
        effect: Effect::Read,
        session: Session::All,
        role: Role::SecurityReader,
        page_role: "Security Reader",
        cmdlets: &["Get-TenantAllowBlockListItems"],
        failure_indicator: "Test Connection failed. Failed to check the connector.",
        outcomes: &[Outcome::Found, Outcome::Rejected],
        example: "{}",
    };
    const COLUMNS: &'static [&'static str] = &["Check", "Result", "Detail"];

    async fn read(_: &Input, tenant: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        let mut report = Report {
            rows,
            works: BTreeSet::new(),
            allowed: Vec::new(),
        };
        let worked = run(tenant, &mut report).await;
        let name = tenant.connection.tenant();
        let item = match worked {
            Ok(()) => Item::success(
                "connection",
                name,
                Outcome::Found,
                "token and Exchange work",
            ),
            Err(failure) => Item::failed("connection", name, Outcome::Rejected, failure),
        };
        Ok(ReadEnd {
            complete: item.outcome.is_success(),
            items: vec![item],
            incomplete: None,
            summary: report.summary(),
            extra: Map::new(),
        })
    }
}

/// Makes all checks. The error is that of the token or of Exchange; nothing else fails the test.
async fn run(tenant: &Tenant, report: &mut Report<'_>) -> Result<(), Failure> {
    let connection = &tenant.connection;
    let signed_in = match connection.sign_in(Service::Exchange).await {
        Ok(signed_in) => signed_in,
        Err(failure) => {
            report.failed("token", &failure);
            // Signing in again for the other service could lock the account.
            for check in ["exchange", "compliance", "graph"] {
                report.skipped(check, "not tried: there is no token");
            }
            return Err(failure);
        }
    };
    report.works.insert("token");
    report.token(&signed_in);
    report.credential(tenant).await;
    let reach = exchange_reach(tenant, report).await;
    let mut reasons = BTreeMap::new();
    let cmdlets = granted(tenant, Service::Exchange, report, &mut reasons).await;
    let standing = searches_reach(tenant, report).await;
    let deleted = tenant.deleted.standing().await;
    let searches = match standing.classic.clone() {
        Ok(()) => granted(tenant, Service::Compliance, report, &mut reasons).await,
        Err(failure) => {
            reasons.insert("compliance", failure);
            None
        }
    };
    for definition in crate::catalog::all() {
        if definition.meta.session == Session::Graph {
            report.way(&definition.meta, way::of_deleted_mail(deleted.as_ref()));
            continue;
        }
        report.command(
            &definition.meta,
            cmdlets.as_ref(),
            searches.as_ref(),
            &reasons,
            &standing,
        );
    }
    reach
}

/// The cheapest read that the least of the roles may do.
async fn exchange_reach(tenant: &Tenant, report: &mut Report<'_>) -> Result<(), Failure> {
    let begin = tenant.clock.elapsed();
    let probe = GetTenantAllowBlockListItems {
        list_type: ListType::Sender,
        action: None,
        entry: None,
    };
    let call = probe.call().selecting(&["Identity"]).page_size(1);
    let answer = tenant.cmdlets.pages(call).next().await;
    let took = tenant.clock.elapsed().saturating_sub(begin);
    match answer {
        Ok(_) => {
            report.works.insert("exchange");
            let proxy = tenant.connection.proxy();
            let issuer = tenant.connection.certificate_issuer();
            let mut detail = format!("answers in {} ms", took.as_millis());
            if let Some(proxy) = &proxy {
                detail = format!("{detail}, through proxy {proxy}");
            }
            if let Some(issuer) = &issuer {
                detail = format!("{detail}, certificate issued by {issuer}");
            }
            report.passed(
                "exchange",
                &detail,
                json!({
                    "latency_ms": millis(took), "proxy": proxy, "certificate_issuer": issuer,
                    "simulated": tenant.cmdlets.is_simulated()
                }),
            );
            Ok(())
        }
        Err(error) => {
            let failure = error.failure();
            report.failed("exchange", &failure);
            Err(failure)
        }
    }
}

/// Signs in for Compliance and asks for a search that does not exist, and asks Graph whether
/// eDiscovery is open. A failure is a warning.
async fn searches_reach(tenant: &Tenant, report: &mut Report<'_>) -> Standing {
    let begin = tenant.clock.elapsed();
    let signed_in = tenant.connection.sign_in(Service::Compliance).await;
    let mut standing = tenant.search.standing().await;
    if let Err(failure) = signed_in {
        standing.classic = Err(failure);
    }
    let took = tenant.clock.elapsed().saturating_sub(begin);
    let over_graph = standing.graph.as_ref();
    let over_graph = over_graph.is_some_and(|graph| graph.searches.is_ok());
    match &standing.classic {
        Ok(()) => {
            report.works.insert("compliance");
            let detail = format!("answers in {} ms", took.as_millis());
            report.passed("compliance", &detail, json!({ "latency_ms": millis(took) }));
        }
        Err(failure) => {
            report.failed("compliance", failure);
            if !over_graph {
                report.rows.warn(format!(
                    "Compliance does not work with this connection, so the commands for content searches do not either: {}",
                    told(failure)
                ));
            }
        }
    }
    match &standing.graph {
        None => report.skipped("graph", "this connection has no Microsoft Graph"),
        Some(graph) => report.graph(graph),
    }
    standing
}

/// A failure in one line, with what to do.
fn told(failure: &Failure) -> String {
    let hint = failure.hint.as_ref();
    let hint = hint.map_or_else(String::new, |hint| format!(" ({})", escape::line(hint)));
    format!("{}{hint}", escape::line(&failure.message))
}

/// The cmdlets that the roles grant in a service; none where the service does not say.
async fn granted(
    tenant: &Tenant,
    service: Service,
    report: &mut Report<'_>,
    reasons: &mut BTreeMap<&'static str, Failure>,
) -> Option<BTreeSet<String>> {
    match tenant.cmdlets.granted(service).await {
        Ok(granted) => Some(granted.iter().map(|name| name.to_lowercase()).collect()),
        Err(error) => {
            let failure = error.failure();
            let title = service.title();
            report.rows.warn(format!(
                "the cmdlets that the roles grant in {title} could not be read: {}",
                escape::line(&failure.message)
            ));
            let place = if service == Service::Exchange {
                "exchange"
            } else {
                "compliance"
            };
            reasons.insert(place, failure);
            None
        }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// Where the checks go.
struct Report<'a> {
    rows: &'a mut dyn Rows,
    /// What works: `token`, `exchange`, `compliance`, `graph`.
    works: BTreeSet<&'static str>,
    allowed: Vec<&'static str>,
}

impl Report<'_> {
    fn row(&mut self, check: &str, result: &str, detail: &str, more: Value) {
        let mut row = Map::new();
        row.insert("check".to_owned(), json!(check));
        row.insert("result".to_owned(), json!(result));
        row.insert("detail".to_owned(), json!(detail));
        if let Value::Object(more) = more {
            row.extend(more);
        }
        let cells = vec![check.to_owned(), result.to_owned(), detail.to_owned()];
        self.rows.row(Value::Object(row.clone()), cells, row);
    }

    fn passed(&mut self, check: &str, detail: &str, more: Value) {
        self.row(check, "passed", detail, more);
    }

    fn skipped(&mut self, check: &str, detail: &str) {
        self.row(check, "not tried", detail, Value::Null);
    }

    fn failed(&mut self, check: &str, failure: &Failure) {
        let more = json!({
            "kind": failure.kind, "code": failure.code, "status_code": failure.status_code,
            "hint": failure.hint, "request_id": failure.request_id
        });
        self.row(check, "failed", &failure.message, more);
    }

    fn token(&mut self, signed_in: &SignIn) {
        let who = signed_in.who.as_deref().unwrap_or("the managed identity");
        let kind = if signed_in.app_only { "app" } else { "user" };
        let ends = dates::show(signed_in.expires_at);
        let detail = format!("{kind} {}, ends {ends}", escape::line(who));
        self.passed(
            "token",
            &detail,
            json!({
                "who": signed_in.who, "app_only": signed_in.app_only,
                "app_permissions": signed_in.roles, "token_ends": ends,
                "latency_ms": millis(signed_in.took)
            }),
        );
    }

    /// When the secret or certificate ends. Microsoft tells nobody about a secret; a certificate
    /// says it itself.
    async fn credential(&mut self, tenant: &Tenant) {
        let ends = match tenant.connection.credential_expires_at().await {
            Ok(ends) => ends,
            Err(failure) => {
                self.rows.warn(format!(
                    "when the credential ends could not be read: {}",
                    escape::line(&failure.message)
                ));
                None
            }
        };
        let Some(ends) = ends else {
            let detail = "when it ends is not known: only a certificate says so itself";
            self.row(
                "credential",
                "unknown",
                detail,
                json!({ "credential_ends": null }),
            );
            return;
        };
        let shown = dates::show(ends);
        let left = ends.duration_since(tenant.clock.now());
        if left < SignedDuration::from_hours(24 * SOON_DAYS) {
            self.rows.warn(format!(
                "the credential of this connection ends {shown}: renew it in time"
            ));
        }
        self.passed(
            "credential",
            &format!("ends {shown}"),
            json!({ "credential_ends": shown }),
        );
    }

    /// Whether eDiscovery of Graph answers, and whether its reports can be read.
    fn graph(&mut self, graph: &GraphStanding) {
        if graph.searches.is_ok() {
            self.works.insert("graph");
        }
        match (&graph.searches, &graph.reports) {
            (Err(failure), _) => self.failed("graph", failure),
            (Ok(()), Ok(())) => {
                self.passed(
                    "graph",
                    "eDiscovery is open, and so are its reports",
                    json!({}),
                );
            }
            (Ok(()), Err(reports)) => {
                let detail = format!("eDiscovery is open; reports are not: {}", told(reports));
                let more = json!({ "code": reports.code, "hint": reports.hint });
                self.row("graph", "passed", &detail, more);
            }
        }
    }

    /// Whether a command can be run, and for searches which way it takes.
    fn command(
        &mut self,
        meta: &Meta,
        exchange: Option<&BTreeSet<String>>,
        compliance: Option<&BTreeSet<String>>,
        reasons: &BTreeMap<&'static str, Failure>,
        standing: &Standing,
    ) {
        let (result, detail, mut more) = self.by_cmdlets(meta, exchange, compliance, reasons);
        let (mut result, mut detail) = (result, detail);
        if meta.session == Session::Compliance {
            let classic = Classic {
                result,
                detail: detail.clone(),
            };
            if let Some(way) = way::of(meta, standing, &classic) {
                (result, detail) = (way.result, way.detail);
                more = Value::Object(way.more);
            }
        }
        if let Value::Object(more) = &mut more {
            more.insert("command".to_owned(), json!(meta.id));
        }
        if result == "allowed" {
            self.allowed.push(meta.id);
        }
        self.row(&format!("command {}", meta.id), result, &detail, more);
    }

    /// Which way a command of Graph takes.
    fn way(&mut self, meta: &Meta, way: way::Way) {
        let mut more = way.more;
        more.insert("command".to_owned(), json!(meta.id));
        if way.result == "allowed" {
            self.allowed.push(meta.id);
        }
        let check = format!("command {}", meta.id);
        self.row(&check, way.result, &way.detail, Value::Object(more));
    }

    /// Whether the granted roles allow the cmdlets of a command.
    fn by_cmdlets(
        &self,
        meta: &Meta,
        exchange: Option<&BTreeSet<String>>,
        compliance: Option<&BTreeSet<String>>,
        reasons: &BTreeMap<&'static str, Failure>,
    ) -> (&'static str, String, Value) {
        let (granted, place) = match meta.session {
            Session::Exchange | Session::All => (exchange, "exchange"),
            Session::Compliance => (compliance, "compliance"),
            // Judged by the token for Graph alone.
            Session::Graph => (None, "graph"),
        };
        let Some(granted) = granted else {
            let reason = reasons.get(place);
            let why = reason.map_or("", |failure| failure.message.as_str());
            // A service that could not be reached has refused nothing.
            let refused = reason.is_some_and(|failure| {
                matches!(
                    failure.kind,
                    ErrorKind::PermissionDenied | ErrorKind::AuthenticationFailed
                )
            });
            let result = if place == "compliance" && refused && !self.works.contains("compliance") {
                "not allowed"
            } else {
                "unknown"
            };
            let more = json!({ "allowed": (result == "not allowed").then_some(false) });
            return (result, why.to_owned(), more);
        };
        let missing: Vec<&str> = meta
            .cmdlets
            .iter()
            .copied()
            .filter(|name| !DISPENSABLE.contains(name) && !granted.contains(&name.to_lowercase()))
            .collect();
        if missing.is_empty() {
            return ("allowed", String::new(), json!({ "allowed": true }));
        }
        let detail = format!(
            "the roles do not grant {}; assign {} {}",
            missing.join(", "),
            meta.role.title(),
            meta.role.assigned_in()
        );
        let more = json!({
            "allowed": false, "code": code::ROLE_MISSING,
            "role": meta.role.title(), "missing_cmdlets": missing
        });
        ("not allowed", detail, more)
    }

    fn summary(self) -> Summary {
        let mut key_fields = Map::new();
        for check in ["token", "exchange", "compliance", "graph"] {
            key_fields.insert(check.to_owned(), json!(self.works.contains(check)));
        }
        key_fields.insert("allowed_commands".to_owned(), json!(self.allowed));
        Summary {
            table: Table::new("Test of the connection", &[]),
            key_fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use exchange::Reason;
    use kernel::ErrorKind;

    use super::*;
    use crate::fake::{self, Answer, FakeCmdlets, FakeConnection, NoSearch, Taken};

    async fn test(
        connection: FakeConnection,
        search: Option<Failure>,
        granted: &[&str],
        answer: impl Fn() -> Answer + Send + 'static,
    ) -> (ReadEnd, Taken, Arc<FakeCmdlets>) {
        let cmdlets = FakeCmdlets::new(move |_| answer());
        *cmdlets.granted.lock().unwrap() =
            Ok(granted.iter().map(|name| (*name).to_owned()).collect());
        let tenant = cmdlets.tenant_with(Arc::new(connection), Arc::new(NoSearch(search)));
        let mut taken = Taken::default();
        let end = TestConnection::read(&Input {}, &tenant, &mut taken)
            .await
            .unwrap();
        (end, taken, cmdlets)
    }

    fn result<'a>(taken: &'a Taken, check: &str) -> &'a Value {
        taken.raw.iter().find(|row| row["check"] == check).unwrap()
    }

    fn denied() -> Failure {
        Failure::new(
            ErrorKind::PermissionDenied,
            code::APP_ONLY_NOT_SUPPORTED,
            "not for apps",
        )
        .hint("sign a user in")
    }

    #[tokio::test]
    async fn compliance_is_a_warning_and_its_commands_are_not_allowed() {
        let granted = ["get-quarantinemessage", "Get-TenantAllowBlockListItems"];
        let (end, taken, _) = test(FakeConnection::default(), Some(denied()), &granted, || {
            fake::rows([])
        })
        .await;
        assert!(end.complete && end.items[0].outcome == Outcome::Found);
        assert_eq!(result(&taken, "token")["result"], "passed");
        assert_eq!(result(&taken, "exchange")["result"], "passed");
        assert_eq!(
            result(&taken, "compliance")["code"],
            "app_only_not_supported"
        );
        assert!(
            taken.warnings.iter().any(|w| w.contains("sign a user in")),
            "{:?}",
            taken.warnings
        );
        assert_eq!(
            result(&taken, "command list-quarantine-messages")["allowed"],
            true
        );
        let release = result(&taken, "command release-quarantine-messages");
        assert_eq!(
            (&release["allowed"], &release["role"]),
            (&json!(false), &json!("Quarantine"))
        );
        assert_eq!(end.summary.key_fields["compliance"], false);
        let allowed = end.summary.key_fields["allowed_commands"]
            .as_array()
            .unwrap();
        assert!(allowed.contains(&json!("test-connection")), "{allowed:?}");
        let commands = taken
            .raw
            .iter()
            .filter(|row| row["command"].is_string())
            .count();
        assert_eq!(commands, crate::catalog::all().len());
    }

    #[tokio::test]
    async fn without_a_token_nothing_else_is_tried() {
        let refused = Failure::new(ErrorKind::AuthenticationFailed, code::WRONG_PASSWORD, "no");
        let connection = FakeConnection {
            refused: Some(refused),
            ..FakeConnection::default()
        };
        let (end, taken, cmdlets) = test(connection, None, &[], || fake::rows([])).await;
        assert!(!end.complete && cmdlets.names().is_empty());
        assert_eq!(end.items[0].code(), Some(&code::WRONG_PASSWORD));
        assert_eq!(result(&taken, "compliance")["result"], "not tried");
    }

    #[tokio::test]
    async fn a_missing_role_fails_the_test_and_names_the_role() {
        let refusal = || {
            Err(fake::refused(
                Reason::NoDirectoryRole,
                ErrorKind::PermissionDenied,
                code::GRANT_MISSING,
                "no",
            ))
        };
        let (end, taken, _) = test(FakeConnection::default(), None, &[], refusal).await;
        assert_eq!(end.items[0].outcome, Outcome::Rejected);
        assert_eq!(end.items[0].kind(), Some(ErrorKind::PermissionDenied));
        assert_eq!(result(&taken, "exchange")["code"], "grant_missing");
    }

    #[tokio::test]
    async fn a_credential_that_ends_soon_is_warned_about() {
        for (days, warned) in [(5, true), (300, false)] {
            let ends = fake::now() + SignedDuration::from_hours(24 * days);
            let connection = FakeConnection {
                ends: Some(ends),
                ..FakeConnection::default()
            };
            let (_, taken, _) = test(connection, None, &[], || fake::rows([])).await;
            let found = taken.warnings.iter().any(|w| w.contains("renew"));
            assert_eq!(found, warned, "{days}: {:?}", taken.warnings);
        }
    }
}
