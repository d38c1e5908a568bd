//! The story, step by step. What each step must turn out as stands beside it; where it does not,
//! the story ends and says so.

use std::time::Duration;

use commands::Outcome;
use engine::{ReturnData, RunResult};
use sandbox::{
    options::{Compliance, Planting},
    tenant::company::PAYROLL,
};
use serde_json::{Value, json};

use super::{
    blocking,
    finding::{self, Wanted, at},
    letter::Letter,
    pace::FASTER,
    stage::{Look, Stage, Told, good, say, turned_out},
};

/// Printed before anything is started.
pub const OPENING: &[&str] = &[
    "mailcordon demo: a phishing attack, contained in a simulated Microsoft 365 tenant.",
    "    Nothing leaves this machine: the tenant lives inside this process, behind real HTTP.",
];

/// Printed last.
pub const ENDING: &[&str] = &[
    "",
    "Next:",
    "    mailcordon demo --mail suspicious.eml        the same story with a mail of yours",
    "    mailcordon sandbox --config-out ./sandbox    this tenant, to run commands by hand against",
    "    docs/app-registration.md                     a real tenant: the app and its roles",
];

/// Whose mailbox was taken over.
pub const VICTIM: &str = "megan@northwind.example";
/// Who looks after it now.
pub const RESPONDER: &str = "soc.admin@northwind.example";
/// A partner whose mail was caught by mistake.
const PARTNER: &str = "alerts@tailspin.example";
/// A colleague, and the subject of a mail that a purge took by mistake.
const COLLEAGUE: &str = "carl.winter@northwind.example";
/// See [`COLLEAGUE`].
pub const LOST: &str = "Your March invoice";
/// The content search.
const SEARCH: &str = "payslip";
/// The search for what the first purge left.
const SECOND: &str = "payslip-2";
/// Work of eDiscovery takes minutes; nobody waits for it in a story.
const HURRY: u32 = 20;
/// Columns of the quarantine that the story leaves out.
const HELD: &[&str] = &["Identity", "Sender", "Received"];
/// A purge may take no more than this.
const AT_MOST: u64 = 100;
/// Purges until the story gives up.
const ROUNDS: usize = 4;

/// Tells it. `theirs` is the person's own mail.
pub async fn tell(stage: &mut Stage, own: &Letter, theirs: Option<&Letter>) -> Told<()> {
    say(&format!(
        "Switch: client and tenant share a clock that runs {FASTER} times faster than yours."
    ));
    blocking::mail(stage, own, theirs);
    connection(stage).await?;
    let mut wanted = blocking::block(stage, own, theirs).await?;
    let spare = theirs.filter(|letter| !letter.senders.is_empty());
    blocking::lift(stage, spare.unwrap_or(own).spare.as_ref(), &mut wanted).await?;
    quarantine(stage, &mut wanted).await?;
    search(stage).await?;
    purge(stage).await?;
    mailbox(stage).await?;
    finding::judge(stage, &wanted)
}

async fn connection(stage: &mut Stage) -> Told<()> {
    stage.scene("Does the sign-in work, and what may it do?");
    let look = Look::table(4, &[]);
    good(stage.run("test-connection", json!({}), look).await?)?;
    Ok(())
}

async fn quarantine(stage: &mut Stage, wanted: &mut Wanted) -> Told<()> {
    stage.scene(
        "What did the filter catch? The phish stays; a partner's mail, caught by mistake, goes out.",
    );
    let look = Look::table(2, HELD);
    let input = json!({ "sender_addresses": [PAYROLL.sender] });
    let result = good(stage.run("list-quarantine-messages", input, look).await?)?;
    if rows(&result).is_empty() {
        return Err("the quarantine holds nothing of the attack".to_owned());
    }
    let input = json!({ "sender_addresses": [PARTNER] });
    let look = Look::table(3, HELD);
    let result = good(stage.run("list-quarantine-messages", input, look).await?)?;
    let held = rows(&result).iter().find(|row| {
        *at(row, "ReleaseStatus") == "NOTRELEASED"
            && ["Spam", "Bulk"]
                .iter()
                .any(|kind| *at(row, "Type") == **kind)
    });
    let Some(identity) = held.and_then(|row| at(row, "Identity").as_str()) else {
        return Err(format!(
            "the quarantine holds no harmless mail of {PARTNER}"
        ));
    };
    let input = json!({ "message_identities": [identity] });
    let result = good(
        stage
            .run("release-quarantine-messages", input, Look::PLAIN)
            .await?,
    )?;
    if result
        .items
        .iter()
        .any(|item| item.outcome != Outcome::Released)
    {
        return Err(turned_out(&result));
    }
    identity.clone_into(&mut wanted.released);
    Ok(())
}

fn rows(result: &RunResult) -> &[Value] {
    let rows = at(&result.raw_data, "Results").as_array();
    rows.map_or(&[], Vec::as_slice)
}

