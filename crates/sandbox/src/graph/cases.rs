//! Cases, their settings and members.

use serde_json::{Value, json};

use super::{Answered, Ask, Reply, rows};
use crate::{
    options::Licence,
    tenant::ediscovery::{BUILT_IN, Case, CaseStatus, Member, Refused},
};

const CASES: &str = "security/cases/ediscoveryCases";
const TYPE: &str = "ediscoveryCase";
/// The longest name.
const NAME: usize = 256;

/// `GET /security/cases`, which asks for nothing but the permission.
pub(super) fn root(ask: &Ask<'_>) -> Reply {
    Reply::value(
        200,
        json!({"@odata.context": ask.context("security/cases")}),
    )
}

/// C1.
pub(super) fn list(ask: &mut Ask<'_>) -> Answered {
    let named = ask.query.equals("displayName")?;
    let viewer = ask.session.viewer();
    let cases = ask.tenant.ediscovery.visible(&viewer);
    let rows = cases
        .filter(|case| named.as_ref().is_none_or(|name| *name == case.display_name))
        .map(|case| rows::case(case, false));
    let page = ask.query.page(rows, &ask.context(CASES), &ask.link());
    Ok(Reply::value(200, page))
}

fn name(text: &str) -> Result<String, Refused> {
    if text.chars().count() > NAME {
        return Err(Refused::bad(format!(
            "The name of a case must have 1 to {NAME} characters."
        )));
    }
    Ok(text.to_owned())
}

/// C2. Names need not differ.
pub(super) fn create(ask: &mut Ask<'_>) -> Answered {
    ask.fields
        .only(TYPE, &["displayName", "description", "externalId"])?;
    let display_name = name(ask.fields.needed("displayName")?)?;
    if display_name.eq_ignore_ascii_case(BUILT_IN) {
        return Err(Refused::new(
            409,
            "Conflict",
            "The name of the case is reserved.",
        ));
    }
    let id = ask.tenant.random.uuid();
    let rules = &ask.tenant.ediscovery.rules;
    let premium = rules.premium_cases && rules.licence == Licence::E5;
    let case = Case {
        description: Some(
            ask.fields
                .text("description")?
                .unwrap_or_default()
                .to_owned(),
        ),
        external_id: Some(
            ask.fields
                .text("externalId")?
                .unwrap_or_default()
                .to_owned(),
        ),
        premium,
        ..Case::new(id, display_name, ask.session.actor.clone(), ask.now)
    };
    let value = annotated(ask, rows::case(&case, true), &format!("{CASES}/$entity"));
    ask.tenant.ediscovery.cases.push(case);
    Ok(Reply::value(201, value))
}

/// An object with its context before it.
pub(super) fn annotated(ask: &Ask<'_>, row: Value, context: &str) -> Value {
    let Value::Object(mut row) = row else {
        return row;
    };
    row.shift_insert(0, "@odata.context".to_owned(), ask.context(context).into());
    ask.query.selected(Value::Object(row))
}

/// C3, read.
pub(super) fn get(ask: &mut Ask<'_>) -> Answered {
    let case = ask
        .tenant
        .ediscovery
        .case(ask.route.key(0), &ask.session.viewer())?;
    let row = rows::case(case, true);
    Ok(Reply::value(
        200,
        annotated(ask, row, &format!("{CASES}/$entity")),
    ))
}

fn case_mut<'a>(ask: &'a mut Ask<'_>) -> Result<&'a mut Case, Refused> {
    let viewer = ask.session.viewer();
    ask.tenant.ediscovery.case_mut(ask.route.key(0), &viewer)
}

/// C3, changed.
pub(super) fn update(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    fields.only(TYPE, &["displayName", "description", "externalId"])?;
    let display_name = fields.text("displayName")?.map(name).transpose()?;
    let (description, external_id) = (fields.change("description")?, fields.change("externalId")?);
    let (actor, now) = (ask.session.actor.clone(), ask.now);
    let case = case_mut(ask)?;
    if let Some(display_name) = display_name {
        case.display_name = display_name;
    }
    if let Some(description) = description {
        case.description = Some(description);
    }
    if let Some(external_id) = external_id {
        case.external_id = Some(external_id);
    }
    case.touch(&actor, now);
    Ok(Reply::empty(204))
}

/// C5. Nothing is asked of the case.
pub(super) fn delete(ask: &mut Ask<'_>) -> Answered {
    let id = case_mut(ask)?.id;
    ask.tenant.ediscovery.cases.retain(|case| case.id != id);
    Ok(Reply::empty(204))
}

