//! The rows: every operation, by group.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::parts::{Route, Rows};
use crate::{
    Connection,
    admin::{
        self, ChainView, EntryView, FreezeBody, FreezeView, NewTokenBody, NewTokenView, TokenView,
    },
    checks::{self, EntryBody, KqlBody, MatchBody},
    commands::{self, CommandDoc},
    connections, docs, health,
    health::{StatusView, VersionView},
    metrics,
    runs::{self, DryRunBody, RetryBody, StartBody, UndoBody},
    schemas::{ItemEntry, Paged, PlanDoc, ResultDoc, RunDetail, RunView},
    vendor::{self, VendorAnswer, VendorBody},
};

macro_rules! by {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

/// All of them.
pub(super) fn all(schemas: &mut SchemaGenerator) -> Vec<Route> {
    let mut out = Vec::new();
    out.extend(catalogue(&mut Rows {
        schemas,
        group: "commands",
    }));
    out.extend(starting(&mut Rows {
        schemas,
        group: "runs",
    }));
    out.extend(looking(&mut Rows {
        schemas,
        group: "runs",
    }));
    out.extend(acting(&mut Rows {
        schemas,
        group: "runs",
    }));
    out.extend(of_connections(&mut Rows {
        schemas,
        group: "connections",
    }));
    out.extend(offline(&mut Rows {
        schemas,
        group: "checks",
    }));
    out.extend(audit(&mut Rows {
        schemas,
        group: "audit",
    }));
    out.extend(tokens(&mut Rows {
        schemas,
        group: "tokens",
    }));
    out.extend(freeze(&mut Rows {
        schemas,
        group: "freeze",
    }));
    out.extend(service(&mut Rows {
        schemas,
        group: "service",
    }));
    out.extend(by_vendor(&mut Rows {
        schemas,
        group: vendor::GROUP,
    }));
    out
}

fn catalogue(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.get("listCommands", "/api/v1/commands")
            .says(
                "All commands",
                "Each with its parameters and the JSON schema of its input.",
            )
            .needs("read")
            .gives::<Vec<CommandDoc>>(200, "The commands.")
            .by(by!(commands::list), &[]),
        rows.get("getCommand", "/api/v1/commands/{command}")
            .says("One command", "")
            .needs("read")
            .gives::<CommandDoc>(200, "The command.")
            .by(by!(commands::one), &[404]),
    ]
}

fn starting(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.post("startRun", "/api/v1/runs")
            .says(
                "Start a run",
                "The scope follows from the effect of the command: `read` for what reads or only \
                 prepares and for every dry run, `write` for what changes, `destructive` for what \
                 deletes mail; that also needs the `plan_hash` of a dry run, unless the token \
                 waives it. When the tenant is no longer what that dry run showed, nothing is \
                 sent: whoever waits for the end is answered 409 `plan_changed` with the \
                 difference, and else the run's result tells it.",
            )
            .needs_by_effect("read")
            .audited("submitted")
            .waits()
            .idempotent()
            .takes::<StartBody>(true)
            .gives::<RunView>(202, "It is recorded; `Location` says where.")
            .gives::<ResultDoc>(200, "It ended within `wait`: its result.")
            .by(by!(runs::start), &[404, 409]),
        rows.post("startDryRun", "/api/v1/dry-runs")
            .says(
                "Start a dry run",
                "The same as a run with `dry_run`: says what would happen, and the `plan_hash`.",
            )
            .needs("read")
            .audited("submitted")
            .waits()
            .idempotent()
            .takes::<DryRunBody>(true)
            .gives::<RunView>(202, "It is recorded; `Location` says where.")
            .gives::<ResultDoc>(200, "It ended within `wait`: its result.")
            .by(by!(runs::dry_run), &[404, 409]),
    ]
}