async fn search(stage: &mut Stage) -> Told<()> {
    stage.scene(
        "Find it in the mailboxes. Microsoft no longer lets an app do that by cmdlet, and neither does this (over Microsoft Graph an app may, with its grants):",
    );
    let input = json!({
        "search_names": [SEARCH],
        "content_search_filter": format!("from:{}", PAYROLL.sender),
    });
    let look = Look::REFUSAL;
    let refused = stage
        .run("start-compliance-content-search", input.clone(), look)
        .await?;
    let code = refused
        .error
        .as_ref()
        .map(|error| error.code.as_str().to_owned());
    if code.as_deref() != Some("app_only_not_supported") {
        return Err(turned_out(&refused));
    }
    stage
        .sandbox
        .change(|settings| settings.compliance = Compliance::Legacy)
        .map_err(|error| error.to_string())?;
    say("Switch: from here on the tenant is as it was (mailcordon sandbox --compliance legacy).");
    good(
        stage
            .run("start-compliance-content-search", input, Look::PLAIN)
            .await?,
    )?;

    let status = "get-compliance-content-search-status";
    let input = json!({ "search_names": [SEARCH] });
    // The search takes about half a minute of the story.
    stage.wait(Duration::from_mins(1)).await;
    say("A minute later, by the tenant's clock:");
    good(stage.run(status, input, Look::PLAIN).await?)?;
    let input = json!({ "search_name": SEARCH });
    let look = Look::table(1, &["Sender", "Type", "Size"]);
    good(
        stage
            .run("preview-compliance-search-result", input, look)
            .await?,
    )?;
    Ok(())
}

async fn purge(stage: &mut Stage) -> Told<()> {
    stage.scene("Delete it, softly. One purge takes ten items a mailbox; two mailboxes have more.");
    let mut name = SEARCH.to_owned();
    for round in 1..=ROUNDS {
        let input = json!({ "search_names": [name], "delete_type": "soft_delete" });
        let look = Look::table(3, &["Message"]);
        let look = if round == 1 {
            look
        } else {
            Look::REFUSAL.briefly()
        };
        let result = stage
            .run_confirmed("delete-search-result-emails", input, Some(AT_MOST), look)
            .await?;
        if result.return_data == ReturnData::Failed {
            return Err(turned_out(&result));
        }
        if finding::in_reach(stage) == 0 {
            say("What is left lies in Recoverable Items: nobody has it in a folder any more.");
            return for_good(stage).await;
        }
        if round == 1 && result.return_data != ReturnData::PartiallySuccessful {
            return Err(format!(
                "a purge that left mail behind was called whole: {}",
                turned_out(&result)
            ));
        }
        name = if round == 1 {
            SECOND.to_owned()
        } else {
            format!("{SEARCH}-{}", round + 1)
        };
        say("Some is left, and it says so. On as the hint says:");
        let input = json!({
            "search_names": [name],
            "content_search_filter": format!("from:{}", PAYROLL.sender),
            "wait": true,
        });
        let look = Look::PLAIN;
        good(
            stage
                .run("start-compliance-content-search", input, look)
                .await?,
        )?;
    }
    Err(format!(
        "{} mails are still in reach after {ROUNDS} purges",
        finding::in_reach(stage)
    ))
}

async fn for_good(stage: &mut Stage) -> Told<()> {
    stage.go_over_graph();
    stage
        .sandbox
        .change(|settings| settings.pace_percent = HURRY)
        .map_err(|error| error.to_string())?;
    say(
        "Switch: work of the service takes a fifth of its time from here on, and it takes sixty requests a minute instead of five.",
    );
    say(
        "And out of Megan's for good, over Microsoft Graph, where an app may: hard, in rounds until nothing is left, and what it proves:",
    );
    let input = json!({
        "query": format!("from:\"{}\"", PAYROLL.sender),
        "mailboxes": [VICTIM],
        "delete_type": "hard_delete",
        "settling_time": "30s",
    });
    let look = Look::REFUSAL.briefly();
    let result = stage
        .run_confirmed("search-and-purge", input, Some(AT_MOST), look)
        .await?;
    let statement = at(&result.raw_data, "statement");
    if at(statement, "left").as_u64() != Some(0) {
        return Err(turned_out(&result));
    }
    if result.path != "graph" {
        return Err(format!("the purge went another way: {}", result.why));
    }
    if let Some(text) = result.key_fields.get("statement").and_then(Value::as_str) {
        say(text);
    }
    come_back(stage).await
}

/// A harmless mail that was soft deleted comes back.
async fn come_back(stage: &mut Stage) -> Told<()> {
    let planted = Planting {
        sender: PARTNER.to_owned(),
        subject: LOST.to_owned(),
        to: vec![COLLEAGUE.to_owned()],
        folder: "deletions".to_owned(),
        ..Planting::default()
    };
    stage
        .sandbox
        .plant(&planted)
        .map_err(|error| error.to_string())?;
    say("Switch: a partner's mail lies in Recoverable Items too, as if a purge had taken it.");
    say("Soft is not for ever: it comes back. What was deleted for good does not.");
    let Some(id) = finding::message_id(stage, LOST) else {
        return Err("the partner's mail was not planted".to_owned());
    };
    let input = json!({ "message_ids": [id], "mailboxes": [COLLEAGUE] });
    let look = Look::PLAIN;
    good(stage.run("restore-soft-deleted", input, look).await?)?;
    Ok(())
}

async fn mailbox(stage: &mut Stage) -> Told<()> {
    stage.scene(
        "Megan gave her password away. Her mailbox becomes a shared one; the responder reads it.",
    );
    let input = json!({ "personal_mail_boxes": [VICTIM], "mailbox_type": "shared" });
    let look = Look::PLAIN;
    good(stage.run("convert-type-of-mailboxes", input, look).await?)?;
    let input = json!({
        "mailbox": VICTIM,
        "user_identities": [RESPONDER],
        "permission": "full_access",
    });
    good(
        stage
            .run("modify-permission-to-mailbox", input, look)
            .await?,
    )?;
    Ok(())
}
