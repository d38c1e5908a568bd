//! `InvokeCommand`: from the bytes of a call to the bytes of its answer.

use std::fmt::Write;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::{Wire, auth::Session, denied, refused, strike};
use crate::{
    binding::{self, Bound},
    body::{self, Answer},
    cmdlet::{Call, Output, Refusal, Spec},
    entra::form,
    envelope::{self, Page},
    fault::{Endpoint, FaultKind, Phase, Probe, Strike},
    journal::{self, Record},
    net::{Gone, ResetSwitch},
    options::Settings,
    paging, roles,
    tenant::{CMDLETS, Tenant},
    world::lock,
};

/// What of a call's request decides how its rows are given out.
pub(crate) struct Shape {
    pub(crate) select: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) page: Option<usize>,
}

impl Shape {
    /// From the query and the headers.
    pub(crate) fn new(query: &str, headers: &HeaderMap) -> Self {
        let query = form::parse(query.as_bytes());
        let named = |name: &str| query.get(name).map(str::to_owned);
        Self {
            select: named("$select"),
            cursor: named("$skiptoken"),
            page: paging::preferred(headers),
        }
    }
}

/// A call that may be made: a known cmdlet that exists for the caller.
pub(crate) struct Prepared {
    pub(crate) spec: &'static Spec,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) shape: Shape,
}

/// Serves a call, with the limit, the delay and the faults in force.
pub(crate) async fn serve(
    wire: &Wire<'_>,
    session: &Session,
    bytes: &[u8],
    reset: &ResetSwitch,
    record: &mut Record,
) -> Result<Answer, Gone> {
    let settings = wire.world.settings();
    let in_flight = wire.world.enter();
    record.entry.in_flight = in_flight.now;
    if settings.concurrency > 0 && in_flight.now > settings.concurrency {
        return Ok(strike::concurrency(settings.concurrency_retry_after));
    }
    wire.world.clock.sleep(settings.delay()).await;
    let shape = Shape::new(
        wire.parts.uri.query().unwrap_or_default(),
        &wire.parts.headers,
    );
    let prepared = match prepare(wire, session, bytes, shape, record) {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(*answer),
    };
    let strike = lock(&wire.world.faults).strike(&probe(&prepared));
    let Some(strike) = strike else {
        return Ok(perform(wire, session, &prepared, None, record));
    };
    if strike.phase == Phase::Before
        && let Some(answer) = strike::before(wire.world, record, reset, strike).await?
    {
        return Ok(answer);
    }
    strike::note(record, strike);
    let answer = perform(wire, session, &prepared, Some(strike), record);
    if strike.phase == Phase::Before || strike.kind == FaultKind::Lag {
        return Ok(answer);
    }
    strike::after(wire.world, record, reset, strike, answer).await
}

fn probe(prepared: &Prepared) -> Probe<'static> {
    let later = prepared.parameters.get("Page").is_some_and(|page| {
        page.as_u64()
            .or_else(|| page.as_str()?.parse().ok())
            .is_some_and(|page| page > 1)
    });
    let cursor = prepared.shape.cursor.is_some();
    Probe {
        endpoint: Endpoint::Invoke,
        cmdlet: prepared.spec.name,
        changes: prepared.spec.changes,
        cursor,
        follow_up: cursor || later,
    }
}

/// Reads the body of a call and finds its cmdlet.
pub(crate) fn prepare(
    wire: &Wire<'_>,
    session: &Session,
    bytes: &[u8],
    shape: Shape,
    record: &mut Record,
) -> Result<Prepared, Box<Answer>> {
    let malformed = |text: &str| {
        let refusal = Refusal::binding("Microsoft.OData.ODataException", text);
        Box::new(refused(wire.world, &refusal))
    };
    let body: Value = serde_json::from_slice(bytes)
        .map_err(|_| malformed("The request body is not valid JSON."))?;
    let input = body
        .get("CmdletInput")
        .and_then(Value::as_object)
        .ok_or_else(|| malformed("The parameter 'CmdletInput' is missing."))?;
    let name = input
        .get("CmdletName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let parameters = match input.get("Parameters") {
        Some(Value::Object(parameters)) => parameters.clone(),
        None => Map::new(),
        Some(_) => return Err(malformed("The property 'Parameters' must be an object.")),
    };
    let spec = CMDLETS
        .iter()
        .find(|spec| spec.name.eq_ignore_ascii_case(name))
        .copied();
    let open = |spec: &&Spec| roles::may_call(spec, wire.entrance.service, &session.caller.roles);
    record.entry.call = Some(match spec {
        Some(spec) => spec.name.to_owned(),
        // What stands where a cmdlet should may be anything.
        None => kernel::escape::clipped(name, 80),
    });
    let Some(spec) = spec.filter(open) else {
        return Err(Box::new(denied(wire.world, name)));
    };
    record.entry.changes = spec.changes;
    record.entry.follow_up = shape.cursor.is_some();
    record.entry.parameters = journal::loggable(&parameters);
    Ok(Prepared {
        spec,
        parameters,
        shape,
    })
}

