//! Queries made from what is known of a mail, judged by the simulated service's own reading.

use std::collections::BTreeSet;

use indicators::{
    Sender,
    kql::build::{Days, Known, build},
};
use serde_json::{Value, json};
use testkit::Lab;

const START: &str = "start-compliance-content-search";

/// The sender and subject of every mail that a search of all mailboxes can read: those of people
/// who left are not among them.
fn mails(lab: &Lab) -> Vec<(String, String)> {
    let state = lab.running.state();
    let live = state["mailboxes"].as_array().unwrap();
    let live: BTreeSet<&str> = live
        .iter()
        .filter_map(|row| row["address"].as_str())
        .collect();
    let rows = state["mail"].as_array().unwrap();
    let items = rows
        .iter()
        .filter(|row| live.contains(row["mailbox"].as_str().unwrap()))
        .flat_map(|row| row["items"].as_array().unwrap().iter());
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    items
        .filter(|item| item["unindexed"] != true)
        .map(|item| (text(item, "sender"), text(item, "subject")))
        .collect()
}

/// What the service finds by a built query.
async fn found(lab: &Lab, known: &Known) -> u64 {
    let query = build(known, &[]).unwrap().query;
    let input = json!({ "content_search_filter": query.as_str(), "wait": true });
    let result = lab.run(START, input).await;
    assert!(result.error.is_none(), "{query}: {:?}", result.error);
    result.raw_data["Items"].as_u64().unwrap()
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Whether these words stand in the text in a row.
fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (words(text), words(part));
    text.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_built_query_finds_the_mails_it_means_and_no_other() {
    let lab = Lab::new().await;
    let all = mails(&lab);
    let pairs: BTreeSet<&(String, String)> = all.iter().collect();
    let mut judged = 0;
    for (sender, subject) in pairs.into_iter().take(40) {
        let Ok(address) = Sender::parse(sender) else {
            continue;
        };
        let mut known = Known {
            sender: Some(address),
            subject: Some(subject.clone()),
            ..Known::default()
        };
        // What can't be quoted exactly is refused; the rest finds what it says.
        if build(&known, &[]).is_err() {
            continue;
        }
        judged += 1;
        let expected = all
            .iter()
            .filter(|(from, title)| from == sender && holds(title, subject));
        let expected = expected.count() as u64;
        assert!(expected > 0);
        assert_eq!(found(&lab, &known).await, expected, "{known:?}");
        known.received = Some(Days::on("1999-12-31".parse().unwrap()));
        assert_eq!(found(&lab, &known).await, 0, "{known:?}");
        known.received = Some(Days {
            first: "1999-12-31".parse().unwrap(),
            last: "2098-12-31".parse().unwrap(),
        });
        assert_eq!(found(&lab, &known).await, expected, "{known:?}");
        known.attachment = Some("no such file.xyz".to_owned());
        assert_eq!(found(&lab, &known).await, 0, "{known:?}");
        known.attachment = None;
        known.subject = Some(format!("{subject} and what nobody wrote"));
        assert_eq!(found(&lab, &known).await, 0, "{known:?}");
    }
    assert!(judged > 10, "{judged} pairs");
}

#[tokio::test]
async fn a_query_that_describes_no_mail_in_particular_purges_nothing_and_is_searched_with_a_warning()
 {
    let lab = Lab::new().await;
    let before = lab.running.state()["mail"].clone();
    for (query, clause) in [
        ("received>=1995-01-01", "`received>=1995-01-01`"),
        ("size>=1", "`size>=1`"),
        (
            "hasattachment:true AND isread:false",
            "`hasattachment:true`",
        ),
        (
            "received>=2026-01-01 AND received<2026-01-02",
            "`received<2026-01-02`",
        ),
        ("kind:email", "every mail"),
        ("NOT from:\"a@b.example\"", "only says what not to find"),
    ] {
        let input = json!({ "query": query, "delete_type": "hard_delete" });
        let result = lab.run("search-and-purge", input).await;
        assert_eq!(result.items[0].outcome.as_str(), "invalid", "{query}");
        let error = result.error.expect("a refusal");
        assert_eq!(error.code.as_str(), "invalid_query", "{query}");
        assert!(error.message.contains(clause), "{query}: {}", error.message);
    }
    assert!(lab.running.log().iter().all(|entry| !entry.changes));
    assert_eq!(lab.running.state()["mail"], before);
    // A search alone deletes nothing.
    let input = json!({ "content_search_filter": "size>=1", "wait": true });
    let result = lab.run(START, input).await;
    assert!(result.error.is_none(), "{:?}", result.error);
    let warned = |one: &String| one.contains("no mail in particular is described by `size>=1`");
    assert!(result.warnings.iter().any(warned), "{:?}", result.warnings);
}
