//! The undo of a soft purge over the simulated Microsoft Graph, judged by the sandbox's own store.

use engine::{Cancel, ReturnData, RunResult};
use kernel::{Failure, failure::code};
use serde_json::{Value, json};

use crate::{
    graph_ground::{EditSearch, portal},
    ground::{code_of, outcome_of},
    restores::{Ground, error_of},
};

impl Ground {
    async fn undo(&self, run: &RunResult, dry_run: bool) -> Result<RunResult, Failure> {
        self.lab.undo_on(&self.tenant, run, dry_run).await
    }

    async fn preview(&self, search: &str) {
        let input = json!({ "search_name": search });
        let command = "preview-compliance-search-result";
        let result = self.run_on(&self.tenant, command, input).await;
        assert!(result.error.is_none(), "{:?}", result.error);
    }

    fn purging(&self, search: &str, delete_type: &str) -> Value {
        json!({
            "query": format!("from:\"{}\"", self.wave.sender), "delete_type": delete_type,
            "search_name": search, "mailboxes": self.wave.to, "settling_time": "1s",
        })
    }

    async fn search_and_purge(&self, search: &str, delete_type: &str) -> RunResult {
        let input = self.purging(search, delete_type);
        let run = self.run_on(&self.tenant, "search-and-purge", input);
        run.await
    }

    /// Whether a dry run says that it can be taken back.
    async fn reversible(&self, command: &str, input: Value) -> bool {
        let cancel = Cancel::default();
        let run = self.lab.run_on(&self.tenant, command, input, true, &cancel);
        let plan = run.await.unwrap().plan.expect("a plan");
        assert!(plan.reach.calls > 0, "{plan:?}");
        plan.reach.reversible
    }
}

#[tokio::test]
async fn the_undo_of_a_soft_purge_brings_its_mail_back() {
    let ground = Ground::new("inbox").await;
    let all = ground.copies().len();
    let purged = ground.search_and_purge("wave", "soft_delete").await;
    assert_eq!(ground.in_folder("Deletions"), all);
    // Nobody has listed yet what the search found.
    let early = ground.undo(&purged, false).await.unwrap();
    assert_eq!(code_of(&early, "wave"), "not_ready", "{early:#?}");
    assert_eq!(ground.in_folder("Deletions"), all);
    ground.preview("wave").await;
    let dry = ground.undo(&purged, true).await.unwrap();
    assert_eq!(dry.plan.as_ref().unwrap().steps.len(), all);
    assert_eq!(ground.in_folder("Deletions"), all);

    let undone = ground.undo(&purged, false).await.unwrap();
    assert_eq!(
        undone.return_data,
        ReturnData::Successful,
        "{}",
        error_of(&undone)
    );
    assert_eq!(undone.undo_of, Some(purged.run_id));
    assert_eq!(undone.key_fields["restored"], all);
    assert_eq!(
        (ground.in_folder("Inbox"), ground.in_folder("Deletions")),
        (all, 0)
    );
    let of_undo = ground.undo(&undone, false).await.unwrap_err();
    assert_eq!(of_undo.code, code::NOT_REVERSIBLE);
}

#[tokio::test]
async fn the_undo_of_a_deletion_goes_by_the_search_that_it_purged() {
    let ground = Ground::new("inbox").await;
    let all = ground.copies().len();
    for name in ["one", "two"] {
        let start = json!({
            "search_names": [name], "content_search_filter": format!("from:\"{}\"", ground.wave.sender),
            "mailboxes": ground.wave.to, "wait": true,
        });
        let command = "start-compliance-content-search";
        let started = ground.run_on(&ground.tenant, command, start).await;
        assert!(started.error.is_none(), "{:?}", started.error);
    }
    let command = "delete-search-result-emails";
    let soft = |names: &[&str]| json!({ "search_names": names, "delete_type": "soft_delete" });
    assert!(ground.reversible(command, soft(&["one"])).await);
    let both = soft(&["one", "two"]);
    assert!(!ground.reversible(command, both).await, "search by search");
    let delete = async |names: &[&str]| {
        let input = json!({ "search_names": names });
        ground
            .run_on(&ground.tenant, "delete-search-result-emails", input)
            .await
    };
    let one = delete(&["one"]).await;
    assert_eq!(outcome_of(&one, "one"), "purged", "{one:#?}");
    assert_eq!(ground.in_folder("Deletions"), all);
    ground.preview("one").await;
    let undone = ground.undo(&one, false).await.unwrap();
    assert_eq!(undone.key_fields["restored"], all, "{}", error_of(&undone));
    assert_eq!(ground.in_folder("Inbox"), all);
    // It purges nothing a second time, so there is nothing to bring back.
    let again = delete(&["one"]).await;
    assert_eq!(outcome_of(&again, "one"), "already_so", "{again:#?}");
    let nothing = ground.undo(&again, false).await.unwrap_err();
    assert!(nothing.message.contains("purged nothing"), "{nothing}");
}

#[tokio::test]
async fn a_hard_purge_cannot_be_taken_back() {
    let ground = Ground::new("inbox").await;
    let purged = ground.search_and_purge("wave", "hard_delete").await;
    let refused = ground.undo(&purged, false).await.unwrap_err();
    assert_eq!(refused.code, code::NOT_REVERSIBLE);
    assert!(
        refused
            .hint
            .unwrap()
            .contains("what was deleted for good does not")
    );
    assert_eq!(ground.lab.calls("graph:moveMessage"), 0);
}

#[tokio::test]
async fn an_undo_brings_nothing_back_by_a_search_that_somebody_edited() {
    let ground = Ground::new("inbox").await;
    let all = ground.copies().len();
    let purged = ground.search_and_purge("wave", "soft_delete").await;
    ground.preview("wave").await;
    let state = ground.lab.running.state();
    let mut cases = state["ediscovery"]["cases"].as_array().unwrap().iter();
    let ours = |case: &&Value| case["name"] == commands::ports::EDISCOVERY_CASE;
    let case = cases.find(ours).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let set = async |query: &str| {
        let edit = EditSearch {
            case: text(&case["id"]),
            search: text(&case["searches"][0]["id"]),
            to: json!({ "contentQuery": query }),
        };
        portal(&ground.lab).send(&edit).await.unwrap();
    };
    set("from:\"boss@northwind.example\"").await;
    for dry_run in [true, false] {
        let refused = ground.undo(&purged, dry_run).await.unwrap();
        assert_eq!(code_of(&refused, "wave"), "search_changed", "{refused:#?}");
        let message = &refused.items[0].message;
        assert!(message.contains("boss@northwind.example"), "{message}");
    }
    assert_eq!(ground.in_folder("Deletions"), all);

    set(&format!("from:\"{}\"", ground.wave.sender)).await;
    let undone = ground.undo(&purged, false).await.unwrap();
    assert_eq!(undone.key_fields["restored"], all, "{}", error_of(&undone));
}

#[tokio::test]
async fn a_dry_run_says_whether_a_purge_can_be_taken_back() {
    let ground = Ground::new("inbox").await;
    for (delete_type, comes_back) in [("soft_delete", true), ("hard_delete", false)] {
        let input = ground.purging(delete_type, delete_type);
        let said = ground.reversible("search-and-purge", input).await;
        assert_eq!(said, comes_back, "{delete_type}");
    }
}
