//! The story, step by step. What each step must turn out as stands beside it; where it does not,
//! the story ends and says so.

use std::time::Duration;

use commands::{Outcome, Table};
use engine::{ReturnData, RunResult};
use sandbox::{options::Compliance, tenant::company::PAYROLL};
use serde_json::{Value, json};

use super::{
    finding::{self, Wanted},
    letter::Letter,
    pace::FASTER,
    stage::{Look, Stage, Told, good, turned_out},
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
/// The content search.
const SEARCH: &str = "payslip";
/// The search for what the first purge left.
const SECOND: &str = "payslip-2";
/// Columns of the quarantine that the story leaves out.
const HELD: &[&str] = &["Identity", "Sender", "Received"];
/// A purge may take no more than this.
const AT_MOST: u64 = 100;
/// Purges until the story gives up.
const ROUNDS: usize = 4;

/// Tells it. `theirs` is the person's own mail.
pub async fn tell(stage: &mut Stage, own: &Letter, theirs: Option<&Letter>) -> Told<()> {
    stage.say(&format!(
        "Switch: client and tenant share a clock that runs {FASTER} times faster than yours."
    ));
    mail(stage, own, theirs);
    connection(stage).await?;
    let mut wanted = block(stage, own, theirs).await?;
    let spare = theirs.filter(|letter| !letter.senders.is_empty());
    lift(stage, spare.unwrap_or(own).spare.as_ref(), &mut wanted).await?;
    quarantine(stage, &mut wanted).await?;
    search(stage).await?;
    purge(stage).await?;
    mailbox(stage).await?;
    finding::judge(stage, &wanted)
}

fn mail(stage: &mut Stage, own: &Letter, theirs: Option<&Letter>) {
    stage.scene("It begins with the mail. What does it hold? Nothing is fetched to find out.");
    let letter = theirs.unwrap_or(own);
    stage.offline(
        &format!("mailcordon check mail {}", quoted(&letter.report.file)),
        &contents(letter),
        5,
    );
    for problem in letter.report.problems.iter().take(2) {
        stage.say(&format!(
            "warning: {}",
            kernel::escape::clipped(problem, 160)
        ));
    }
    if letter.reported {
        stage.say("Somebody reports a mail here: the senders are those of the mail inside.");
    }
    if !letter.own_links.is_empty() {
        stage.say(&format!(
            "Bait that leads to the company itself stays off the list: {}",
            kernel::escape::clipped(&letter.own_links.join(", "), 90)
        ));
    }
    if letter.left_out > 0 {
        stage.say(&format!(
            "The story takes four of a kind; {} values of this mail are left out.",
            letter.left_out
        ));
    }
    if theirs.is_some() {
        stage.say(
            "The simulated tenant never got your mail. What it holds is blocked all the same; for \
             the search and the quarantine the story goes on with a mail that the tenant got.",
        );
    }
}

/// What a mail holds, as a table.
fn contents(letter: &Letter) -> Table {
    let mut table = Table::new(
        "",
        &["What", "Where", "Entry for the block list, or why none"],
    );
    let mut row = |what: &str, place: String, entry: &Option<String>, reason: &Option<String>| {
        let entry = entry.clone().or_else(|| reason.clone()).unwrap_or_default();
        table.rows.push(vec![what.to_owned(), place, entry]);
    };
    for sender in &letter.report.senders {
        let headers: Vec<String> = sender.headers.iter().map(|h| word(&json!(h))).collect();
        row("sender", headers.join(", "), &sender.entry, &sender.reason);
    }
    // A wrapper that only protects the reader is no indicator; what it wraps has its own row.
    let links = letter.report.urls.iter();
    for link in links.filter(|link| link.wrapper_of.is_none() || link.valid) {
        row("link", word(&json!(link.source)), &link.entry, &link.reason);
    }
    for file in &letter.report.files {
        let name = file
            .name
            .clone()
            .unwrap_or_else(|| file.content_type.clone());
        row("file", name, &file.entry, &file.reason);
    }
    table
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A file name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

async fn connection(stage: &mut Stage) -> Told<()> {
    stage.scene("Does the sign-in work, and what may it do?");
    let look = Look::table(4, &[]);
    good(stage.run("test-connection", json!({}), look).await?)?;
    Ok(())
}

async fn block(stage: &mut Stage, own: &Letter, theirs: Option<&Letter>) -> Told<Wanted> {
    let mut wanted = Wanted::default();
    stage.scene("Stop what is still on its way: block the senders, the links and the file.");
    let list = pick(stage, own, theirs, "sender", |letter| &letter.senders);
    let input = json!({ "senders": list, "note": "payslip phish" });
    let result = stage.run("block-senders", input, Look::PLAIN).await?;
    wanted.senders = blocked(&result, theirs.is_some())?;

    let list = pick(stage, own, theirs, "link", |letter| &letter.links);
    let input = json!({ "list_type": "urls", "entries": list });
    let result = stage
        .run("add-items-to-blocklist", input, Look::PLAIN)
        .await?;
    wanted.links = blocked(&result, theirs.is_some())?;

    let list = pick(stage, own, theirs, "file", |letter| &letter.files);
    let input = json!({ "file_hashes": list });
    let result = stage.run("block-file-hashes", input, Look::PLAIN).await?;
    wanted.files = blocked(&result, theirs.is_some())?;
    Ok(wanted)
}

/// The person's own values where their mail has any, else those of the story's mail.
fn pick<'a>(
    stage: &Stage,
    own: &'a Letter,
    theirs: Option<&'a Letter>,
    what: &str,
    of: impl Fn(&'a Letter) -> &'a Vec<String>,
) -> &'a Vec<String> {
    match theirs.map(&of) {
        Some(list) if !list.is_empty() => list,
        Some(_) => {
            stage.say(&format!(
                "Your mail has no {what} to block; this one is the story's."
            ));
            of(own)
        }
        None => of(own),
    }
}

/// The items that are blocked now. Of the story's own mail all must be; of a person's mail some
/// may be refused, which the result has just said.
fn blocked(result: &RunResult, may_refuse: bool) -> Told<Vec<String>> {
    if result.return_data != ReturnData::Successful && !may_refuse {
        return Err(turned_out(result));
    }
    let done = result.items.iter().filter(|item| item.outcome.is_success());
    Ok(done.map(|item| item.input.clone()).collect())
}

async fn lift(stage: &mut Stage, spare: Option<&(String, bool)>, wanted: &mut Wanted) -> Told<()> {
    let blocked = |entry: &String| wanted.senders.contains(entry);
    let (entry, bounce) = match spare.filter(|(entry, _)| blocked(entry)) {
        Some((entry, bounce)) => (entry.clone(), *bounce),
        None => match wanted.senders.last() {
            Some(entry) => (entry.clone(), false),
            None => return Err("no sender was blocked, so there is no block to lift".to_owned()),
        },
    };
    stage.scene(if bounce {
        "A bounce address serves one mail and only fills the list. Lift that block, see the rest."
    } else {
        "A block can be lifted as exactly as it was set. Take the last one off, see the rest."
    });
    wanted.senders.retain(|sender| *sender != entry);
    let input = json!({ "list_type": "emails_and_domains", "entries": [entry] });
    let result = good(
        stage
            .run("remove-items-from-blocklist", input, Look::PLAIN)
            .await?,
    )?;
    if result
        .items
        .iter()
        .any(|item| item.outcome != Outcome::Removed)
    {
        return Err(turned_out(&result));
    }
    wanted.lifted.push(entry);
    let input = json!({ "list_type": "emails_and_domains" });
    let look = Look::table(3, &["Changed", "By"]);
    let result = good(stage.run("list-items-in-blocklist", input, look).await?)?;
    if result.complete != Some(true) {
        return Err(turned_out(&result));
    }
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
        row["ReleaseStatus"] == "NOTRELEASED"
            && ["Spam", "Bulk"].iter().any(|kind| row["Type"] == **kind)
    });
    let Some(identity) = held.and_then(|row| row["Identity"].as_str()) else {
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
    wanted.released = identity.to_owned();
    Ok(())
}

fn rows(result: &RunResult) -> &[Value] {
    let rows = result.raw_data["Results"].as_array();
    rows.map_or(&[], Vec::as_slice)
}

async fn search(stage: &mut Stage) -> Told<()> {
    stage.scene(
        "Find it in the mailboxes. Microsoft no longer lets an app do that, and neither does this:",
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
    stage.say(
        "Switch: from here on the tenant is as it was (mailcordon sandbox --compliance legacy).",
    );
    good(
        stage
            .run("start-compliance-content-search", input, Look::PLAIN)
            .await?,
    )?;

    let status = "get-compliance-content-search-status";
    let input = json!({ "search_names": [SEARCH] });
    // The search takes about half a minute of the story.
    stage.wait(Duration::from_mins(1)).await;
    stage.say("A minute later, by the tenant's clock:");
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
            stage
                .say("What is left lies in Recoverable Items: nobody has it in a folder any more.");
            return Ok(());
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
        stage.say("Some is left, and it says so. On as the hint says:");
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
