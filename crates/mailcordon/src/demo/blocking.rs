//! The first half of the story: what the mail holds, and blocking it.

use commands::{Outcome, Table};
use engine::{ReturnData, RunResult};
use serde_json::{Value, json};

use super::{
    finding::Wanted,
    letter::Letter,
    stage::{Look, Stage, Told, good, offline, say, turned_out},
};

/// What the mail holds.
pub fn mail(stage: &mut Stage, own: &Letter, theirs: Option<&Letter>) {
    stage.scene("It begins with the mail. What does it hold? Nothing is fetched to find out.");
    let letter = theirs.unwrap_or(own);
    let line = format!("mailcordon check mail {}", quoted(&letter.report.file));
    offline(&line, &contents(letter), 5);
    for problem in letter.report.problems.iter().take(2) {
        say(&format!(
            "warning: {}",
            kernel::escape::clipped(problem, 160)
        ));
    }
    if letter.senders.is_empty() && letter.links.is_empty() && letter.files.is_empty() {
        say("There is nothing in it to block.");
    }
    if letter.reported {
        say("Somebody reports a mail here: the senders are those of the mail inside.");
    }
    if !letter.own_links.is_empty() {
        say(&format!(
            "Bait that leads to the company itself stays off the list: {}",
            kernel::escape::clipped(&letter.own_links.join(", "), 90)
        ));
    }
    if letter.left_out > 0 {
        say(&format!(
            "The story takes four of a kind; {} values of this mail are left out.",
            letter.left_out
        ));
    }
    if theirs.is_some() {
        say(
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

/// Blocks it.
pub async fn block(stage: &mut Stage, own: &Letter, theirs: Option<&Letter>) -> Told<Wanted> {
    let mut wanted = Wanted::default();
    stage.scene("Stop what is still on its way: block the senders, the links and the file.");
    let list = pick(own, theirs, "sender", |letter| &letter.senders);
    let input = json!({ "senders": list, "note": "payslip phish" });
    let result = stage.run("block-senders", input, Look::PLAIN).await?;
    wanted.senders = blocked(&result, theirs.is_some())?;

    let list = pick(own, theirs, "link", |letter| &letter.links);
    let input = json!({ "list_type": "urls", "entries": list });
    let result = stage
        .run("add-items-to-blocklist", input, Look::PLAIN)
        .await?;
    wanted.links = blocked(&result, theirs.is_some())?;

    let list = pick(own, theirs, "file", |letter| &letter.files);
    let input = json!({ "file_hashes": list });
    let result = stage.run("block-file-hashes", input, Look::PLAIN).await?;
    wanted.files = blocked(&result, theirs.is_some())?;
    Ok(wanted)
}

/// The person's own values where their mail has any, else those of the story's mail.
fn pick<'a>(
    own: &'a Letter,
    theirs: Option<&'a Letter>,
    what: &str,
    of: impl Fn(&'a Letter) -> &'a Vec<String>,
) -> &'a Vec<String> {
    match theirs.map(&of) {
        Some(list) if !list.is_empty() => list,
        Some(_) => {
            say(&format!(
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

/// Lifts one block again.
pub async fn lift(
    stage: &mut Stage,
    spare: Option<&(String, bool)>,
    wanted: &mut Wanted,
) -> Told<()> {
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
