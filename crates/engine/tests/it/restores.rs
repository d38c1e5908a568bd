//! Bringing soft-deleted mail back over the simulated Microsoft Graph, judged by the sandbox's own
//! store.

use std::sync::Arc;

use cloud::{Auth, SharedSecret, StaticSecret};
use commands::Tenant;
use engine::{Cancel, ReturnData, RunResult};
use sandbox::{
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::{Compliance, Planting},
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{code_of, outcome_of, plain_mailboxes, set};

const COMMAND: &str = "restore-soft-deleted";

pub struct Ground {
    pub lab: Lab,
    pub tenant: Arc<Tenant>,
    pub wave: Planting,
}

impl Ground {
    /// A wave in these folders' mailboxes, soft deleted unless said otherwise.
    pub async fn new(folder: &str) -> Self {
        let lab = Lab::with(200, |options| {
            options.settings.compliance = Compliance::Retired;
            options.settings.graph.remediation_seconds = 30;
        })
        .await;
        let wave = Planting {
            to: plain_mailboxes(&lab, 2),
            mailboxes: 2,
            messages: 2,
            folder: folder.to_owned(),
            ..Planting::default()
        };
        lab.running.plant(&wave).unwrap();
        let tenant = Arc::new(lab.client(lab.with_graph(Credential::App)));
        Self { lab, tenant, wave }
    }

    /// The tenant as one of its apps.
    fn app(&self, name: &str) -> Tenant {
        let about = self.lab.running.description();
        let mut settings = self.lab.with_graph(Credential::App);
        let secret = about.credentials.oauth2.client_secret.clone();
        settings.auth = Auth::ClientSecret {
            client_id: self.lab.running.app(name).unwrap(),
            secret: SharedSecret::new(Arc::new(StaticSecret::new(secret))),
        };
        self.lab.client(settings)
    }

    pub async fn run_on(&self, tenant: &Tenant, command: &str, input: Value) -> RunResult {
        let cancel = Cancel::default();
        let run = self.lab.run_on(tenant, command, input, false, &cancel);
        Box::pin(run).await.expect("a run")
    }

    async fn run(&self, input: Value) -> RunResult {
        self.run_on(&self.tenant, COMMAND, input).await
    }

    /// Mailbox, message id and folder of each copy of the wave.
    pub fn copies(&self) -> Vec<[String; 3]> {
        let state = self.lab.running.state();
        let mut all = Vec::new();
        for row in state["mail"].as_array().unwrap() {
            for item in row["items"].as_array().unwrap() {
                if item["sender"] == self.wave.sender.as_str() {
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    let id = text(&item["message_id"]);
                    all.push([text(&row["mailbox"]), id, text(&item["folder"])]);
                }
            }
        }
        all
    }

    pub fn in_folder(&self, folder: &str) -> usize {
        let copies = self.copies();
        copies
            .iter()
            .filter(|copy| copy[2].contains(folder))
            .count()
    }

    /// One copy: input of the command, and its item.
    fn one(&self) -> (Value, String) {
        let [mailbox, id, _] = self.copies().remove(0);
        let input = json!({ "message_ids": [id], "mailboxes": [mailbox] });
        (input, format!("{id} in {mailbox}"))
    }

    fn fault(&self, kind: FaultKind, phase: Phase, call: &str) {
        let matches = Match {
            endpoint: Endpoint::Graph,
            cmdlet: Some(call.to_owned()),
            ..Match::default()
        };
        self.lab.faults(vec![Fault {
            phase: Some(phase),
            matches,
            ..Fault::once(kind)
        }]);
    }

    fn grants(&self, permissions: &[&str]) {
        set(&self.lab, |settings| {
            let names = permissions.iter().map(|&name| name.to_owned());
            settings.graph.app_permissions = names.collect();
        });
    }
}

pub fn error_of(result: &RunResult) -> String {
    format!("{:?} {:?}", result.error, result.items)
}

#[tokio::test]
async fn a_soft_purge_is_taken_back_by_the_name_of_its_search() {
    let ground = Ground::new("inbox").await;
    let all = ground.copies().len();
    let purge = json!({
        "query": format!("from:\"{}\"", ground.wave.sender), "delete_type": "soft_delete",
        "search_name": "wave", "mailboxes": ground.wave.to, "settling_time": "1s",
    });
    ground
        .run_on(&ground.tenant, "search-and-purge", purge)
        .await;
    assert_eq!(ground.in_folder("Deletions"), all);
    let preview = json!({ "search_name": "wave" });
    let command = "preview-compliance-search-result";
    ground.run_on(&ground.tenant, command, preview).await;

    let input = json!({ "search_name": "wave" });
    let cancel = Cancel::default();
    let dry = ground
        .lab
        .run_on(&ground.tenant, COMMAND, input.clone(), true, &cancel);
    let dry = Box::pin(dry).await.unwrap();
    let plan = dry.plan.as_ref().unwrap();
    assert_eq!(plan.steps.len(), all, "{}", error_of(&dry));
    assert_eq!(plan.reach.found.messages, Some(all as u64));
    assert_eq!(
        ground.in_folder("Deletions"),
        all,
        "a dry run moves nothing"
    );

    let result = ground.run(input.clone()).await;
    assert_eq!(
        result.return_data,
        ReturnData::Successful,
        "{}",
        error_of(&result)
    );
    assert_eq!(
        (result.path.as_ref(), result.simulated),
        ("graph_mail", true)
    );
    assert_eq!(result.key_fields["restored"], all);
    assert_eq!(ground.in_folder("Inbox"), all);
    assert_eq!(ground.in_folder("Deletions"), 0);
    for item in &result.items {
        assert_eq!(item.path.as_deref(), Some("graph_mail"), "{item:?}");
    }
    let again = ground.run(input).await;
    assert_eq!(again.return_data, ReturnData::Successful);
    assert_eq!(again.key_fields["already_so"], all, "{}", error_of(&again));
    assert_eq!(ground.lab.calls("graph:moveMessage"), all);
}

#[tokio::test]
async fn what_was_hard_deleted_cannot_come_back_and_the_rest_does() {
    let ground = Ground::new("deletions").await;
    let (one, name) = ground.one();
    let id = one["message_ids"][0].clone();
    let hard = Planting {
        sender: "hard@attacker.example".to_owned(),
        folder: "purges".to_owned(),
        to: ground.wave.to.clone(),
        ..Planting::default()
    };
    ground.lab.running.plant(&hard).unwrap();
    let state = ground.lab.running.state();
    let row = state["mail"].as_array().unwrap().iter().find(|row| {
        let items = row["items"].as_array().unwrap();
        row["mailbox"] == one["mailboxes"][0]
            && items
                .iter()
                .any(|item| item["sender"] == hard.sender.as_str())
    });
    let items = row.unwrap()["items"].as_array().unwrap();
    let purged = items
        .iter()
        .find(|item| item["sender"] == hard.sender.as_str());
    let purged = purged.unwrap()["message_id"].as_str().unwrap();
    let mut input = one.clone();
    input["message_ids"] = json!([id, purged, "<never@nowhere.example>"]);
    let result = ground.run(input).await;
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
    assert_eq!(
        outcome_of(&result, &name),
        "restored",
        "{}",
        error_of(&result)
    );
    let mailbox = one["mailboxes"][0].as_str().unwrap();
    for (id, code) in [
        (purged, "not_recoverable"),
        ("<never@nowhere.example>", "not_found"),
    ] {
        let item = format!("{id} in {mailbox}");
        assert_eq!(outcome_of(&result, &item), "rejected");
        assert_eq!(code_of(&result, &item), code, "{}", error_of(&result));
    }
    let nobody = "nobody@northwind.example";
    let input = json!({ "message_ids": [id], "mailboxes": [nobody] });
    let result = ground.run(input).await;
    let item = &result.items[0];
    assert_eq!(item.code.as_ref().unwrap().as_str(), "not_found");
    let hint = item.hint.as_ref().unwrap();
    assert!(hint.contains("no mailbox of this tenant has it"), "{hint}");
    assert_eq!(ground.lab.calls("graph:moveMessage"), 1);
}

#[tokio::test]
async fn the_way_is_the_mailbox_then_defender_and_what_is_missing_is_named() {
    let ground = Ground::new("deletions").await;
    let (input, name) = ground.one();
    let app = ground.app("graph-ediscovery");
    let closed = ground.run_on(&app, COMMAND, input.clone()).await;
    assert_eq!(outcome_of(&closed, &name), "rejected");
    assert_eq!(code_of(&closed, &name), "grant_missing");
    let hint = closed.items[0].hint.as_ref().unwrap();
    for permission in ["Mail.ReadWrite", "SecurityAnalyzedMessage.ReadWrite.All"] {
        assert!(hint.contains(permission), "{hint}");
    }
    let [mailbox, ..] = ground.copies().remove(0);
    // By a role over this mailbox in Exchange, of which no token speaks.
    set(&ground.lab, |settings| {
        settings.graph.mail_scope = Some(vec![mailbox.clone()]);
    });
    ground.grants(&["eDiscovery.ReadWrite.All"]);
    let scoped = ground.lab.client(ground.lab.with_graph(Credential::App));
    let other = ground.wave.to.iter().find(|one| **one != mailbox).unwrap();
    let mut both = input.clone();
    both["mailboxes"] = json!([mailbox, other]);
    let scoped = ground.run_on(&scoped, COMMAND, both).await;
    assert_eq!(
        outcome_of(&scoped, &name),
        "restored",
        "{}",
        error_of(&scoped)
    );
    assert_eq!(scoped.return_data, ReturnData::PartiallySuccessful);

    set(&ground.lab, |settings| settings.graph.mail_scope = None);
    let left: Vec<[String; 3]> = ground.copies();
    let [mailbox, id, _] = left
        .iter()
        .find(|copy| copy[2].contains("Deletions"))
        .unwrap();
    let input = json!({ "message_ids": [id], "mailboxes": [mailbox] });
    let name = format!("{id} in {mailbox}");
    let defender = ground.app("graph-defender");
    set(&ground.lab, |settings| {
        settings.graph.analyzed_filter_rejected = true;
        settings.graph.plan2 = false;
    });
    let no_plan = ground.run_on(&defender, COMMAND, input.clone()).await;
    assert_eq!(
        code_of(&no_plan, &name),
        "grant_missing",
        "{}",
        error_of(&no_plan)
    );
    set(&ground.lab, |settings| settings.graph.plan2 = true);
    let done = ground.run_on(&defender, COMMAND, input).await;
    assert_eq!(outcome_of(&done, &name), "restored", "{}", error_of(&done));
    assert_eq!(done.path, "graph_remediate");
    let item = &done.items[0];
    assert!(item.why.as_ref().unwrap().contains("Defender"), "{item:?}");
    let now = ground.copies();
    let there = |copy: &&[String; 3]| copy[0] == *mailbox && copy[1] == *id;
    assert_eq!(now.iter().find(there).unwrap()[2], "Inbox");
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_looking_and_defender_is_asked_once() {
    for (phase, moves) in [(Phase::After, 1), (Phase::Before, 2)] {
        let ground = Ground::new("deletions").await;
        let (input, name) = ground.one();
        ground.fault(FaultKind::Reset, phase, "graph:moveMessage");
        let result = ground.run(input).await;
        assert_eq!(
            outcome_of(&result, &name),
            "restored",
            "{}",
            error_of(&result)
        );
        assert_eq!(ground.lab.calls("graph:moveMessage"), moves, "{phase:?}");
        assert_eq!(ground.in_folder("Inbox"), 1);
    }
    for (phase, outcome) in [(Phase::After, "restored"), (Phase::Before, "unknown")] {
        let ground = Ground::new("deletions").await;
        let (mut input, name) = ground.one();
        input["time_limit"] = json!("3m");
        ground.fault(FaultKind::Reset, phase, "graph:remediate");
        let defender = ground.app("graph-defender");
        let result = ground.run_on(&defender, COMMAND, input).await;
        assert_eq!(outcome_of(&result, &name), outcome, "{}", error_of(&result));
        assert_eq!(ground.lab.calls("graph:remediate"), 1, "never repeated");
    }
}

#[tokio::test]
async fn without_graph_nothing_is_tried_and_the_reason_is_said() {
    let ground = Ground::new("deletions").await;
    let (input, name) = ground.one();
    let classic = ground.lab.client(ground.lab.settings(Credential::App));
    let result = ground.run_on(&classic, COMMAND, input).await;
    assert_eq!(outcome_of(&result, &name), "not_attempted");
    assert_eq!(code_of(&result, &name), "not_offered");
}
