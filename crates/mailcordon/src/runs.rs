//! `mailcordon runs`: what was done, what is under way, and taking it back. Of this user's own
//! record, or of a service with `--server`.

mod show;

use std::{sync::Arc, time::Duration};

use clap::{Arg, ArgMatches, Command, value_parser};
use engine::{Cancel, RunRequest, ledger::Claimed};
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use serde_json::Value;
use store::{Access, Filter, RunRow, State, Store};

use crate::{
    arguments, confirm,
    data::{self, Whose},
    output::Format,
    run::{self, Shown},
    setup::{self, Machine},
    signals, terminal,
};

pub use show::{Listing, Parked, note_cancelled, note_item, print_list, print_one, read_result};

/// The grammar.
pub fn grammar() -> Command {
    let run = || {
        Arg::new("run")
            .value_name("RUN-ID")
            .required(true)
            .value_parser(value_parser!(RunId))
    };
    let verb = |name: &'static str, about: &'static str| {
        Command::new(name)
            .about(about)
            .arg(arguments::data())
            .arg(arguments::output_format())
    };
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("runs")
        .about("Lists recorded runs, shows them, and takes them back")
        .subcommand_required(true)
        .subcommand(
            verb("list", "Lists runs, newest first")
                .arg(option("connection", "NAME", "Only those of this connection"))
                .arg(option("command", "ID", "Only those of this command"))
                .arg(
                    option("state", "STATE", "Only those that stand there").value_parser([
                        "queued",
                        "running",
                        "waiting",
                        "parked",
                        "cancelling",
                        "finished",
                    ]),
                )
                .arg(
                    option("limit", "N", "At most this many")
                        .value_parser(value_parser!(usize))
                        .default_value("20"),
                )
                .arg(option("cursor", "TEXT", "Where the page before this one ended")),
        )
        .subcommand(verb("show", "Shows one run, and its result when it is over").arg(run()))
        .subcommand(verb("watch", "Follows a run until it is over").arg(run()))
        .subcommand(verb("cancel", "Asks a run to stop").arg(run()))
        .subcommand(
            verb("undo", "Takes back what a run did, from what it found before").arg(run()).arg(
                arguments::switch("dry-run", "Only says what would be taken back"),
            ),
        )
        .subcommand(
            verb("retry", "Runs again what a run left undone")
                .arg(run())
                .arg(arguments::switch("dry-run", "Only says what would be done"))
                .arg(arguments::switch(
                    "yes",
                    "Does not ask before mail is deleted; needed where there is no terminal",
                )),
        )
        .subcommand(
            verb(
                "resume",
                "Goes on with a run whose program ended, or whose time has come: looks at what was done first",
            )
            .arg(
                Arg::new("run")
                    .value_name("RUN-ID")
                    .value_parser(value_parser!(RunId))
                    .help("The run; without it every run that waits for somebody to go on with it"),
            ),
        )
}

/// Dispatches.
pub fn runs(matches: &ArgMatches) -> Result<u8, Failure> {
    let (verb, matches) = matches
        .subcommand()
        .ok_or_else(|| Failure::internal("`runs` without a verb"))?;
    let machine = Machine::new();
    setup::runtime()?.block_on(async {
        let path = data::database(matches, &machine.environment, Whose::Local)?;
        let access = match verb {
            "undo" | "retry" | "resume" => Access::Share,
            _ => Access::Beside,
        };
        let store = Arc::new(data::open_existing(&path, access, &machine).await?);
        let local = Local {
            machine,
            store,
            matches,
        };
        match verb {
            "list" => local.list().await,
            "show" => local.show().await,
            "watch" => local.watch().await,
            "cancel" => local.cancel().await,
            "undo" => local.undo().await,
            "retry" => local.retry().await,
            "resume" => local.resume().await,
            _ => Err(Failure::internal("a verb without a function")),
        }
    })
}

/// The user's own record.
struct Local<'a> {
    machine: Machine,
    store: Arc<Store>,
    matches: &'a ArgMatches,
}