/// Binds and runs a call and writes its answer; carries out the faults that lie inside a call.
pub(crate) fn perform(
    wire: &Wire<'_>,
    session: &Session,
    prepared: &Prepared,
    strike: Option<Strike>,
    record: &mut Record,
) -> Answer {
    let world = wire.world;
    let settings = world.settings();
    let fault = strike.map(|strike| strike.kind);
    if fault == Some(FaultKind::TokenExpired) {
        lock(&world.grants).withdraw(&session.token_id);
        let reason = "The token has expired.";
        return super::auth::unauthorized(world, reason, "expired_token", None);
    }
    let bound = binding::bind(
        prepared.spec,
        &prepared.parameters,
        &session.caller.roles,
        settings.hidden_parameter,
    );
    let bound = match bound {
        Ok(bound) => bound,
        Err(refusal) => {
            forget_inner(record, fault);
            return refused(world, &refusal);
        }
    };
    let call_text = format!(
        "{} {}",
        prepared.spec.name,
        Value::Object(bound.parameters.clone())
    );
    let offset = match start(wire, session, prepared, &call_text, fault) {
        Ok(offset) => offset,
        Err(refusal) => return refused(world, &refusal),
    };
    if bound.what_if {
        return written(wire, &settings, &Page::default());
    }
    if bound.confirm == Some(true) {
        let text = "Are you sure you want to perform this action?";
        let page = Page {
            confirmation: Some(text.to_owned()),
            ..Page::default()
        };
        return written(wire, &settings, &page);
    }
    if fault == Some(FaultKind::WarningOnly) {
        return written(
            wire,
            &settings,
            &Page {
                warnings: vec![no_op(&bound)],
                ..Page::default()
            },
        );
    }
    match run(wire, session, prepared, &bound, strike, record) {
        Ok(output) => {
            record.entry.executed = true;
            rows(
                wire, session, prepared, &bound, &settings, &call_text, offset, output,
            )
        }
        Err(refusal) => {
            record.entry.executed = true;
            record.entry.refused = true;
            refused(world, &refusal)
        }
    }
}

/// Takes a fault that lies inside the call back out of the log, since the call was never made.
fn forget_inner(record: &mut Record, fault: Option<FaultKind>) {
    use FaultKind::{Lag, LostCursor, RowArrives, RowVanishes, WarningOnly};
    if matches!(
        fault,
        Some(Lag | LostCursor | RowArrives | RowVanishes | WarningOnly)
    ) {
        record.entry.fault = None;
    }
}

/// How many rows come before the page asked for.
fn start(
    wire: &Wire<'_>,
    session: &Session,
    prepared: &Prepared,
    call: &str,
    fault: Option<FaultKind>,
) -> Result<usize, Refusal> {
    let Some(token) = &prepared.shape.cursor else {
        return Ok(0);
    };
    let lost = || Refusal::binding("System.Exception", paging::LOST);
    if fault == Some(FaultKind::LostCursor) {
        return Err(lost());
    }
    let now = wire.world.clock.now();
    lock(&wire.world.cursors)
        .resume(token, wire.server, &session.caller.name, call, now)
        .ok_or_else(lost)
}

fn no_op(bound: &Bound) -> String {
    let identity = bound
        .parameters
        .get("Identity")
        .and_then(Value::as_str)
        .unwrap_or("the object");
    format!(
        "The command completed successfully but no settings of '{identity}' have been modified."
    )
}

