//! Scenarios of the commands over mail searches, with the sandbox's switch `legacy`.

use sandbox::{
    fault::{Fault, FaultKind},
    options::Planting,
};
use serde_json::{Value, json};
use testkit::{Lab, facts};

use super::{Ask, Wish, exchange::turn};

/// The commands.
pub const COMMANDS: &[&str] = &[
    "start-compliance-content-search",
    "get-compliance-content-search-status",
    "preview-compliance-search-result",
    "delete-search-result-emails",
    "search-and-purge",
];

/// Command and name of each.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("start-compliance-content-search", "fresh"),
    ("start-compliance-content-search", "running"),
    ("start-compliance-content-search", "slow"),
    ("start-compliance-content-search", "malformed"),
    ("start-compliance-content-search", "refused"),
    ("start-compliance-content-search", "cancelled"),
    ("start-compliance-content-search", "lost"),
    ("get-compliance-content-search-status", "some"),
    ("get-compliance-content-search-status", "malformed"),
    ("get-compliance-content-search-status", "refused"),
    ("get-compliance-content-search-status", "unreadable"),
    ("preview-compliance-search-result", "fresh"),
    ("preview-compliance-search-result", "slow"),
    ("preview-compliance-search-result", "refused"),
    ("preview-compliance-search-result", "unreadable"),
    ("preview-compliance-search-result", "lost"),
    ("delete-search-result-emails", "fresh"),
    ("delete-search-result-emails", "already"),
    ("delete-search-result-emails", "slow"),
    ("delete-search-result-emails", "malformed"),
    ("delete-search-result-emails", "refused"),
    ("delete-search-result-emails", "cancelled"),
    ("delete-search-result-emails", "lost"),
    ("search-and-purge", "fresh"),
    ("search-and-purge", "already"),
    ("search-and-purge", "slow"),
    ("search-and-purge", "malformed"),
    ("search-and-purge", "refused"),
    ("search-and-purge", "cancelled"),
    ("search-and-purge", "lost"),
];

/// A query that finds mail of the attack.
pub const QUERY: &str = "from:example";

/// Makes a finished search.
pub async fn ready(lab: &Lab, name: &str) {
    let input = json!({"search_names": [name], "content_search_filter": QUERY, "wait": true});
    lab.prepare("start-compliance-content-search", input).await;
}

/// The plainest input of a command about a search called `wave` (`fresh` where one is made).
pub fn plain(command: &str) -> Value {
    match command {
        "start-compliance-content-search" => {
            json!({"search_names": ["fresh"], "content_search_filter": QUERY})
        }
        "preview-compliance-search-result" => json!({"search_name": "wave"}),
        "search-and-purge" => json!({
            "query": QUERY, "delete_type": "hard_delete", "search_name": "fresh",
            "settling_time": "1s",
        }),
        _ => json!({"search_names": ["wave"]}),
    }
}

fn slow(lab: &Lab) {
    lab.running
        .change(|settings| settings.pace_percent = 100_000)
        .unwrap();
}

/// A name that no search can have.
fn bad() -> String {
    "n".repeat(201)
}

/// Prepares the tenant.
pub async fn prepare(lab: &Lab, command: &'static str, name: &str) -> Ask {
    let ask = match command {
        "start-compliance-content-search" => start(lab, name).await,
        "get-compliance-content-search-status" => status(lab, name).await,
        "preview-compliance-search-result" => preview(lab, name).await,
        "delete-search-result-emails" => delete(lab, name).await,
        "search-and-purge" => rounds(lab, name).await,
        other => panic!("no scenario for {other}"),
    };
    ask.turn(turn(name))
}

async fn start(lab: &Lab, name: &str) -> Ask {
    let names = ["one", "two"];
    let mut input = json!({"search_names": names, "content_search_filter": QUERY});
    let wishing = |ask: Ask, wish: &Wish| {
        names.iter().fold(ask, |ask, name| {
            ask.wish(*name, facts::search(name), wish.clone())
        })
    };
    match name {
        "running" => {
            slow(lab);
            lab.prepare("start-compliance-content-search", input.clone())
                .await;
            return wishing(Ask::new(input), &Wish::Present);
        }
        "slow" => {
            slow(lab);
            input["wait"] = json!(true);
            input["time_limit"] = json!("5s");
        }
        "malformed" => input["search_names"] = json!(["one", bad(), "two"]),
        "refused" => {
            ready(lab, "three").await;
            input["search_names"] = json!(["one", "three", "two"]);
            input["content_search_filter"] = json!("subject:invoice");
            let ask = wishing(Ask::new(input), &Wish::Renewed);
            return ask.wish("three", facts::search("three"), Wish::Renewed);
        }
        _ => {}
    }
    wishing(Ask::new(input), &Wish::Renewed)
}

