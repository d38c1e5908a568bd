//! Searches of a case.

use serde_json::Value;

use super::{Answered, Ask, Reply, cases::annotated, fields::Fields, rows};
use crate::{
    entra::form,
    tenant::ediscovery::{self, Case, Edit, Refused, Scope, Search},
};

const CASES: &str = "security/cases/ediscoveryCases";
const TYPE: &str = "ediscoverySearch";
const BIND: &str = "noncustodialSources@odata.bind";
const BIND_CUSTODIANS: &str = "custodianSources@odata.bind";
/// The longest name.
const NAME: usize = 256;

/// The id behind an address of a source of this case, whatever its spelling.
fn bound<'a>(case: &'a Case, link: &str) -> Option<&'a str> {
    let path = url::Url::parse(link).ok()?.path().to_owned();
    let words: Vec<String> = path
        .split(['/', '(', ')', '\''])
        .filter(|word| !word.is_empty())
        .map(form::decode)
        .collect();
    let after = |name: &str| {
        let at = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(name))?;
        words.get(at + 1)
    };
    if *after("ediscoverycases")? != case.id.to_string() {
        return None;
    }
    let id = after("noncustodialdatasources")?;
    case.source(id).ok().map(|source| source.id.as_str())
}

fn bindings(case: &Case, fields: &Fields) -> Result<Vec<String>, Refused> {
    // Custodians are not simulated: nobody can have made one to bind.
    if !fields.texts(BIND_CUSTODIANS)?.is_empty() {
        return Err(Refused::bad("The custodian was not found in the case."));
    }
    let links = fields.texts(BIND)?;
    links
        .into_iter()
        .map(|link| {
            bound(case, link).map(str::to_owned).ok_or_else(|| {
                Refused::bad(format!(
                    "The data source '{}' was not found in the case.",
                    kernel::escape::clipped(link, 300)
                ))
            })
        })
        .collect()
}

/// S1.
pub(super) fn create(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    let known = [
        "displayName",
        "description",
        "contentQuery",
        "dataSourceScopes",
        BIND,
        BIND_CUSTODIANS,
    ];
    fields.only(TYPE, &known)?;
    let display_name = name(fields.needed("displayName")?)?;
    let text = fields.text("contentQuery")?.unwrap_or_default().to_owned();
    let scope = Scope::read(fields.text("dataSourceScopes")?.unwrap_or("none"))?;
    let query = ediscovery::query(&ask.tenant.ediscovery.rules, &text)?;
    let id = ask.tenant.random.uuid();
    let viewer = ask.session.viewer();
    let case = ask
        .tenant
        .ediscovery
        .active_mut(ask.route.key(0), &viewer)?;
    let bound = bindings(case, fields)?;
    if bound.is_empty() && scope.is_none() {
        return Err(Refused::bad("At least one data source is required"));
    }
    let search = Search {
        id,
        display_name,
        description: fields.text("description")?.map(str::to_owned),
        text,
        query,
        scope,
        bound,
        additional: Vec::new(),
        by: ask.session.actor.clone(),
        created: ask.now,
        modified: ask.now,
        modified_by: None,
        changed: ask.now,
    };
    let row = rows::search(&search);
    let context = format!("{CASES}('{}')/searches/$entity", case.id);
    case.searches.push(search);
    Ok(Reply::value(201, annotated(ask, row, &context)))
}

fn name(text: &str) -> Result<String, Refused> {
    if text.chars().count() > NAME {
        return Err(Refused::bad(format!(
            "The name of a search must have 1 to {NAME} characters."
        )));
    }
    Ok(text.to_owned())
}

/// A search, with its last estimate where that is asked for.
fn row(ask: &Ask<'_>, case: &Case, search: &Search) -> Value {
    let mut row = rows::search(search);
    let name = "lastEstimateStatisticsOperation";
    if ask.query.expands(name)
        && let Some(object) = row.as_object_mut()
    {
        let last = case.last_estimate(search.id, ask.now);
        let last = last.map(|operation| rows::operation(ask, operation, false));
        object.insert(name.to_owned(), last.unwrap_or(Value::Null));
    }
    row
}

/// S2, all. `$expand` works on the list too.
pub(super) fn list(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let named = ask.query.equals("displayName")?;
    let context = ask.context(&format!("{CASES}('{}')/searches", case.id));
    let searches = case.searches.iter().filter(|search| {
        named
            .as_ref()
            .is_none_or(|name| *name == search.display_name)
    });
    let rows = searches.map(|search| row(ask, case, search));
    let page = ask.query.page(rows, &context, &ask.link());
    Ok(Reply::value(200, page))
}

/// S2, one.
pub(super) fn get(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let search = case.search(ask.route.key(1))?;
    let context = format!("{CASES}('{}')/searches/$entity", case.id);
    let row = row(ask, case, search);
    Ok(Reply::value(200, annotated(ask, row, &context)))
}

/// S3, changed.
pub(super) fn update(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    let known = [
        "displayName",
        "description",
        "contentQuery",
        "dataSourceScopes",
    ];
    fields.only(TYPE, &known)?;
    let mut edit = Edit {
        description: fields.change("description")?,
        ..Edit::default()
    };
    if let Some(text) = fields.text("displayName")? {
        edit.display_name = Some(name(text)?);
    }
    if let Some(text) = fields.text("contentQuery")? {
        let query = ediscovery::query(&ask.tenant.ediscovery.rules, text)?;
        edit.query = Some((text.to_owned(), query));
    }
    if let Some(text) = fields.text("dataSourceScopes")? {
        edit.scope = Some(Scope::read(text)?);
    }
    let viewer = ask.session.viewer();
    let (actor, now) = (ask.session.actor.clone(), ask.now);
    let case = ask
        .tenant
        .ediscovery
        .active_mut(ask.route.key(0), &viewer)?;
    case.search_mut(ask.route.key(1))?.edit(edit, &actor, now);
    Ok(Reply::empty(204))
}

/// S3, deleted.
pub(super) fn delete(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask
        .tenant
        .ediscovery
        .active_mut(ask.route.key(0), &viewer)?;
    let id = case.search(ask.route.key(1))?.id;
    case.searches.retain(|search| search.id != id);
    Ok(Reply::empty(204))
}
