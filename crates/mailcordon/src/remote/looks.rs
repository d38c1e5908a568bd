//! `mailcordon runs` at the service.

use clap::ArgMatches;
use engine::{Cancel, ItemView};
use kernel::{Effect, Failure, failure::code, ids::RunId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Service,
    client::Ask,
    events::{Follow, Seen, Standing},
    part, result,
    run::{Allowed, Going},
    usage,
};
use crate::{
    output::Format,
    runs::{self, Listing},
    signals, terminal,
};

/// The longest page of the service.
const PAGE: usize = 500;

/// Dispatches.
pub async fn runs(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    let (verb, matches) = matches
        .subcommand()
        .ok_or_else(|| Failure::internal("`runs` without a verb"))?;
    if verb == "list" {
        return list(service, matches).await;
    }
    if verb == "resume" {
        return Err(usage(
            "a service goes on with its runs by itself, also after a restart".to_owned(),
        )
        .hint("`mailcordon runs list --state parked` shows those that wait for an administrator"));
    }
    let run = matches.get_one::<RunId>("run").copied();
    let run = run.ok_or_else(|| Failure::internal("a verb without its run"))?;
    match verb {
        "show" => show(service, matches, run).await,
        "watch" => watch(service, matches, run).await,
        "cancel" => cancel(service, run).await,
        "undo" | "retry" => again(service, matches, run, verb).await,
        _ => Err(Failure::internal("a verb without a function")),
    }
}

async fn list(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    let limit = matches.get_one::<usize>("limit").copied().unwrap_or(20);
    let mut query = String::new();
    for name in ["connection", "command", "state"] {
        if let Some(value) = matches.get_one::<String>(name) {
            query = format!("{query}&{name}={}", part(value));
        }
    }
    let mut listing = Listing {
        items: Vec::new(),
        next: matches.get_one::<String>("cursor").cloned(),
    };
    loop {
        let left = limit.saturating_sub(listing.items.len()).clamp(1, PAGE);
        let cursor = listing
            .next
            .as_deref()
            .map(|at| format!("&cursor={}", part(at)));
        let cursor = cursor.unwrap_or_default();
        let path = format!("/api/v1/runs?limit={left}{query}{cursor}");
        let page: Listing = service.client.json(&Ask::get(path)).await?;
        listing.items.extend(page.items);
        listing.next = page.next;
        if listing.next.is_none() || listing.items.len() >= limit {
            break;
        }
    }
    runs::print_list(matches, &listing);
    Ok(0)
}

async fn row(service: &Service, run: RunId) -> Result<Value, Failure> {
    let ask = Ask::get(format!("/api/v1/runs/{run}"));
    service.client.json(&ask).await
}

async fn show(service: &Service, matches: &ArgMatches, run: RunId) -> Result<u8, Failure> {
    let row = row(service, run).await?;
    let over = row.get("state").and_then(Value::as_str) == Some("finished");
    let result = if over {
        let raw = Format::of(matches) != Format::Table;
        Some(result::value(&service.client, run, raw).await?)
    } else {
        None
    };
    runs::print_one(matches, &row, result)
}

/// Says what is settled, as it comes.
struct Notes {
    waits: Option<String>,
}

impl Seen for Notes {
    fn item(&mut self, item: ItemView) {
        runs::note_item(item.outcome, &item.input);
    }

    fn standing(&mut self, standing: &Standing) -> bool {
        let waits = standing
            .waiting
            .as_ref()
            .map(|waiting| waiting.what.clone());
        if let Some(what) = waits.as_ref().filter(|_| waits != self.waits) {
            terminal::note(&format!("waits: {what}"));
        }
        self.waits = waits;
        if let Some(parked) = &standing.parked {
            terminal::failure(&parked.failure());
        }
        true
    }
}

async fn watch(service: &Service, matches: &ArgMatches, run: RunId) -> Result<u8, Failure> {
    // Ctrl-C ends the watching and not the run, so nothing listens for it.
    let never = Cancel::default();
    let follow = Follow::new(&service.client, run, &never);
    follow.until_over(&mut Notes { waits: None }).await?;
    show(service, matches, run).await
}

async fn cancel(service: &Service, run: RunId) -> Result<u8, Failure> {
    #[derive(Deserialize)]
    struct Now {
        state: String,
    }
    let ask = Ask::post_nothing(format!("/api/v1/runs/{run}/cancel"));
    let now: Now = service.client.json(&ask).await?;
    runs::note_cancelled(run, now.state == "finished");
    Ok(0)
}

async fn again(
    service: &Service,
    matches: &ArgMatches,
    run: RunId,
    verb: &str,
) -> Result<u8, Failure> {
    #[derive(Deserialize)]
    struct Of {
        effect: Effect,
        dry_run: bool,
    }
    let dry_run = matches.get_flag("dry-run");
    let of: Of = service
        .client
        .json(&Ask::get(format!("/api/v1/runs/{run}")))
        .await?;
    let cancel = Cancel::default();
    signals::watch(&cancel);
    let going = Going {
        service,
        format: Format::of(matches),
        cancel,
    };
    let path = format!("/api/v1/runs/{run}/{verb}");
    let ask = |dry_run: bool, hash: Option<String>| {
        Ask::post(
            path.clone(),
            json!({ "dry_run": dry_run, "plan_hash": hash }),
        )
    };
    let deletes = verb == "retry" && of.effect == Effect::Destructive && !of.dry_run && !dry_run;
    let ended = if deletes {
        let yes = matches.get_flag("yes");
        match going.allowed(ask(true, None), None, yes).await {
            Ok(Allowed::Plan(hash)) => going.go(ask(false, Some(hash))).await,
            Ok(Allowed::Nothing(code)) => Ok(code),
            Err(failure) => Err(failure),
        }
    } else {
        going.go(ask(dry_run, None)).await
    };
    match ended {
        Err(failure)
            if verb == "retry"
                && failure.code == code::BAD_REQUEST
                && failure.status_code == 409 =>
        {
            terminal::note(&format!("run {run} left nothing undone"));
            Ok(0)
        }
        ended => ended,
    }
}
