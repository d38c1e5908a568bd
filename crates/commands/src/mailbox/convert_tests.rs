use std::sync::{Arc, Mutex};

use exchange::Reason;

use super::*;
use crate::{
    History,
    fake::{self, FakeCmdlets},
};

const NO_CHANGE: &str =
    "The command completed successfully but no settings of 'x' have been modified.";

fn input(boxes: &[&str]) -> Input {
    Input {
        personal_mail_boxes: Values(boxes.iter().map(|text| json!(text)).collect()),
        mailbox_type: MailboxType::Shared,
    }
}

fn row(address: &str, kind: &str) -> Value {
    json!({
        "PrimarySmtpAddress": address, "RecipientTypeDetails": kind, "IsDirSynced": false,
        "ExchangeGuid": format!("guid of {address}"),
        "EmailAddresses": [format!("SMTP:{address}"), format!("smtp:second.{address}")]
    })
}

#[tokio::test]
async fn a_look_sorts_mailboxes_and_sends_nothing_that_changes() {
    let cmdlets = FakeCmdlets::new(|call| match call.parameters["Identity"].as_str().unwrap() {
        "gone@x.example" => Err(fake::not_found()),
        "old@x.example" => fake::rows([row("old@x.example", "SharedMailbox")]),
        "second.a@x.example" => fake::rows([row("a@x.example", "UserMailbox")]),
        other => fake::rows([row(other, "UserMailbox")]),
    });
    let given = input(&[
        "a@x.example",
        "gone@x.example",
        "old@x.example",
        "*",
        "A@x.example",
        "second.a@x.example",
    ]);
    let plan = ConvertTypeOfMailboxes::look(&given, &cmdlets.tenant(), &Settled::default())
        .await
        .unwrap();
    let of = |input: &str| {
        plan.settled
            .iter()
            .find(|item| item.input == input)
            .unwrap()
    };
    assert_eq!(of("gone@x.example").outcome, Outcome::Rejected);
    assert_eq!(of("gone@x.example").kind(), Some(ErrorKind::NotFound));
    assert_eq!(of("old@x.example").outcome, Outcome::AlreadySo);
    assert_eq!(of("*").outcome, Outcome::Invalid);
    assert_eq!(
        plan.steps.len(),
        1,
        "two names of one mailbox are one change"
    );
    assert_eq!(plan.steps[0].items.len(), 2);
    assert!(
        plan.warnings.iter().any(|w| w.contains("duplicate")),
        "{:?}",
        plan.warnings
    );
    assert!(
        plan.warnings.iter().any(|w| w.contains("password")),
        "{:?}",
        plan.warnings
    );
    assert!(cmdlets.names().iter().all(|name| *name == "Get-Mailbox"));
}

/// Looks, applies and reads back once, with a service that answers the change so.
async fn run(
    kind_after: &'static str,
    answer: impl Fn() -> fake::Answer + Send + 'static,
) -> (Applied, Vec<(String, Verdict)>, Step, Arc<FakeCmdlets>) {
    let kind = Arc::new(Mutex::new("UserMailbox"));
    let cmdlets = FakeCmdlets::new(move |call| {
        if call.cmdlet == "Set-Mailbox" {
            assert_eq!(call.parameters["Type"], "Shared");
            *kind.lock().unwrap() = kind_after;
            return answer();
        }
        fake::rows([row("a@x.example", &kind.lock().unwrap())])
    });
    let (given, tenant) = (input(&["a@x.example"]), cmdlets.tenant());
    let plan = ConvertTypeOfMailboxes::look(&given, &tenant, &Settled::default())
        .await
        .unwrap();
    let step = plan.steps.into_iter().next().unwrap();
    let items: Vec<&Planned> = step.items.iter().collect();
    let applied = ConvertTypeOfMailboxes::apply(&given, &tenant, &step, &items).await;
    let verdicts = ConvertTypeOfMailboxes::verify(&given, &tenant, &step, &items).await;
    (applied, verdicts, step, cmdlets)
}

#[tokio::test]
async fn a_change_is_proved_by_reading_back_in_three_calls() {
    let (applied, verdicts, _, cmdlets) = run("SharedMailbox", || fake::rows([])).await;
    assert_eq!(applied.ask.len(), 1);
    let Verdict::Taken(item) = &verdicts[0].1 else {
        panic!("{verdicts:?}")
    };
    assert_eq!(item.outcome, Outcome::Converted);
    assert_eq!(item.context["was"], "UserMailbox");
    assert_eq!(
        cmdlets.names(),
        ["Get-Mailbox", "Set-Mailbox", "Get-Mailbox"]
    );
}

#[tokio::test]
async fn a_type_that_lags_is_waited_for() {
    let (_, verdicts, _, _) = run("UserMailbox", || fake::rows([])).await;
    let Verdict::NotYet(_, failure) = &verdicts[0].1 else {
        panic!("{verdicts:?}")
    };
    assert_eq!(
        (failure.kind, failure.message.contains("UserMailbox")),
        (ErrorKind::NotReady, true)
    );
}

#[tokio::test]
async fn a_warning_that_nothing_changed_proves_nothing() {
    let (applied, _, _, _) = run("UserMailbox", || fake::warned(NO_CHANGE)).await;
    assert!(applied.settled.is_empty());
    assert_eq!(
        (applied.again.len(), applied.failure.unwrap().code),
        (1, code::REFUSED)
    );
    let repeated = || {
        fake::warned(NO_CHANGE).map(|r| exchange::Reply {
            repeated: true,
            ..r
        })
    };
    let (applied, _, _, _) = run("SharedMailbox", repeated).await;
    assert_eq!(applied.ask.len(), 1, "our own first send may have done it");
}

#[tokio::test]
async fn a_lost_answer_is_looked_at_again_and_counted_as_ours() {
    let (applied, _, step, cmdlets) = run("SharedMailbox", || Err(fake::lost())).await;
    assert_eq!((applied.ask.len(), applied.again.len()), (0, 1));
    let history = vec![History {
        step,
        failure: applied.failure,
        made: Value::Null,
    }];
    let settled = Settled {
        history,
        ..Settled::default()
    };
    let given = input(&["a@x.example"]);
    let plan = ConvertTypeOfMailboxes::look(&given, &cmdlets.tenant(), &settled)
        .await
        .unwrap();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.settled[0].outcome, Outcome::Converted);
    let blind = FakeCmdlets::new(|_| Err(fake::lost()));
    let plan = ConvertTypeOfMailboxes::look(&given, &blind.tenant(), &settled)
        .await
        .unwrap();
    assert_eq!(plan.settled[0].outcome, Outcome::Unknown);
}

#[tokio::test]
async fn a_hidden_parameter_keeps_the_text_of_the_service() {
    let text = "A parameter cannot be found that matches parameter name 'Type'.";
    let refusal = || {
        Err(fake::refused(
            Reason::HiddenParameter("Type".to_owned()),
            ErrorKind::PermissionDenied,
            code::ROLE_MISSING,
            text,
        ))
    };
    let (applied, _, _, _) = run("UserMailbox", refusal).await;
    assert!(applied.ask.is_empty() && applied.again.is_empty());
    assert_eq!(applied.failure.unwrap().message, text);
}
