//! Operations: estimates, purges, reports, and what became of them.

use jiff::SignedDuration;

use super::{Answered, Ask, Reply, cases::annotated, fields::no_member, rows};
use crate::{
    options::{EdiscoveryRole, Licence},
    tenant::ediscovery::{Case, Kind, Operation, Refused, Search, Start},
};

const CASES: &str = "security/cases/ediscoveryCases";
/// An estimate older than this does not count for a purge.
const FRESH: SignedDuration = SignedDuration::from_hours(7 * 24);

const STATISTICS: &[&str] = &[
    "includeRefiners",
    "includeQueryStats",
    "includeUnindexedStats",
    "advancedIndexing",
    "locationsWithoutHits",
];
const ADDITIONAL: &[&str] = &[
    "none",
    "teamsAndYammerConversations",
    "cloudAttachments",
    "allDocumentVersions",
    "subfolderContents",
    "listAttachments",
    "htmlTranscripts",
    "advancedIndexing",
    "allItemsInFolder",
];

/// E1.
pub(super) fn estimate(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    fields.only("estimateStatistics", &["statisticsOptions"])?;
    let words = fields.flags("statisticsOptions", "statisticsOptions", STATISTICS)?;
    let unindexed = words
        .as_ref()
        .is_some_and(|words| words.contains(&"includeUnindexedStats"))
        && ask.tenant.ediscovery.rules.counts_unindexed;
    let kind = Kind::Estimate {
        options: words.map(|words| words.join(",")),
        unindexed,
    };
    started(ask, kind, |_, _| Ok(()))
}

/// P1. Both members may be absent; then a soft purge of everything is what is meant.
pub(super) fn purge(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    fields.only("purgeData", &["purgeType", "purgeAreas"])?;
    let hard = match fields.text("purgeType")? {
        None | Some("recoverable") => false,
        Some("permanentlyDelete") => true,
        Some(other) => return Err(no_member(other, "purgeType")),
    };
    let areas = fields.flags("purgeAreas", "purgeAreas", &["mailboxes", "teamsMessages"])?;
    let has = |word: &str| areas.as_ref().is_none_or(|areas| areas.contains(&word));
    let kind = Kind::Purge {
        hard,
        mailboxes: has("mailboxes"),
        teams: has("teamsMessages"),
    };
    if !ask.session.has(EdiscoveryRole::SearchAndPurge) {
        let text = "The caller does not hold the role Search And Purge.";
        return Err(Refused::new(403, "Forbidden", text));
    }
    let rules = ask.tenant.ediscovery.rules.clone();
    let now = ask.now;
    started(ask, kind, move |case, search| {
        if rules.licence == Licence::E3 || !case.premium {
            let text = "Purging data needs a case with premium features.";
            return Err(Refused::new(403, "Forbidden", text));
        }
        let running = |operation: &Operation| {
            operation.is_purge()
                && operation.search == search.id
                && !operation.status(now).is_terminal()
        };
        if !rules.parallel_purges && case.operations.iter().any(running) {
            let text = "A purge of this search is running already.";
            return Err(Refused::new(409, "Conflict", text));
        }
        if rules.purge_needs_estimate {
            fresh(case, search, now)?;
        }
        Ok(())
    })
}

/// Refuses where no finished estimate of what the search now asks is at hand.
fn fresh(case: &Case, search: &Search, now: jiff::Timestamp) -> Result<(), Refused> {
    let counts = |operation: &&Operation| {
        operation.has_results(now)
            && operation.created >= search.changed
            && now.duration_since(operation.ends) <= FRESH
    };
    match case.last_estimate(search.id, now).filter(counts) {
        Some(_) => Ok(()),
        None => Err(Refused::bad(
            "The search has no up-to-date statistics. Run estimateStatistics and wait until it has succeeded.",
        )),
    }
}

