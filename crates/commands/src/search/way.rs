//! Which way a command for searches takes on a connection, and which grant is missing: what
//! `test-connection` says of each.

use kernel::{Effect, Failure, escape};
use serde_json::{Map, Value, json};

use crate::{
    Meta,
    ports::{GraphStanding, MailStanding, MailWay, Standing},
};

/// What is said of one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// `allowed`, `not allowed` or `unknown`.
    pub result: &'static str,
    /// In words.
    pub detail: String,
    /// Members of its row.
    pub more: Map<String, Value>,
}

/// What the cmdlets alone lead to.
#[derive(Debug, Clone)]
pub struct Classic {
    /// `allowed`, `not allowed` or `unknown`.
    pub result: &'static str,
    /// Why.
    pub detail: String,
}

/// Why purging is not known beforehand: nothing but a purge asks for it.
const FIRST_PURGE: &str = "whether it may purge is known only at the first purge: the role group in Purview needs the role Search And Purge";

/// What a purge cannot do without counts by mailbox: see [`crate::search::counts_unread`].
const WITHOUT_REPORTS: &str = "without them a purge takes what was found in all mailboxes or in one that was named, and refuses several that were named, since nobody can say whether all were searched";

/// The way of a command; none where the connection has no Graph, and the cmdlets alone decide.
pub fn of(meta: &Meta, standing: &Standing, classic: &Classic) -> Option<Way> {
    let graph = standing.graph.as_ref()?;
    Some(match &graph.searches {
        Ok(()) => over_graph(meta, graph),
        Err(missing) => by_cmdlet(classic, missing),
    })
}

fn over_graph(meta: &Meta, graph: &GraphStanding) -> Way {
    let mut more = Map::new();
    more.insert("path".to_owned(), json!("graph"));
    let mut notes = vec!["over Microsoft Graph".to_owned()];
    let mut result = "allowed";
    if let Err(missing) = &graph.reports {
        // A preview is a report; counts by mailbox stand in one, totals do not.
        if meta.effect == Effect::Prepares {
            result = "not allowed";
            notes.push(said(missing));
        } else {
            notes.push(format!(
                "totals only, no counts by mailbox: {}",
                said(missing)
            ));
        }
        put(&mut more, missing);
        if meta.effect == Effect::Destructive {
            notes.push(WITHOUT_REPORTS.to_owned());
        }
    }
    if meta.effect == Effect::Destructive {
        notes.push(FIRST_PURGE.to_owned());
        more.insert("known_at_first_purge".to_owned(), json!("Search And Purge"));
    }
    more.insert("allowed".to_owned(), json!(result == "allowed"));
    Way {
        result,
        detail: notes.join("; "),
        more,
    }
}

fn by_cmdlet(classic: &Classic, missing: &Failure) -> Way {
    let mut more = Map::new();
    let allowed = match classic.result {
        "allowed" => Some(true),
        "not allowed" => Some(false),
        _ => None,
    };
    more.insert("allowed".to_owned(), json!(allowed));
    let path = (allowed == Some(true)).then_some("compliance");
    more.insert("path".to_owned(), json!(path));
    put(&mut more, missing);
    let cmdlets = match allowed {
        Some(true) => "by cmdlet".to_owned(),
        _ if classic.detail.is_empty() => "not by cmdlet".to_owned(),
        _ => format!("not by cmdlet: {}", escape::clipped(&classic.detail, 300)),
    };
    Way {
        result: classic.result,
        detail: format!("{cmdlets}; not over Microsoft Graph: {}", said(missing)),
        more,
    }
}

/// The way of the command for deleted mail.
pub fn of_deleted_mail(standing: Option<&MailStanding>) -> Way {
    let Some(standing) = standing else {
        return Way {
            result: "not allowed",
            detail: "this connection has no Microsoft Graph".to_owned(),
            more: Map::from_iter([("allowed".to_owned(), json!(false))]),
        };
    };
    let mut more = Map::new();
    let (result, path, detail) = match (&standing.mailboxes, &standing.defender) {
        (Ok(()), _) => (
            "allowed",
            Some(MailWay::Mailbox),
            "in the mailboxes".to_owned(),
        ),
        (Err(missing), Ok(())) => {
            put(&mut more, missing);
            let detail = format!(
                "through Defender, if the tenant has its Plan 2 (known at the first request); not in the mailboxes: {}",
                said(missing)
            );
            ("allowed", Some(MailWay::Defender), detail)
        }
        (Err(missing), Err(_)) if standing.app_only => {
            put(&mut more, missing);
            let detail = format!(
                "known only at the first mailbox: a role over mailboxes in Exchange (RBAC for Applications) stands in no token. Without one: {}",
                said(missing)
            );
            ("unknown", None, detail)
        }
        (Err(missing), Err(_)) => {
            put(&mut more, missing);
            ("not allowed", None, said(missing))
        }
    };
    let allowed = (result != "unknown").then_some(result == "allowed");
    more.insert("allowed".to_owned(), json!(allowed));
    more.insert("path".to_owned(), json!(path.map(MailWay::path)));
    Way {
        result,
        detail,
        more,
    }
}