impl Local<'_> {
    fn run(&self) -> Result<RunId, Failure> {
        let run = self.matches.get_one::<RunId>("run").copied();
        run.ok_or_else(|| Failure::internal("a verb without its run"))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.matches.get_one::<String>(name).cloned()
    }

    async fn list(&self) -> Result<u8, Failure> {
        let filter = Filter {
            connection: self.text("connection"),
            command: self.text("command"),
            state: self.text("state").and_then(|state| state_of(&state)),
            ..Filter::default()
        };
        let limit = self
            .matches
            .get_one::<usize>("limit")
            .copied()
            .unwrap_or(20);
        let cursor = self.text("cursor");
        let page = self.store.runs(&filter, cursor.as_deref(), limit).await;
        let page = page.map_err(store::failure)?;
        let listing = Listing {
            items: page.items.iter().map(server::run_view).collect(),
            next: page.next,
        };
        print_list(self.matches, &listing);
        Ok(0)
    }

    async fn row(&self) -> Result<RunRow, Failure> {
        self.store.run(self.run()?).await.map_err(store::failure)
    }

    async fn show(&self) -> Result<u8, Failure> {
        let run = self.row().await?;
        let result = self.store.result(run.id, true).await;
        let result = result.map_err(store::failure)?;
        print_one(self.matches, &server::run_detail(&run), result)
    }

    async fn watch(&self) -> Result<u8, Failure> {
        let run = self.run()?;
        let mut seen = 0;
        loop {
            let row = self.store.run(run).await.map_err(store::failure)?;
            let items = self.store.items(run, seen, 1000, false).await;
            for item in items.map_err(store::failure)? {
                seen = item.seq;
                note_item(item.item.outcome, &item.item.input);
            }
            if row.state == State::Finished {
                let result = self.store.result(run, true).await;
                let result = result.map_err(store::failure)?;
                return print_one(self.matches, &server::run_detail(&row), result);
            }
            self.machine.clock.sleep(Duration::from_millis(300)).await;
        }
    }

    async fn cancel(&self) -> Result<u8, Failure> {
        let run = self.run()?;
        let cancelled = self.store.cancel(run, &self.machine.user()).await;
        let ended = matches!(cancelled.map_err(store::failure)?, store::Cancelled::Ended);
        note_cancelled(run, ended);
        Ok(0)
    }

    async fn undo(&self) -> Result<u8, Failure> {
        let engine = self.machine.engine(Arc::clone(&self.store) as _);
        let request = engine
            .undo_request(self.run()?, self.matches.get_flag("dry-run"))
            .await?;
        self.go(request, false).await
    }

    async fn retry(&self) -> Result<u8, Failure> {
        let run = self.row().await?;
        let result = self.store.result(run.id, false).await;
        let Some(result) = result.map_err(store::failure)? else {
            return Err(not_over(run.id));
        };
        let items = result.get("items").cloned().unwrap_or_default();
        let items: Vec<engine::ItemView> = serde_json::from_value(items)
            .map_err(|error| Failure::internal(format!("a result cannot be read: {error}")))?;
        let Some(request) = &run.request else {
            return Err(unreadable(run.id));
        };
        let Some(rest) = engine::rest_of(run.id, request, &items) else {
            terminal::note(&format!("run {} left nothing undone", run.id));
            return Ok(0);
        };
        let dry_run = self.matches.get_flag("dry-run");
        let definition = engine::find(&rest.command)?;
        let deletes = definition.meta.effect == kernel::Effect::Destructive && !dry_run;
        self.go(RunRequest { dry_run, ..rest }, deletes).await
    }

    /// Runs a request that was made from a recorded run. One that deletes mail has to be allowed.
    async fn go(&self, mut request: RunRequest, deletes: bool) -> Result<u8, Failure> {
        let config = self.machine.config(self.text("config").as_deref())?;
        let tenant = self.machine.tenant(&config, Some(&request.connection))?;
        let engine = self.machine.engine(Arc::clone(&self.store) as _);
        let cancel = Cancel::default();
        signals::watch(&cancel);
        if deletes {
            let yes = self.matches.get_flag("yes");
            request.expect.shown =
                confirm::confirm(&engine, &request, &tenant, &cancel, yes).await?;
        }
        let shown = Shown::new(Format::of(self.matches));
        let result = engine
            .run(&request, &tenant, shown.observer(), &cancel)
            .await?;
        shown.end(&result);
        run::checkpoint(&self.store).await;
        Ok(result.exit_status())
    }

    async fn resume(&self) -> Result<u8, Failure> {
        let named = self.matches.get_one::<RunId>("run").copied();
        let engine = self.machine.engine(Arc::clone(&self.store) as _);
        let mut worst = 0;
        let mut any = false;
        loop {
            let asked = self.machine.clock.elapsed();
            let claimed = self
                .store
                .claim_one(engine.worker(), engine.lease(), named)
                .await;
            let Some(claimed) = claimed.map_err(store::failure)? else {
                break;
            };
            any = true;
            worst = worst.max(self.go_on(&engine, &claimed, asked).await?);
            if named.is_some() {
                break;
            }
        }
        if !any {
            let what = named.map_or_else(
                || "no run waits for somebody to go on with it".to_owned(),
                |run| format!("run {run} cannot be gone on with: it is over, parked, or driven"),
            );
            terminal::note(&what);
        }
        Ok(worst)
    }

    async fn go_on(
        &self,
        engine: &engine::Engine,
        claimed: &Claimed,
        asked: Duration,
    ) -> Result<u8, Failure> {
        let config = self.machine.config(self.text("config").as_deref())?;
        let connection = Some(claimed.request.connection.as_str());
        let tenant = self.machine.tenant(&config, connection)?;
        let cancel = Cancel::default();
        signals::watch(&cancel);
        let shown = Shown::new(Format::of(self.matches));
        let result = engine
            .resume(claimed, asked, &tenant, shown.observer(), &cancel)
            .await?;
        shown.end(&result);
        run::checkpoint(&self.store).await;
        Ok(result.exit_status())
    }
}

fn not_over(run: RunId) -> Failure {
    Failure::new(
        ErrorKind::NotReady,
        code::RUN_NOT_OVER,
        format!("run {run} is not over yet"),
    )
    .status(409)
}

fn unreadable(run: RunId) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::UNKNOWN_VERSION,
        format!("the request of run {run} is of a version that this program does not know"),
    )
    .status(409)
}

fn state_of(text: &str) -> Option<State> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}
