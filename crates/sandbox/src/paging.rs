//! Page cursors, and the back ends that they live on.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use kernel::Random;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::world::World;

/// What a lost cursor says.
pub(crate) const LOST: &str =
    "Expired or Invalid pagination request. Default Expiry time is 00:30:00";
/// How long a cursor lives.
const LIFE: SignedDuration = SignedDuration::from_mins(30);
/// No more cursors than these are kept.
const KEPT: usize = 20_000;
/// The most rows of one page.
pub(crate) const LARGEST_PAGE: usize = 1000;
/// The cookie that keeps a client on its back end.
const COOKIE: &str = "X-BackEndCookie";
/// The prefix of a cursor, as captured.
const PREFIX: &str = "AD";

/// The back ends of the tenant.
pub(crate) const SERVERS: [&str; 3] = ["AM0PR01MB1201", "DB7PR01MB3302", "VI1PR01MB5403"];

/// The back end that serves a request: the one of the cookie, else that of the anchor, else the
/// next in turn.
pub(crate) fn server(world: &World, headers: &HeaderMap) -> &'static str {
    let from_cookie = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, value)| SERVERS.iter().find(|server| **server == value));
    if let Some(server) = from_cookie {
        return server;
    }
    let anchor = headers
        .get("x-anchormailbox")
        .and_then(|value| value.to_str().ok());
    let number = match anchor.filter(|anchor| !anchor.is_empty()) {
        Some(anchor) => anchor
            .to_ascii_lowercase()
            .bytes()
            .fold(0usize, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(usize::from(byte))
            }),
        None => world.turn(),
    };
    SERVERS
        .get(number % SERVERS.len())
        .copied()
        .unwrap_or("AM0PR01MB1201")
}

/// The cookie for a back end.
pub(crate) fn cookie(server: &str) -> String {
    format!("{COOKIE}={server}; path=/; HttpOnly")
}

/// What a cursor continues.
#[derive(Debug, Clone)]
struct Cursor {
    server: &'static str,
    caller: String,
    /// Cmdlet and bound parameters, as text: a cursor goes with the same body only.
    call: String,
    offset: usize,
    made: Timestamp,
}

/// The cursors of all back ends.
#[derive(Debug, Default)]
pub(crate) struct Cursors(HashMap<String, Cursor>);

impl Cursors {
    /// Makes the cursor for what follows `offset` rows, and gives back its token.
    pub(crate) fn start(
        &mut self,
        ids: &dyn Random,
        server: &'static str,
        caller: &str,
        call: &str,
        offset: usize,
        now: Timestamp,
    ) -> String {
        if self.0.len() >= KEPT {
            self.0
                .retain(|_, cursor| now.duration_since(cursor.made) <= LIFE);
        }
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        let id = ids.uuid().simple().to_string();
        let token = format!("{PREFIX}{}", STANDARD.encode(format!("{id}{server}")));
        let cursor = Cursor {
            server,
            caller: caller.to_owned(),
            call: call.to_owned(),
            offset,
            made: now,
        };
        self.0.insert(token.clone(), cursor);
        token
    }

    /// How many rows come before what the cursor stands for; `None` when it is lost.
    pub(crate) fn resume(
        &self,
        token: &str,
        server: &str,
        caller: &str,
        call: &str,
        now: Timestamp,
    ) -> Option<usize> {
        let cursor = self.0.get(token)?;
        let whole = cursor.server == server
            && cursor.caller == caller
            && cursor.call == call
            && now.duration_since(cursor.made) <= LIFE;
        whole.then_some(cursor.offset)
    }
}

/// The continuation link of a token.
pub(crate) fn link(base: &str, tenant: &str, select: Option<&str>, token: &str) -> String {
    let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
    let select = select
        .map(|names| {
            format!(
                "%24select={}&",
                utf8_percent_encode(names, NON_ALPHANUMERIC)
            )
        })
        .unwrap_or_default();
    format!("{base}/adminapi/beta/{tenant}/InvokeCommand?{select}%24skiptoken={token}")
}

/// `odata.maxpagesize` of the `Prefer` headers, within 1 and 1000.
pub(crate) fn preferred(headers: &HeaderMap) -> Option<usize> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split([',', ';']))
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("odata.maxpagesize"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .map(|size| size.clamp(1, LARGEST_PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_bound_to_its_back_end_its_call_and_half_an_hour() {
        let ids = kernel::SeededRandom::new(1);
        let start = Timestamp::from_second(1_780_000_000).unwrap();
        let after = |minutes| {
            start
                .checked_add(SignedDuration::from_mins(minutes))
                .unwrap()
        };
        let mut cursors = Cursors::default();
        let token = cursors.start(&ids, SERVERS[0], "me", "call", 10, start);
        let ask = |server, call, now| cursors.resume(&token, server, "me", call, now);
        assert_eq!(ask(SERVERS[0], "call", after(29)), Some(10));
        assert_eq!(ask(SERVERS[0], "call", after(31)), None);
        assert_eq!(ask(SERVERS[1], "call", start), None);
        assert_eq!(ask(SERVERS[0], "other", start), None);
        assert_eq!(
            cursors.resume(&token, SERVERS[0], "you", "call", start),
            None
        );
    }

    #[test]
    fn the_page_size_is_read_from_every_form_of_prefer() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", text.parse().unwrap());
            preferred(&headers)
        };
        assert_eq!(read("odata.maxpagesize=1"), Some(1));
        assert_eq!(
            read("odata.maxpagesize = 5000;odata.continue-on-error"),
            Some(1000)
        );
        assert_eq!(read("respond-async"), None);
    }
}
