use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use kernel::{ErrorKind, Happened};
use serde_json::json;

use super::*;
use crate::{
    drive,
    fake::{self, FakeCmdlets, FakeConnection},
    ports::{Copies, DeletedMail, MailCopy, MailStanding, MailWay, Place, Shown, ShownItem},
    search::fake::{FakeSearch, action, search},
};

const ID: &str = "<a@x>";
const ANNA: &str = "anna@northwind.example";
const BOB: &str = "Bob@northwind.example";

/// Mailboxes with the copies of one message.
struct FakeMail {
    way: MailWay,
    copies: Mutex<BTreeMap<String, Vec<MailCopy>>>,
    refused: Mutex<BTreeMap<String, Failure>>,
    last_seen: Option<MailCopy>,
    /// How calls that change something go wrong, and whether they take effect.
    mishaps: Mutex<VecDeque<(Failure, bool)>>,
    /// So many looks after a change that was accepted show the copy where it was.
    late: Mutex<u32>,
    moved: Mutex<Vec<String>>,
}

fn copy(id: &str, place: Place) -> MailCopy {
    MailCopy {
        id: id.to_owned(),
        place,
        subject: "s".to_owned(),
        from: Some("evil@x".to_owned()),
        received_at: None,
    }
}

impl FakeMail {
    fn new(way: MailWay, copies: &[(&str, &[MailCopy])]) -> Arc<Self> {
        let copies = copies
            .iter()
            .map(|(mailbox, copies)| (mailbox.to_lowercase(), copies.to_vec()));
        Arc::new(Self {
            way,
            copies: Mutex::new(copies.collect()),
            refused: Mutex::default(),
            last_seen: None,
            mishaps: Mutex::default(),
            late: Mutex::default(),
            moved: Mutex::default(),
        })
    }

    fn mishap(&self, failure: Failure, takes_effect: bool) {
        let mut mishaps = self.mishaps.lock().unwrap();
        mishaps.push_back((failure, takes_effect));
    }

    fn tenant(self: &Arc<Self>) -> Tenant {
        self.with_search(&FakeSearch::with([]))
    }

    fn with_search(self: &Arc<Self>, search: &Arc<FakeSearch>) -> Tenant {
        FakeCmdlets::new(|_| unreachable!("no cmdlet brings mail back"))
            .tenant_with(Arc::new(FakeConnection::default()), Arc::clone(search) as _)
            .with_deleted(Arc::clone(self) as _)
            .with_vips(&[ANNA.to_owned()])
    }

    fn moved(&self) -> Vec<String> {
        self.moved.lock().unwrap().clone()
    }
}

#[async_trait]
impl DeletedMail for FakeMail {
    async fn find(&self, mailbox: &str, message_id: &str) -> Result<Copies, Failure> {
        let mailbox = mailbox.to_lowercase();
        if let Some(failure) = self.refused.lock().unwrap().get(&mailbox) {
            return Err(failure.clone());
        }
        let known = self.copies.lock().unwrap().get(&mailbox).cloned();
        let mut copies = known.filter(|_| message_id == ID).unwrap_or_default();
        let mut late = self.late.lock().unwrap();
        if *late > 0 && !self.moved().is_empty() {
            *late -= 1;
            for copy in &mut copies {
                copy.place = Place::Deleted;
            }
        }
        Ok(Copies {
            way: self.way,
            copies,
            last_seen: self.last_seen.clone(),
        })
    }