/// Runs the cmdlet, with what a fault does to the tenant around it.
fn run(
    wire: &Wire<'_>,
    session: &Session,
    prepared: &Prepared,
    bound: &Bound,
    strike: Option<Strike>,
    record: &mut Record,
) -> Result<Output, Refusal> {
    let now = wire.world.clock.now();
    let mut parameters = bound.parameters.clone();
    if prepared
        .spec
        .parameters
        .iter()
        .any(|known| known.name == "ResultSize")
    {
        // The door cuts the rows: it must see all of them to know that more follow.
        parameters.insert("ResultSize".to_owned(), "Unlimited".into());
    }
    let call = Call {
        cmdlet: prepared.spec.name,
        parameters,
        service: wire.entrance.service,
        caller: &session.caller,
        now,
    };
    let mut tenant = lock(&wire.world.tenant);
    tenant.advance(now);
    match strike.map(|strike| (strike.kind, strike.seconds)) {
        Some((kind @ (FaultKind::RowVanishes | FaultKind::RowArrives), _)) => {
            let vanish = kind == FaultKind::RowVanishes;
            if !tenant.disturb(prepared.spec.name, vanish, now) {
                record.entry.fault = None;
            }
        }
        Some((FaultKind::Lag, seconds)) => {
            return lagging(&mut tenant, prepared.spec, &call, seconds.unwrap_or(10));
        }
        _ => {}
    }
    (prepared.spec.run)(&mut tenant, &call)
}

/// Runs the cmdlet so that its change stays invisible for a while.
fn lagging(
    tenant: &mut Tenant,
    spec: &Spec,
    call: &Call<'_>,
    seconds: u64,
) -> Result<Output, Refusal> {
    let usual = tenant.options_mut().lag;
    tenant.options_mut().lag = std::time::Duration::from_secs(seconds);
    let output = (spec.run)(tenant, call);
    tenant.options_mut().lag = usual;
    output
}

/// Cuts the page out of the rows and writes it.
#[expect(
    clippy::too_many_arguments,
    reason = "all of it is one step of one function"
)]
fn rows(
    wire: &Wire<'_>,
    session: &Session,
    prepared: &Prepared,
    bound: &Bound,
    settings: &Settings,
    call: &str,
    offset: usize,
    output: Output,
) -> Answer {
    let own_paging = prepared
        .spec
        .parameters
        .iter()
        .any(|known| known.name == "PageSize");
    let standard = if own_paging {
        usize::MAX
    } else {
        paging::LARGEST_PAGE
    };
    let mut size = prepared.shape.page.unwrap_or(standard);
    if settings.result_size_honoured
        && let Some(limit) = bound.result_size
    {
        size = size.min(limit);
    }
    let all = output.rows.len();
    let from = offset.min(all);
    let to = from.saturating_add(size).min(all);
    let mut warnings = output.warnings;
    let mut next = None;
    if to < all && size > 0 {
        warnings.push(envelope::MORE.to_owned());
        let token = lock(&wire.world.cursors).start(
            &wire.world.ids,
            wire.server,
            &session.caller.name,
            call,
            to,
            wire.world.clock.now(),
        );
        let select = prepared.shape.select.as_deref();
        next = Some(paging::link(
            &wire.entrance.base,
            wire.tenant,
            select,
            &token,
        ));
    }
    let select = prepared.shape.select.as_ref().map(|names| {
        names
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect::<Vec<_>>()
    });
    let page = Page {
        rows: output.rows.get(from..to).unwrap_or_default(),
        select,
        warnings,
        errors: output.errors,
        next,
        confirmation: None,
    };
    written(wire, settings, &page)
}

/// Writes the body of a 200, and its warnings once more as a header.
fn written(wire: &Wire<'_>, settings: &Settings, page: &Page<'_>) -> Answer {
    let mut warnings = page.warnings.clone();
    warnings.extend(settings.standing_warning.clone());
    let mut value = envelope::success(&wire.entrance.base, wire.tenant, page);
    if let Some(slot) = value.get_mut("@adminapi.warnings") {
        *slot = json!(warnings);
    }
    let mut answer = body::answer(
        200,
        "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8",
        value.to_string(),
    );
    if !warnings.is_empty() {
        body::set(
            &mut answer,
            "x-warnings",
            &ascii(&json!(warnings).to_string()),
        );
    }
    body::set(&mut answer, "odata-version", "4.0");
    answer
}

/// JSON text with every character beyond ASCII escaped, so that it can stand in a header.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}
