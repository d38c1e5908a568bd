//! Sources of a case and of a search.

use serde_json::Value;

use super::{Answered, Ask, Reply, cases::annotated, fields::Fields, rows};
use crate::tenant::ediscovery::{Refused, Source, after, seconds};

const CASES: &str = "security/cases/ediscoveryCases";

/// Reads a user's or a site's source. A person, a shared mailbox or a resource stands for its
/// mailbox; a group for none, since nobody expands it; any other address is refused.
fn read(ask: &Ask<'_>, fields: &Fields) -> Result<Source, Refused> {
    let kind = fields.odata_type().ok_or_else(|| {
        Refused::bad("The property '@odata.type' of the data source is required.")
    })?;
    let mut source = Source {
        id: ask.tenant.random.uuid().simple().to_string().to_uppercase(),
        email: String::new(),
        display_name: String::new(),
        mailbox: None,
        included: String::new(),
        site: None,
        created: ask.now,
        active_from: ask.now,
        by: ask.session.actor.clone(),
    };
    if kind == "siteSource" {
        let site = fields.object("site")?.unwrap_or_default();
        let url = site.needed("webUrl")?;
        return Ok(Source {
            display_name: url.to_owned(),
            site: Some(url.to_owned()),
            included: "site".to_owned(),
            ..source
        });
    }
    if kind != "userSource" {
        return Err(Refused::bad(
            "The type of the data source is not supported.",
        ));
    }
    let known = ["email", "includedSources"];
    fields.only("userSource", &known)?;
    let included = fields.flags("includedSources", "sourceType", &["mailbox", "site"])?;
    source.included = included.map_or_else(|| "mailbox,site".to_owned(), |words| words.join(","));
    source.email = fields.needed("email")?.trim().to_lowercase();
    let company = &ask.tenant.company;
    if !source.email.contains('@') {
        return Err(Refused::bad("The property 'email' must be an address."));
    }
    if let Some(index) = company.mailbox(&source.email) {
        source.mailbox = Some(index);
        let name = company.record(index).map(|mailbox| &mailbox.display_name);
        source.display_name = name.cloned().unwrap_or_default();
    } else if let Some(group) = company.group(&source.email) {
        source.display_name.clone_from(&group.display_name);
    } else {
        return Err(Refused::bad(format!(
            "The data source '{}' could not be found.",
            kernel::escape::clipped(&source.email, 200)
        )));
    }
    Ok(source)
}

/// N1.
pub(super) fn add(ask: &mut Ask<'_>) -> Answered {
    ask.fields.only(
        "ediscoveryNoncustodialDataSource",
        &["dataSource", "applyHoldToSource"],
    )?;
    let given = ask
        .fields
        .object("dataSource")?
        .ok_or_else(|| Refused::bad("The property 'dataSource' is required."))?;
    let mut added = read(ask, &given)?;
    let state = &ask.tenant.ediscovery;
    added.active_from = after(ask.now, state.paced(seconds(state.rules.source_seconds)));
    let viewer = ask.session.viewer();
    let case = ask
        .tenant
        .ediscovery
        .active_mut(ask.route.key(0), &viewer)?;
    let same = |source: &Source| source.email == added.email && source.site == added.site;
    if case.sources.iter().any(same) {
        return Err(Refused::new(
            409,
            "Conflict",
            "The data source is in the case already.",
        ));
    }
    let context = format!("{CASES}('{}')/noncustodialDataSources/$entity", case.id);
    let row = rows::source(&added, false, ask.now);
    case.sources.push(added);
    Ok(Reply::value(201, annotated(ask, row, &context)))
}

/// N2.
pub(super) fn list(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let context = ask.context(&format!("{CASES}('{}')/noncustodialDataSources", case.id));
    let expanded = ask.query.expands("dataSource");
    let named = ask.query.equals("displayName")?;
    let sources = case.sources.iter().filter(|source| {
        named
            .as_ref()
            .is_none_or(|name| *name == source.display_name)
    });
    let rows = sources.map(|source| rows::source(source, expanded, ask.now));
    let page = ask.query.page(rows, &context, &ask.link());
    Ok(Reply::value(200, page))
}

/// One of them.
pub(super) fn get(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let source = case.source(ask.route.key(1))?;
    let row = rows::source(source, ask.query.expands("dataSource"), ask.now);
    let context = format!("{CASES}('{}')/noncustodialDataSources/$entity", case.id);
    Ok(Reply::value(200, annotated(ask, row, &context)))
}

/// S4. A source of the search alone is there at once.
pub(super) fn add_additional(ask: &mut Ask<'_>) -> Answered {
    let added = read(ask, ask.fields)?;
    let viewer = ask.session.viewer();
    let now = ask.now;
    let case = ask
        .tenant
        .ediscovery
        .active_mut(ask.route.key(0), &viewer)?;
    let search = case.search_mut(ask.route.key(1))?;
    let same = |source: &Source| source.email == added.email && source.site == added.site;
    if search.additional.iter().any(same) {
        return Err(Refused::new(
            409,
            "Conflict",
            "The data source is in the search already.",
        ));
    }
    let row = rows::data_source(&added);
    search.additional.push(added);
    search.changed = now;
    Ok(Reply::value(201, row))
}

fn listed(ask: &Ask<'_>, name: &str, rows: impl Iterator<Item = Value>) -> Reply {
    let context = format!(
        "{CASES}('{}')/searches('{}')/{name}",
        ask.route.key(0),
        ask.route.key(1)
    );
    let page = ask.query.page(rows, &ask.context(&context), &ask.link());
    Reply::value(200, page)
}

/// The sources of a search alone.
pub(super) fn list_additional(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let search = case.search(ask.route.key(1))?;
    let rows = search.additional.iter().map(rows::data_source);
    Ok(listed(ask, "additionalSources", rows))
}

/// The sources of the case that a search is bound to.
pub(super) fn list_bound(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let search = case.search(ask.route.key(1))?;
    let expanded = ask.query.expands("dataSource");
    let bound = search.bound.iter().filter_map(|id| case.source(id).ok());
    let rows = bound.map(|source| rows::source(source, expanded, ask.now));
    Ok(listed(ask, "noncustodialSources", rows))
}