fn said(missing: &Failure) -> String {
    let text = escape::clipped(&missing.message, 300);
    match &missing.hint {
        Some(hint) => format!("{}. {hint}", text.trim_end_matches('.')),
        None => text,
    }
}

fn put(more: &mut Map<String, Value>, missing: &Failure) {
    let permission = missing.args.get("permission").cloned();
    let grant = permission.unwrap_or_else(|| json!(missing.code));
    more.insert("missing_grant".to_owned(), grant);
    more.insert("code".to_owned(), json!(missing.code));
    more.insert("where".to_owned(), json!(missing.hint));
}

#[cfg(test)]
mod tests {
    use kernel::{ErrorKind, failure::code};

    use super::*;
    use crate::definition::find;

    const COMMANDS: [&str; 4] = [
        "start-compliance-content-search",
        "get-compliance-content-search-status",
        "preview-compliance-search-result",
        "delete-search-result-emails",
    ];

    fn failure(code: kernel::Code, permission: Option<&str>) -> Failure {
        let failure = Failure::new(ErrorKind::PermissionDenied, code, "no").hint("add it there");
        match permission {
            Some(permission) => failure.arg("permission", permission),
            None => failure,
        }
    }

    fn results(standing: &Standing, result: &'static str) -> Vec<(&'static str, Value, Value)> {
        let classic = Classic {
            result,
            detail: "the roles do not grant it".to_owned(),
        };
        COMMANDS
            .iter()
            .map(|id| {
                let way = of(&find(id).unwrap().meta, standing, &classic).unwrap();
                let member = |name: &str| way.more.get(name).cloned().unwrap_or_default();
                (way.result, member("path"), member("missing_grant"))
            })
            .collect()
    }

    fn standing(searches: Result<(), Failure>, reports: Result<(), Failure>) -> Standing {
        Standing {
            classic: Ok(()),
            graph: Some(GraphStanding { searches, reports }),
        }
    }

    #[test]
    fn an_app_with_everything_goes_over_graph_and_learns_of_purging_at_the_first_purge() {
        let all = standing(Ok(()), Ok(()));
        for (result, path, missing) in results(&all, "not allowed") {
            assert_eq!(
                (result, path, missing),
                ("allowed", json!("graph"), Value::Null)
            );
        }
        let delete = find(COMMANDS[3]).unwrap().meta;
        let classic = Classic {
            result: "allowed",
            detail: String::new(),
        };
        let way = of(&delete, &all, &classic).unwrap();
        assert!(way.detail.contains("first purge"), "{}", way.detail);
        assert_eq!(way.more["known_at_first_purge"], "Search And Purge");
        let none = Standing {
            classic: Ok(()),
            graph: None,
        };
        assert_eq!(of(&delete, &none, &classic), None);
    }

    #[test]
    fn without_reports_there_is_no_preview_and_only_totals() {
        let lacks = failure(code::DOWNLOAD_REFUSED, Some("eDiscovery.Download.Read"));
        let found = results(&standing(Ok(()), Err(lacks)), "allowed");
        let named: Vec<&str> = found.iter().map(|(result, ..)| *result).collect();
        assert_eq!(named, ["allowed", "allowed", "not allowed", "allowed"]);
        let classic = Classic {
            result: "allowed",
            detail: String::new(),
        };
        for (command, told) in [(COMMANDS[1], false), (COMMANDS[3], true)] {
            let lacks = failure(code::DOWNLOAD_REFUSED, None);
            let standing = standing(Ok(()), Err(lacks));
            let way = of(&find(command).unwrap().meta, &standing, &classic).unwrap();
            assert_eq!(
                way.detail.contains("refuses several"),
                told,
                "{}",
                way.detail
            );
        }
        assert!(
            found
                .iter()
                .all(|(.., grant)| grant == "eDiscovery.Download.Read")
        );
    }

    #[test]
    fn without_graph_the_cmdlets_decide_and_what_graph_lacks_is_named() {
        let unregistered = || Err(failure(code::NOT_REGISTERED, None));
        let open = results(&standing(unregistered(), Ok(())), "allowed");
        let closed = results(&standing(unregistered(), Ok(())), "not allowed");
        for (open, closed) in open.iter().zip(&closed) {
            assert_eq!(
                *open,
                ("allowed", json!("compliance"), json!("not_registered"))
            );
            assert_eq!(
                *closed,
                ("not allowed", Value::Null, json!("not_registered"))
            );
        }
    }
}
