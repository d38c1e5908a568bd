use super::*;
use crate::{
    Cmdlet, Identity, Values,
    cmdlet::{
        ActionKind, Expiry, GetMailbox, ListAction, ListType, NewComplianceSearchAction,
        NewTenantAllowBlockListItems, ReleaseQuarantineMessage, ReleaseTo,
    },
};

fn block() -> Call {
    NewTenantAllowBlockListItems {
        list_type: ListType::Url,
        action: ListAction::Block,
        entries: Values::one("*.ml/*").unwrap(),
        expiry: Expiry::Never,
        notes: None,
    }
    .call()
}

fn meaning(call: &Call, app_only: bool, status: u16, exception: &str, text: &str) -> Reason {
    let problem = Problem {
        text: (!text.is_empty()).then(|| text.to_owned()),
        exception: (!exception.is_empty()).then(|| exception.to_owned()),
        code: Some("BadRequest".to_owned()),
        warnings: Vec::new(),
    };
    let asked = Asked {
        call: Some(call),
        service: call.service,
        app_only,
    };
    reason(status, &problem, None, &asked)
}

#[test]
fn block_list_errors_name_the_value() {
    let of = |text: &str| meaning(&block(), true, 400, "System.ArgumentException", text);
    assert_eq!(
        of("Invalid value to add: *.ml/* - Duplicate value.."),
        Reason::DuplicateEntry("*.ml/*".into())
    );
    assert_eq!(
        of("Invalid value to add: a - b.example/x - Invalid url."),
        Reason::InvalidEntry {
            value: "a - b.example/x".into(),
            why: "Invalid url".into()
        }
    );
    assert_eq!(
        of("x@y.example - Duplicate value."),
        Reason::DuplicateEntry("x@y.example".into())
    );
    assert_eq!(of("Entry not found."), Reason::EntryNotFound);
    assert_eq!(
        of("You have reached the limit of 500 block entries for this list."),
        Reason::ListFull
    );
    assert_eq!(
        of(
            "Invalid value to add: a - The maximum number of Block entries (500) for Sender has been reached.."
        ),
        Reason::ListFull
    );
    assert_eq!(
        of("Invalid value to add: a - Exceeds the limit of 250 characters."),
        Reason::InvalidEntry {
            value: "a".into(),
            why: "Exceeds the limit of 250 characters".into()
        }
    );
}

#[test]
fn a_hidden_parameter_is_a_missing_role() {
    let of = |exception, text| meaning(&block(), true, 400, exception, text);
    assert_eq!(
        of(
            "",
            "A parameter cannot be found that matches parameter name 'Type'."
        ),
        Reason::HiddenParameter("Type".into())
    );
    assert_eq!(
        of(
            "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException",
            "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. BogusParameter"
        ),
        Reason::HiddenParameter("BogusParameter".into())
    );
    assert_eq!(
        of(
            "X.AmbiguousParameterSetException",
            "Parameter set cannot be resolved."
        ),
        Reason::InvalidArgument(None)
    );
    assert_eq!(
        of(
            "X.ParameterTransformationException",
            "Cannot process argument transformation on parameter 'QuarantineTypes'. No."
        ),
        Reason::InvalidArgument(Some("QuarantineTypes".into()))
    );
}

#[test]
fn compliance_refusals_are_told_apart() {
    let preview = NewComplianceSearchAction {
        search: Identity::new("s").unwrap(),
        kind: ActionKind::Preview,
    }
    .call();
    let of = |app_only, status, text| meaning(&preview, app_only, status, "", text);
    assert_eq!(
        of(
            false,
            403,
            "open a new session with the -EnableSearchOnlySession flag."
        ),
        Reason::SearchOnlySession
    );
    assert_eq!(of(true, 403, "UnAuthorized"), Reason::AppOnlyNotSupported);
    // The silent 403 is that of a missing role, whoever asks.
    assert_eq!(of(true, 403, ""), Reason::AccessDenied);
    assert_eq!(of(true, 401, "UnAuthorized"), Reason::AppOnlyNotSupported);
    assert_eq!(of(false, 403, ""), Reason::AccessDenied);
    assert_eq!(
        of(false, 403, "Preview has been retired."),
        Reason::PreviewRetired
    );
    assert_eq!(
        of(false, 400, "The results for \"s\" aren't up to date."),
        Reason::StaleSearch
    );
    assert_eq!(
        of(false, 400, "The search didn\u{2019}t return any results."),
        Reason::NoHits
    );
    assert_eq!(
        of(
            false,
            404,
            "The compliance search object 's' cannot be found."
        ),
        Reason::NotFound
    );
}

#[test]
fn a_release_may_be_refused_for_its_sender_only_if_it_asked() {
    let mut release = ReleaseQuarantineMessage {
        identity: Identity::new("a\\b").unwrap(),
        to: ReleaseTo::All,
        allow_sender: true,
        report_false_positive: false,
        force: false,
    };
    let text = "The sender could not be added to the allowed senders.";
    assert_eq!(
        meaning(&release.call(), true, 400, "X", text),
        Reason::SenderNotAllowed
    );
    let text = "The term 'Get-HostedContentFilterPolicy' is not recognized as the name of a cmdlet";
    assert_eq!(
        meaning(&release.call(), true, 400, "X", text),
        Reason::SenderNotAllowed
    );
    let text = "The term 'Release-QuarantineMessage' is not recognized as the name of a cmdlet";
    assert_eq!(
        meaning(&release.call(), true, 400, "X", text),
        Reason::AccessDenied
    );
    let text = "The sender could not be added to the allowed senders.";
    release.allow_sender = false;
    assert_eq!(
        meaning(&release.call(), true, 400, "X", text),
        Reason::Other
    );
    assert_eq!(
        meaning(
            &release.call(),
            true,
            400,
            "V",
            "You must either release the message to all recipients or to specific ones."
        ),
        Reason::ReleaseWithoutRecipients
    );
}

#[test]
fn passing_failures_and_throttling() {
    let call = GetMailbox {
        identity: Identity::new("a@b.example").unwrap(),
    }
    .call();
    let of = |status, exception, text| meaning(&call, true, status, exception, text);
    let passes = Reason::Transient { retry_after: None };
    assert_eq!(
        of(400, "Microsoft.X.StorageTransientException", "later"),
        passes
    );
    assert_eq!(of(503, "", ""), passes);
    assert_eq!(of(500, "", ""), passes);
    assert_eq!(of(500, "X.SomethingElse", "no"), Reason::Other);
    assert_eq!(
        of(
            400,
            "",
            "CmdletProxyNotAvailableException: Cmdlet needs proxy"
        ),
        Reason::WrongServer
    );
    assert_eq!(
        of(
            400,
            "",
            "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"
        ),
        Reason::Throttled {
            retry_after: None,
            concurrency: true
        }
    );
    assert_eq!(
        of(429, "", "Too many requests, try again in 12 seconds"),
        Reason::Throttled {
            retry_after: Some(Duration::from_secs(12)),
            concurrency: false
        }
    );
}

#[test]
fn a_strangers_404_is_no_missing_object() {
    let call = GetMailbox {
        identity: Identity::new("a@b.example").unwrap(),
    }
    .call();
    let asked = Asked {
        call: Some(&call),
        service: call.service,
        app_only: true,
    };
    assert_eq!(
        reason(404, &Problem::default(), None, &asked),
        Reason::Other
    );
    let plain = Problem {
        text: Some("page cannot be found".into()),
        ..Problem::default()
    };
    assert_eq!(reason(404, &plain, None, &asked), Reason::Other);
}