/// Nothing can be read any more.
fn unreadable(lab: &Lab) {
    lab.faults(vec![Fault {
        count: 0,
        ..Fault::once(FaultKind::Reset)
    }]);
}

async fn status(lab: &Lab, name: &str) -> Ask {
    ready(lab, "wave").await;
    if name == "unreadable" {
        unreadable(lab);
    }
    let more = match name {
        "malformed" => bad(),
        "refused" => "no such search".to_owned(),
        _ => "WAVE".to_owned(),
    };
    Ask::new(json!({"search_names": ["wave", more]})).wish(
        "wave",
        facts::search("wave"),
        Wish::Present,
    )
}

async fn preview(lab: &Lab, name: &str) -> Ask {
    ready(lab, "wave").await;
    let mut input = plain("preview-compliance-search-result");
    match name {
        "slow" => {
            slow(lab);
            input["time_limit"] = json!("5s");
        }
        "refused" => input["search_name"] = json!("no such search"),
        "unreadable" => unreadable(lab),
        _ => {}
    }
    let asked = input["search_name"].as_str().unwrap().to_owned();
    Ask::new(input).wish(asked, facts::action("wave_Preview"), Wish::Present)
}

async fn delete(lab: &Lab, name: &str) -> Ask {
    ready(lab, "wave").await;
    let mut names = vec!["wave".to_owned()];
    let mut ask = Ask::new(json!({}));
    match name {
        "already" => {
            let input = plain("delete-search-result-emails");
            let first = lab.run("delete-search-result-emails", input).await;
            assert!(
                first
                    .items
                    .iter()
                    .any(|item| item.outcome == commands::Outcome::Purged)
            );
        }
        "slow" => slow(lab),
        "malformed" => names.push(bad()),
        "refused" => names.push("no such search".to_owned()),
        "cancelled" => {
            ready(lab, "second").await;
            names.push("second".to_owned());
            ask = ask.wish("second", facts::action("second_Purge"), Wish::Present);
        }
        _ => {}
    }
    ask.input = json!({ "search_names": names });
    if name == "slow" {
        ask.input["time_limit"] = json!("5s");
    }
    ask.wish("wave", facts::action("wave_Purge"), Wish::Present)
}

/// A wave of mail in two mailboxes, purged in rounds.
async fn rounds(lab: &Lab, name: &str) -> Ask {
    let wave = Planting {
        messages: 13,
        largest: 11,
        to: crate::ground::plain_mailboxes(lab, 2),
        ..Planting::default()
    };
    lab.running.plant(&wave).unwrap();
    let query = match name {
        "already" => "from:\"nobody@nowhere.example\"".to_owned(),
        "malformed" => "from:a subject:b".to_owned(),
        _ => format!("from:\"{}\"", wave.sender),
    };
    match name {
        "slow" => slow(lab),
        "refused" => ready(lab, "wave").await,
        _ => {}
    }
    let mut input = json!({
        "query": query, "delete_type": "hard_delete", "search_name": "wave", "settling_time": "1s",
        "mailboxes": wave.to,
    });
    if name == "slow" {
        input["time_limit"] = json!("5s");
    }
    let people = crate::ground::people(lab);
    let ask = Ask::new(input).wish("wave", facts::search("wave"), Wish::Renewed);
    if name == "already" {
        return ask.wish(query, facts::mailbox_type(&people[0]), Wish::Present);
    }
    let mut purged = vec![
        query,
        "wave: round 1".to_owned(),
        "wave: round 2".to_owned(),
    ];
    purged.extend(wave.to.iter().map(|mailbox| format!("wave: {mailbox}")));
    purged.into_iter().fold(ask, |ask, item| {
        ask.wish(item, facts::action("wave_Purge"), Wish::Present)
    })
}