fn looking(rows: &mut Rows<'_>) -> Vec<Route> {
    let text = || json!({ "type": "string" });
    vec![
        rows.get("listRuns", "/api/v1/runs")
            .says(
                "The runs, newest first",
                "A page may be shorter than `limit` for a token that is bound to several \
                 connections; `next` says whether there are more.",
            )
            .needs("read")
            .paged()
            .query("connection", "Only of this connection.", text())
            .query("command", "Only of this command.", text())
            .query(
                "state",
                "Only those that stand there.",
                json!({ "enum": ["queued", "running", "waiting", "parked", "cancelling", "finished"] }),
            )
            .query("since", "Recorded then or later, in UTC.", text())
            .query("until", "Recorded before then, in UTC.", text())
            .gives::<Paged<RunView>>(200, "A page.")
            .by(by!(runs::list), &[404]),
        rows.get("getRun", "/api/v1/runs/{run}")
            .says("One run", "Where it stands, and what was asked for.")
            .needs("read")
            .gives::<RunDetail>(200, "The run.")
            .by(by!(runs::one), &[404]),
        rows.get("listItems", "/api/v1/runs/{run}/items")
            .says("The settled items of a run", "In the order in which they were settled.")
            .needs("read")
            .paged()
            .gives::<Paged<ItemEntry>>(200, "A page.")
            .by(by!(runs::items), &[404]),
        rows.get("getResult", "/api/v1/runs/{run}/result")
            .says("The result of a run that is over", "The same object as from every way in.")
            .needs("read")
            .with_raw()
            .gives::<ResultDoc>(200, "The result.")
            .by(by!(runs::result), &[404, 409]),
        rows.get("getRaw", "/api/v1/runs/{run}/raw")
            .says("The service's rows of a run that is over", "As they came, unescaped.")
            .needs("raw")
            .audited("raw_read")
            .gives::<Value>(200, "`raw_data` of the result; null when it is kept no longer.")
            .by(by!(runs::raw), &[404, 409]),
        rows.get("getPlan", "/api/v1/runs/{run}/plan")
            .says("What a run would do, or set out to do", "")
            .needs("read")
            .gives::<PlanDoc>(200, "The plan.")
            .by(by!(runs::plan), &[404]),
        rows.get("watchRun", "/api/v1/runs/{run}/events")
            .says(
                "Watch a run",
                "Server-sent events: `item` (as in the list of items), `progress` (`done`, \
                 `total`), `state` (the run) and, last, `end`. The `id` of an event is the place \
                 of the last item.",
            )
            .needs("read")
            .header("Last-Event-ID", "The `id` of the last event that arrived: goes on after it.")
            .gives_as(200, "The events.", "text/event-stream", json!({
                    "type": "object",
                    "properties": {
                        "id": { "type": "string" },
                        "event": { "enum": ["item", "progress", "state", "end"] },
                        "data": { "type": "string", "contentMediaType": "application/json" },
                    },
                    "required": ["id", "event", "data"],
                }))
            .by(by!(runs::events), &[404]),
    ]
}

fn acting(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.post("cancelRun", "/api/v1/runs/{run}/cancel")
            .says(
                "Ask a run to stop",
                "What is done stays recorded, what is not is said. A run that changes something \
                 needs the scope `write`.",
            )
            .needs_by_effect("read")
            .audited("cancel_asked")
            .gives::<RunView>(202, "It was asked.")
            .by(by!(runs::cancel), &[404, 409]),
        rows.post("undoRun", "/api/v1/runs/{run}/undo")
            .says(
                "Take a run back",
                "A new run, from the before-images; an item that somebody changed since is left \
                 alone and named. A dry run of it needs the scope `read` only.",
            )
            .needs_by_effect("read")
            .audited("submitted")
            .waits()
            .idempotent()
            .takes::<UndoBody>(false)
            .gives::<RunView>(202, "It is recorded; `Location` says where.")
            .gives::<ResultDoc>(200, "It ended within `wait`: its result.")
            .by(by!(runs::undo), &[404, 409]),
        rows.post("retryRun", "/api/v1/runs/{run}/retry")
            .says(
                "Try again what a run left undone",
                "A new run with the failed part of its lists.",
            )
            .needs_by_effect("read")
            .audited("submitted")
            .waits()
            .idempotent()
            .takes::<RetryBody>(false)
            .gives::<RunView>(202, "It is recorded; `Location` says where.")
            .gives::<ResultDoc>(200, "It ended within `wait`: its result.")
            .by(by!(runs::retry), &[404, 409]),
        rows.post("unparkRun", "/api/v1/runs/{run}/unpark")
            .says("Let a parked run go on", "")
            .needs("admin")
            .audited("unparked")
            .gives::<RunView>(202, "It is queued again.")
            .by(by!(runs::unpark), &[404, 409]),
    ]
}