/// C4.
pub(super) fn close(ask: &mut Ask<'_>) -> Answered {
    let (actor, now) = (ask.session.actor.clone(), ask.now);
    let case = case_mut(ask)?;
    if case.status != CaseStatus::Active {
        return Err(Refused::bad("The case is closed."));
    }
    case.status = CaseStatus::Closed;
    (case.closed, case.closed_by) = (Some(now), Some(actor.clone()));
    case.touch(&actor, now);
    Ok(Reply::empty(204))
}

/// C4, back.
pub(super) fn reopen(ask: &mut Ask<'_>) -> Answered {
    let (actor, now) = (ask.session.actor.clone(), ask.now);
    let case = case_mut(ask)?;
    if case.status != CaseStatus::Closed {
        return Err(Refused::bad("The case is not closed."));
    }
    case.status = CaseStatus::Active;
    (case.closed, case.closed_by) = (None, None);
    case.touch(&actor, now);
    Ok(Reply::empty(204))
}

/// C6, read.
pub(super) fn settings(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let kind = if case.premium { "premium" } else { "standard" };
    let row = json!({
        "id": case.id.to_string(),
        "caseType": kind,
        "redundancyDetection": {"isEnabled": true, "similarityThreshold": 65, "minWords": 10, "maxWords": 500_000},
        "topicModeling": {"isEnabled": false, "ignoreNumbers": false, "topicCount": 100, "dynamicallyAdjustTopicCount": true},
        "ocr": {"isEnabled": false, "maxImageSize": 24576, "timeout": "PT1M"},
    });
    let context = format!("{CASES}('{}')/settings/$entity", case.id);
    Ok(Reply::value(200, annotated(ask, row, &context)))
}

/// C6, changed: only the type of the case is kept.
pub(super) fn update_settings(ask: &mut Ask<'_>) -> Answered {
    let known = ["caseType", "redundancyDetection", "topicModeling", "ocr"];
    ask.fields.only("ediscoveryCaseSettings", &known)?;
    let premium = match ask.fields.text("caseType")? {
        None => None,
        Some("premium") => Some(true),
        Some("standard") => Some(false),
        Some(other) => return Err(super::fields::no_member(other, "caseType")),
    };
    if premium == Some(true) && ask.tenant.ediscovery.rules.licence == Licence::E3 {
        let text = "The tenant's licence includes no premium eDiscovery.";
        return Err(Refused::new(403, "Forbidden", text));
    }
    let case = case_mut(ask)?;
    if let Some(premium) = premium {
        case.premium = premium;
    }
    Ok(Reply::empty(204))
}

fn member(member: &Member) -> Value {
    json!({
        "id": member.id.to_string(),
        "recipientType": member.kind,
        "smtpAddress": member.address,
        "displayName": member.address,
    })
}

/// The members of a case.
pub(super) fn members(ask: &mut Ask<'_>) -> Answered {
    let viewer = ask.session.viewer();
    let case = ask.tenant.ediscovery.opened(ask.route.key(0), &viewer)?;
    let context = ask.context(&format!("{CASES}('{}')/caseMembers", case.id));
    let page = ask
        .query
        .page(case.members.iter().map(member), &context, &ask.link());
    Ok(Reply::value(200, page))
}

/// C7. An annotation of the type is refused here, unlike elsewhere.
pub(super) fn add_member(ask: &mut Ask<'_>) -> Answered {
    if ask.fields.odata_type().is_some() {
        return Err(Refused::bad("Invalid JSON format"));
    }
    ask.fields
        .only("ediscoveryCaseMember", &["recipientType", "smtpAddress"])?;
    let kind = ask.fields.needed("recipientType")?.to_owned();
    if !["user", "roleGroup"].contains(&kind.as_str()) {
        return Err(super::fields::no_member(&kind, "recipientType"));
    }
    let address = ask.fields.needed("smtpAddress")?.to_lowercase();
    if kind == "user" && ask.tenant.company.mailbox(&address).is_none() {
        return Err(Refused::bad("The member was not found in the tenant."));
    }
    let added = Member {
        id: ask.tenant.random.uuid(),
        kind,
        address,
    };
    let row = member(&added);
    let case = case_mut(ask)?;
    if case.members.iter().any(|one| one.address == added.address) {
        return Err(Refused::new(
            409,
            "Conflict",
            "The member is in the case already.",
        ));
    }
    case.members.push(added);
    Ok(Reply::value(201, row))
}