/// X1.
pub(super) fn export_report(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    let known = [
        "displayName",
        "description",
        "exportCriteria",
        "exportLocation",
        "additionalOptions",
        "cloudAttachmentVersion",
        "documentVersion",
    ];
    fields.only("exportReport", &known)?;
    let criteria = fields.flags(
        "exportCriteria",
        "exportCriteria",
        &["searchHits", "partiallyIndexed"],
    )?;
    let criteria = criteria.ok_or_else(|| missing("exportCriteria"))?;
    let options = fields.flags("additionalOptions", "additionalExportOptions", ADDITIONAL)?;
    let options = options.ok_or_else(|| missing("additionalOptions"))?;
    fields.flags(
        "exportLocation",
        "exportLocation",
        &["responsiveLocations", "nonresponsiveLocations"],
    )?;
    let kind = Kind::Report {
        display_name: fields.text("displayName")?.unwrap_or("Export").to_owned(),
        description: fields.text("description")?.map(str::to_owned),
        options: options.join(","),
        hits: criteria.contains(&"searchHits"),
        unindexed: criteria.contains(&"partiallyIndexed"),
    };
    let rules = ask.tenant.ediscovery.rules.clone();
    let now = ask.now;
    started(ask, kind, move |case, search| {
        if rules.licence == Licence::E3 && !rules.pay_as_you_go {
            let text = "Exports need pay-as-you-go billing with this licence.";
            return Err(Refused::new(403, "Forbidden", text));
        }
        fresh(case, search, now)
    })
}

fn missing(name: &str) -> Refused {
    Refused::bad(format!("The parameter '{name}' is required."))
}

/// X2: content leaves no sandbox.
pub(super) fn export_result(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    case.search(ask.route.key(1))?;
    let text = "Exports of content are not simulated.";
    Err(Refused::new(403, "Forbidden", text))
}

/// Starts an operation on the search of the path, if `check` lets it.
fn started(
    ask: &mut Ask<'_>,
    kind: Kind,
    check: impl FnOnce(&Case, &Search) -> Result<(), Refused>,
) -> Answered {
    let viewer = ask.session.viewer();
    let tenant = &mut *ask.tenant;
    // Both must be there and open before anything is looked at.
    tenant.ediscovery.active_mut(ask.route.key(0), &viewer)?;
    let state = &tenant.ediscovery;
    let case = state.opened(ask.route.key(0), &viewer)?;
    let search = case.search(ask.route.key(1))?;
    check(case, search)?;
    let start = Start {
        id: tenant.random.uuid(),
        kind,
        search: search.id,
        query: &search.query,
        mailboxes: case.reach(search, &tenant.company, ask.now),
        by: ask.session.actor.clone(),
        doom: ask.doom,
        late_seconds: ask.late_seconds,
    };
    let operation = Operation::start(state, &tenant.company, &tenant.mail, start, ask.now);
    let location = format!(
        "{}/v1.0/security/cases/ediscoverycases('{}')/operations('{}')",
        ask.entrance.base, case.id, operation.id
    );
    let case = tenant.ediscovery.active_mut(ask.route.key(0), &viewer)?;
    case.operations.push(operation);
    // With no time to wait for it is done with the call that starts it.
    tenant.advance(ask.now);
    Ok(Reply::accepted(location))
}

/// E2.
pub(super) fn last_estimate(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let search = case.search(ask.route.key(1))?;
    let last = case
        .last_estimate(search.id, ask.now)
        .ok_or_else(|| Refused::missing("The operation"))?;
    let row = rows::operation(ask, last, false);
    let context = "microsoft.graph.security.ediscoveryEstimateOperation";
    Ok(Reply::value(200, annotated(ask, row, context)))
}

/// O1, all; the newest first.
pub(super) fn list(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let context = ask.context(&format!("{CASES}('{}')/operations", case.id));
    if ask.query.get("$filter").is_some() {
        return Err(Refused::bad(
            "Invalid filter clause: it is not supported here.",
        ));
    }
    let newest = case.operations.iter().rev();
    let rows = newest.map(|operation| rows::operation(ask, operation, true));
    let page = ask.query.page(rows, &context, &ask.link());
    Ok(Reply::value(200, page))
}

/// O1, one.
pub(super) fn get(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let operation = case.operation(ask.route.key(1))?;
    let row = rows::operation(ask, operation, true);
    let context = format!("{CASES}('{}')/operations/$entity", case.id);
    Ok(Reply::value(200, annotated(ask, row, &context)))
}