fn of_connections(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.get("listConnections", "/api/v1/connections")
            .says(
                "The connections that the token sees",
                "Nothing of their credentials.",
            )
            .needs("read")
            .gives::<Vec<Connection>>(200, "The connections.")
            .by(by!(connections::list), &[]),
        rows.post("testConnection", "/api/v1/connections/{connection}/test")
            .says("Test a connection", "A run of `test-connection`.")
            .needs("read")
            .audited("submitted")
            .waits()
            .idempotent()
            .gives::<RunView>(202, "It is recorded; `Location` says where.")
            .gives::<ResultDoc>(200, "It ended within `wait`: its result.")
            .by(by!(connections::test), &[404, 409]),
    ]
}

fn offline(rows: &mut Rows<'_>) -> Vec<Route> {
    let objects = || json!({ "type": "array", "items": { "type": "object" } });
    let media = "application/json";
    vec![
        rows.post("checkEntry", "/api/v1/checks/entry")
            .says(
                "Judge values for a list",
                "Offline, as `mailcordon check entry`.",
            )
            .needs("read")
            .takes::<EntryBody>(true)
            .gives_as(200, "One judgement a value.", media, objects())
            .by(by!(checks::entry), &[]),
        rows.post("checkMatch", "/api/v1/checks/match")
            .says(
                "Hold URLs against entries",
                "Offline, as `mailcordon check match`.",
            )
            .needs("read")
            .takes::<MatchBody>(true)
            .gives_as(200, "One judgement an entry and URL.", media, objects())
            .by(by!(checks::matching), &[]),
        rows.post("checkKql", "/api/v1/checks/kql")
            .says("Judge queries", "Offline, as `mailcordon check kql`.")
            .needs("read")
            .takes::<KqlBody>(true)
            .gives_as(200, "One judgement a query.", media, objects())
            .by(by!(checks::kql), &[]),
        rows.post("checkMail", "/api/v1/checks/mail")
            .says(
                "What a mail holds",
                "Offline, as `mailcordon check mail`; the body is the mail.",
            )
            .needs("read")
            .query("file", "The name to show.", json!({ "type": "string" }))
            .takes_as("message/rfc822", json!({ "type": "string" }))
            .gives_as(
                200,
                "Senders, links and files.",
                media,
                json!({ "type": "object" }),
            )
            .by(by!(checks::mail), &[]),
    ]
}

fn audit(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.get("listChains", "/api/v1/audit/chains")
            .says(
                "The audit chains",
                "One for each connection, one for the installation.",
            )
            .needs("admin")
            .gives::<Vec<ChainView>>(200, "The chains.")
            .by(by!(admin::chains), &[]),
        rows.get("listEntries", "/api/v1/audit/chains/{chain}")
            .says("The entries of a chain", "Oldest first.")
            .needs("admin")
            .paged()
            .gives::<Paged<EntryView>>(200, "A page.")
            .by(by!(admin::entries), &[404]),
        rows.get("exportAudit", "/api/v1/audit/export")
            .says(
                "All entries",
                "JSON lines, as `mailcordon audit verify` reads them.",
            )
            .needs("admin")
            .audited("audit_exported")
            .gives_as(
                200,
                "The entries.",
                "application/x-ndjson",
                json!({ "type": "string" }),
            )
            .by(by!(admin::export), &[]),
        rows.get("verifyAudit", "/api/v1/audit/verify")
            .says(
                "Look for gaps in the chains",
                "What can be seen from inside; the proof of the hashes is made offline.",
            )
            .needs("admin")
            .gives::<store::audit::Verdict>(200, "What was found.")
            .by(by!(admin::verify), &[]),
    ]
}

