//! Things of the simulated tenant that tests point at, found in its state.

use engine::RunResult;
use serde_json::Value;
use testkit::Lab;

/// Addresses of ordinary people's mailboxes.
pub fn people(lab: &Lab) -> Vec<String> {
    let state = lab.running.state();
    let rows = state["mailboxes"].as_array().unwrap();
    let plain = rows.iter().filter(|row| {
        row["type"] == "UserMailbox"
            && row["class"] == "mailbox"
            && row["hidden"] != true
            && row["litigation_hold"] != true
    });
    let mut all: Vec<String> = plain
        .map(|row| row["address"].as_str().unwrap().to_lowercase())
        .collect();
    // The first ones are the company's special cases.
    all.reverse();
    all
}

/// A message in quarantine that nobody has released: identity and recipients.
pub fn quarantined(lab: &Lab, number: usize) -> (String, Vec<String>) {
    let state = lab.running.state();
    let rows = state["quarantine"]["rows"].as_array().unwrap();
    let row = rows
        .iter()
        .filter(|row| row["released"] != true)
        .nth(number)
        .unwrap();
    let recipients = row["recipients"].as_array().unwrap().iter();
    (
        row["identity"].as_str().unwrap().to_owned(),
        recipients
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
    )
}

/// Changes settings of the tenant.
pub fn set(lab: &Lab, change: impl FnOnce(&mut sandbox::Settings)) {
    lab.running.change(change).expect("sound settings");
}

/// The values of a field of all rows of `raw_data`.
pub fn column(raw: &Value, list: &str, field: &str) -> Vec<String> {
    let rows = raw[list].as_array().into_iter().flatten();
    let mut all: Vec<String> = rows
        .filter_map(|row| row[field].as_str().map(str::to_owned))
        .collect();
    all.sort();
    all
}

/// The code of the item with this input.
pub fn code_of<'a>(result: &'a RunResult, input: &str) -> &'a str {
    let item = result.items.iter().find(|item| item.input == input);
    let item = item.unwrap_or_else(|| panic!("no item `{input}`: {:?}", result.items));
    item.code.as_ref().map_or("", |code| code.as_str())
}

/// The outcome of the item with this input.
pub fn outcome_of(result: &RunResult, input: &str) -> &'static str {
    let item = result.items.iter().find(|item| item.input == input);
    item.unwrap_or_else(|| panic!("no item `{input}`: {:?}", result.items))
        .outcome
        .as_str()
}

/// Mailboxes that nothing holds and in which the index reads everything.
pub fn plain_mailboxes(lab: &Lab, many: usize) -> Vec<String> {
    let probe = sandbox::options::Planting {
        sender: "probe@elsewhere.example".to_owned(),
        mailboxes: 12,
        ..sandbox::options::Planting::default()
    };
    let planted = lab.running.plant(&probe).expect("a probe");
    let state = lab.running.state();
    let unread = |mailbox: &str| {
        let rows = state["mail"].as_array().unwrap();
        let row = rows.iter().find(|row| row["mailbox"] == mailbox).unwrap();
        let items = row["items"].as_array().unwrap();
        items.iter().any(|item| item["unindexed"] == true)
    };
    let rows = planted["mailboxes"].as_array().unwrap();
    let all: Vec<String> = rows
        .iter()
        .map(|row| row["mailbox"].as_str().unwrap().to_owned())
        .filter(|mailbox| !unread(mailbox))
        .take(many)
        .collect();
    assert_eq!(all.len(), many, "{planted}");
    all
}