    async fn bring_back(&self, _: MailWay, mailbox: &str, id: &str) -> Result<(), Failure> {
        self.moved.lock().unwrap().push(format!("{mailbox} {id}"));
        let mishap = self.mishaps.lock().unwrap().pop_front();
        let (failure, effect) = mishap.map_or((None, true), |(why, effect)| (Some(why), effect));
        if effect {
            let mut all = self.copies.lock().unwrap();
            let copies = all.get_mut(&mailbox.to_lowercase()).unwrap();
            for copy in copies.iter_mut().filter(|copy| copy.id == id) {
                copy.place = Place::Inbox;
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn way(&self, _: &str) -> Option<MailWay> {
        Some(self.way)
    }

    fn path(&self) -> (&'static str, &'static str) {
        (self.way.path(), self.way.why())
    }

    async fn standing(&self) -> Option<MailStanding> {
        None
    }
}

fn lost() -> Failure {
    fake::lost().failure()
}

async fn run(mail: &Arc<FakeMail>, input: Value) -> drive::Driven {
    drive::run("restore-soft-deleted", input, &mail.tenant()).await
}

fn both() -> Value {
    json!({ "message_ids": ["a@x"], "mailboxes": [ANNA, BOB] })
}

#[tokio::test]
async fn what_was_soft_deleted_comes_back_and_what_is_there_is_left_alone() {
    let mail = FakeMail::new(
        MailWay::Mailbox,
        &[
            (ANNA, &[copy("1", Place::Deletions)]),
            (BOB, &[copy("2", Place::Folder)]),
        ],
    );
    let driven = run(&mail, both()).await;
    let (anna, bob) = (format!("{ID} in {ANNA}"), format!("{ID} in {BOB}"));
    assert_eq!(
        driven.outcomes(),
        [
            (bob.as_str(), Outcome::AlreadySo, None),
            (anna.as_str(), Outcome::Restored, None)
        ]
    );
    assert_eq!(mail.moved(), [format!("{ANNA} 1")]);
    let item = driven.item(&anna);
    let (path, _) = RestoreSoftDeleted::way(&mail.tenant(), item).unwrap();
    assert_eq!(path, "graph_mail");
    assert_eq!(item.context["mailbox"], ANNA);
    assert!(item.message.contains("the Inbox"), "{}", item.message);
    assert_eq!(driven.reach.messages, Some(1));
    assert_eq!(driven.reach.vips, [ANNA]);
    assert!(
        driven
            .warnings
            .iter()
            .any(|one| one.contains("can open it"))
    );
    assert!(driven.will[0].contains("from Recoverable Items"));
}

#[tokio::test]
async fn all_copies_of_a_message_come_back_one_after_the_other() {
    let copies = [
        copy("1", Place::Deletions),
        copy("2", Place::Deletions),
        copy("3", Place::Deletions),
        copy("4", Place::Deletions),
    ];
    let mail = FakeMail::new(MailWay::Mailbox, &[(ANNA, &copies)]);
    let input = json!({ "message_ids": [ID], "mailboxes": [ANNA] });
    let driven = run(&mail, input).await;
    assert_eq!(driven.outcomes()[0].1, Outcome::Restored);
    assert_eq!(mail.moved().len(), 4);
}

#[tokio::test]
async fn what_cannot_come_back_says_why() {
    let gone = |last_seen: Option<MailCopy>, way, copies: &[MailCopy]| {
        let mail = FakeMail::new(way, &[(ANNA, copies)]);
        let mail = Arc::try_unwrap(mail).ok().unwrap();
        Arc::new(FakeMail { last_seen, ..mail })
    };
    let other = Place::Other("others".to_owned());
    for (mail, code, words) in [
        (
            gone(None, MailWay::Mailbox, &[]),
            "not_found",
            "never was there",
        ),
        (
            gone(Some(copy("1", other.clone())), MailWay::Mailbox, &[]),
            "not_recoverable",
            "hard deleted",
        ),
        (
            gone(Some(copy("1", Place::Quarantine)), MailWay::Mailbox, &[]),
            "not_recoverable",
            "quarantine",
        ),
        (
            gone(None, MailWay::Defender, &[copy("1", other)]),
            "not_recoverable",
            "`others`",
        ),
        (
            gone(None, MailWay::Defender, &[]),
            "not_found",
            "last 30 days",
        ),
    ] {
        let input = json!({ "message_ids": [ID], "mailboxes": [ANNA] });
        let driven = run(&mail, input).await;
        let (.., outcome, found) = driven.outcomes()[0];
        assert_eq!((outcome, found), (Outcome::Rejected, Some(code)), "{words}");
        let item = &driven.settled.items[0];
        assert!(item.message.contains(words), "{}", item.message);
        assert!(item.failure.as_ref().unwrap().hint.is_some());
        assert!(mail.moved().is_empty());
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_after_and_defender_is_asked_once() {
    // In a mailbox the next look settles it, and a move that was not made is made again.
    for (effect, sent) in [(true, 1), (false, 2)] {
        let mail = FakeMail::new(MailWay::Mailbox, &[(ANNA, &[copy("1", Place::Deletions)])]);
        mail.mishap(lost(), effect);
        let input = json!({ "message_ids": [ID], "mailboxes": [ANNA] });
        let driven = run(&mail, input).await;
        assert_eq!(driven.outcomes()[0].1, Outcome::Restored);
        assert_eq!(mail.moved().len(), sent);
    }
    let input = json!({ "message_ids": [ID], "mailboxes": [ANNA], "time_limit": "1s" });
    let mail = FakeMail::new(MailWay::Defender, &[(ANNA, &[copy("n", Place::Deleted)])]);
    mail.mishap(lost(), true);
    *mail.late.lock().unwrap() = 1;
    let driven = run(&mail, input).await;
    assert_eq!(driven.outcomes()[0].1, Outcome::Restored);
    assert_eq!(mail.moved().len(), 1, "Defender is not asked twice");
    let input = json!({ "message_ids": [ID], "mailboxes": [ANNA], "time_limit": "0s" });
    let mail = FakeMail::new(MailWay::Defender, &[(ANNA, &[copy("n", Place::Deleted)])]);
    mail.mishap(lost(), false);
    let driven = run(&mail, input).await;
    assert_eq!(driven.outcomes()[0].1, Outcome::Unknown);
    assert_eq!(mail.moved().len(), 1, "Defender is not asked twice");
}

#[tokio::test]
async fn what_defender_has_accepted_and_not_done_is_pending() {
    let mail = FakeMail::new(MailWay::Defender, &[(ANNA, &[copy("n", Place::Deleted)])]);
    *mail.late.lock().unwrap() = 99;
    let input = json!({ "message_ids": [ID], "mailboxes": [ANNA] });
    let driven = run(&mail, input).await;
    let (.., outcome, code) = driven.outcomes()[0];
    assert_eq!((outcome, code), (Outcome::Pending, Some("still_running")));
}

#[tokio::test]
async fn a_closed_mailbox_stops_no_other() {
    let mail = FakeMail::new(MailWay::Mailbox, &[(BOB, &[copy("2", Place::Deletions)])]);
    let denied = Failure::new(ErrorKind::PermissionDenied, code::GRANT_MISSING, "no")
        .happened(Happened::Refused);
    mail.refused.lock().unwrap().insert(ANNA.to_owned(), denied);
    let driven = run(&mail, both()).await;
    let outcomes: Vec<_> = driven.outcomes().iter().map(|(_, one, _)| *one).collect();
    assert_eq!(outcomes, [Outcome::Restored, Outcome::Rejected]);
}

#[tokio::test]
async fn bad_values_are_named_and_the_good_ones_done() {
    let mail = FakeMail::new(MailWay::Mailbox, &[(ANNA, &[copy("1", Place::Deletions)])]);
    let input = json!({
        "message_ids": [ID, "<>", "a@x"], "mailboxes": [ANNA, "CN=anna,DC=x"],
    });
    let driven = run(&mail, input).await;
    let codes: Vec<_> = driven.outcomes().iter().map(|(.., code)| *code).collect();
    assert_eq!(
        codes,
        [Some("invalid_message_id"), None, Some("invalid_mailbox")]
    );
    assert!(driven.warnings.iter().any(|one| one.contains("duplicate")));
}

#[test]
fn which_messages_must_be_said_in_one_way() {
    let definition = crate::definition::find("restore-soft-deleted").unwrap();
    for (input, code) in [
        (json!({}), "missing_parameter"),
        (json!({ "message_ids": [ID] }), "missing_parameter"),
        (json!({ "mailboxes": [ANNA] }), "missing_parameter"),
        (
            json!({ "message_ids": [ID], "mailboxes": [ANNA], "search_name": "s" }),
            "unknown_value",
        ),
        (
            json!({ "message_ids": [ID], "mailboxes": [ANNA], "query": "from:evil" }),
            "missing_parameter",
        ),
    ] {
        let failure = definition.check(input.as_object().unwrap()).err().unwrap();
        assert_eq!(failure.code.as_str(), code, "{input}");
    }
}

#[tokio::test]
async fn the_hits_of_a_search_come_back_as_its_preview_lists_them() {
    let row = |mailbox: &str, id: Option<&str>| ShownItem {
        mailbox: mailbox.to_owned(),
        message_id: id.map(str::to_owned),
        ..ShownItem::default()
    };
    let mail = FakeMail::new(
        MailWay::Mailbox,
        &[
            (ANNA, &[copy("1", Place::Deletions)]),
            (BOB, &[copy("2", Place::Deletions)]),
        ],
    );
    let searches = FakeSearch::with([search("wave", &[(ANNA, 2)])]);
    let command = "restore-soft-deleted";
    let input = || json!({ "search_name": "wave", "mailboxes": [ANNA] });
    let tenant = mail.with_search(&searches);
    let driven = drive::run(command, input(), &tenant).await;
    assert_eq!(driven.outcomes()[0].2, Some("not_ready"), "no preview yet");

    let mut preview = action("wave_Preview", "", 5);
    searches.act(preview.clone());
    let driven = drive::run(command, input(), &tenant).await;
    assert_eq!(driven.outcomes()[0].2, Some("not_recoverable"), "no ids");

    preview.shown = Some(Shown {
        rows: vec![row(ANNA, Some(ID)), row(ANNA, None), row(BOB, Some(ID))],
        total: 9,
    });
    searches.act(preview);
    let driven = drive::run(command, input(), &tenant).await;
    let inputs: Vec<_> = driven.outcomes().iter().map(|(one, ..)| *one).collect();
    assert_eq!(inputs, [format!("{ID} in {ANNA}")]);
    assert_eq!(mail.moved(), [format!("{ANNA} 1")]);
    for words in ["no message id", "lists 3 of 9"] {
        let told = driven.warnings.iter().any(|one| one.contains(words));
        assert!(told, "{words}: {:?}", driven.warnings);
    }
    let missing = json!({ "search_name": "none" });
    let driven = drive::run(command, missing, &tenant).await;
    assert_eq!(driven.outcomes()[0].2, Some("not_found"));
}

#[tokio::test]
async fn a_search_that_is_not_what_was_purged_brings_nothing_back() {
    let mail = FakeMail::new(MailWay::Mailbox, &[(ANNA, &[copy("1", Place::Deletions)])]);
    let searches = FakeSearch::with([search("wave", &[(ANNA, 1)])]);
    let mut preview = action("wave_Preview", "", 1);
    preview.shown = Some(Shown {
        rows: vec![ShownItem {
            mailbox: ANNA.to_owned(),
            message_id: Some(ID.to_owned()),
            ..ShownItem::default()
        }],
        total: 1,
    });
    searches.act(preview);
    let tenant = mail.with_search(&searches);
    let restore = async |query: &str, locations: Value| {
        let input = json!({ "search_name": "wave", "query": query, "locations": locations });
        drive::run("restore-soft-deleted", input, &tenant).await
    };
    for (query, locations, difference) in [
        (
            "from:friend",
            json!(["All"]),
            "its query was `from:friend` and is `from:evil`",
        ),
        (
            "from:evil",
            json!([BOB]),
            "it looked in Bob@northwind.example and looks in all mailboxes",
        ),
    ] {
        let driven = restore(query, locations).await;
        let item = &driven.settled.items[0];
        assert_eq!(driven.outcomes()[0].2, Some("search_changed"));
        assert!(item.message.contains(difference), "{}", item.message);
    }
    assert!(mail.moved().is_empty());
    let driven = restore(" from:evil", json!("all")).await;
    assert_eq!(driven.outcomes()[0].1, Outcome::Restored, "{driven:?}");
}