fn tokens(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.get("listTokens", "/api/v1/tokens")
            .says("All tokens", "Also ended and revoked ones; never a secret.")
            .needs("admin")
            .gives::<Vec<TokenView>>(200, "The tokens.")
            .by(by!(admin::list), &[]),
        rows.post("createToken", "/api/v1/tokens")
            .says("Make a token", "Its secret is shown once, in the answer.")
            .needs("admin")
            .audited("token_created")
            .takes::<NewTokenBody>(true)
            .gives::<NewTokenView>(201, "The token and its secret.")
            .by(by!(admin::create), &[409]),
        rows.delete("revokeToken", "/api/v1/tokens/{token}")
            .says(
                "Revoke a token",
                "It is refused from then on; its runs go on.",
            )
            .needs("admin")
            .audited("token_revoked")
            .gives_nothing("It is revoked.")
            .by(by!(admin::revoke), &[404]),
    ]
}

fn freeze(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.get("getFreeze", "/api/v1/freeze")
            .says("Whether changes are frozen", "")
            .needs("read")
            .gives::<FreezeView>(200, "Whether they are.")
            .by(by!(admin::frozen), &[]),
        rows.put("freeze", "/api/v1/freeze")
            .says(
                "Freeze all changes",
                "Stops every new change at once, and running ones after the present item.",
            )
            .needs("admin")
            .audited("frozen")
            .takes::<FreezeBody>(true)
            .gives::<FreezeView>(200, "They are frozen.")
            .by(by!(admin::freeze), &[]),
        rows.delete("unfreeze", "/api/v1/freeze")
            .says("Let changes go on", "")
            .needs("admin")
            .audited("unfrozen")
            .gives_nothing("They go on.")
            .by(by!(admin::unfreeze), &[]),
    ]
}

fn service(rows: &mut Rows<'_>) -> Vec<Route> {
    let text = || json!({ "type": "string" });
    vec![
        rows.get("getHealth", "/api/v1/health")
            .says("Whether the service lives", "")
            .gives::<StatusView>(200, "It does.")
            .by(by!(health::health), &[]),
        rows.get("getReadiness", "/api/v1/ready")
            .says(
                "Whether the service can work",
                "503 when its store takes no write, so that nothing could be started; looked at every few \
                 seconds.",
            )
            .gives::<StatusView>(200, "It can.")
            .by(by!(health::ready), &[]),
        rows.get("getVersion", "/api/v1/version")
            .says("The versions of program, API and schema", "")
            .needs("read")
            .gives::<VersionView>(200, "The versions.")
            .by(by!(health::version), &[]),
        rows.get("getMetrics", "/metrics")
            .says("Metrics", "In Prometheus' text format.")
            .needs("read")
            .gives_as(200, "The metrics.", "text/plain", text())
            .by(by!(metrics::scrape), &[]),
        rows.get("getOpenApi", "/api/v1/openapi.json")
            .says("This document", "")
            .gives::<Value>(200, "The document.")
            .by(by!(docs::document), &[]),
        rows.get("getDocs", "/api/v1/docs")
            .says(
                "This document as a page",
                "It loads nothing from elsewhere.",
            )
            .gives_as(200, "The page.", "text/html", text())
            .by(by!(docs::page), &[]),
    ]
}

fn by_vendor(rows: &mut Rows<'_>) -> Vec<Route> {
    vec![
        rows.post("runVendorCommand", "/api/v1/d3/commands/{command}")
            .says(
                "Run a command in the vendor's shape",
                "Waits for the end. `Partially Successful` is answered for the commands for which \
                 the vendor's page knows it, and `Failed` for the others unless \
                 `partially_successful` is set. The right follows from the effect of the command.",
            )
            .needs_by_effect("read")
            .audited("submitted")
            .query(
                "partially_successful",
                "Answer `Partially Successful` for every command.",
                json!({ "type": "boolean", "default": false }),
            )
            .idempotent()
            .takes::<VendorBody>(true)
            .gives::<VendorAnswer>(200, "It is over.")
            .gives::<VendorAnswer>(202, "It goes on; `result` says how to follow it.")
            .by(by!(vendor::run), &[404, 409]),
    ]
}
