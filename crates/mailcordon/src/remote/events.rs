//! Following a run: server-sent events, gone on with after a broken connection.

use std::time::Duration;

use engine::{Cancel, ItemView, Progress};
use kernel::{Failure, failure::code, ids::RunId};
use serde::Deserialize;
use serde_json::Value;

use super::client::{Ask, Body, Client, passing, strange};
use crate::{runs::Parked, terminal};

/// How often a broken stream is begun again without anything coming of it.
const TRIES: u32 = 60;
/// The pause between two of them, at first and at most.
const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(5);
/// The longest event that is taken.
const LARGEST: usize = 16 << 20;

/// One event.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
}

/// Takes a stream of events apart.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    /// The id of the event that is coming.
    coming: Option<String>,
    /// The id of the last event that came whole.
    id: Option<String>,
}

impl Parser {
    /// What has come to its end with these bytes.
    fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut out = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            out.extend(self.line(line.trim_end_matches('\r')));
        }
        out
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            if let Some(id) = self.coming.take() {
                self.id = Some(id);
            }
            return (!name.is_empty()).then_some(Event { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" => self.coming = Some(value.to_owned()),
            // A comment that says the stream lives, or what a newer service sends.
            _ => {}
        }
        None
    }

    /// What came of an event that never ended is worth nothing.
    fn broken(&mut self) {
        self.line.clear();
        self.name.clear();
        self.data.clear();
        self.coming = None;
    }

    fn too_large(&self) -> bool {
        self.line.len() + self.data.len() > LARGEST
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Deserialize)]
pub struct Standing {
    /// `queued`, `running`, `waiting`, `parked`, `cancelling` or `finished`.
    pub state: String,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// Why it is parked.
    pub parked: Option<Parked>,
}

/// What a run waits for.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiting {
    /// What for.
    pub what: String,
}

/// Whoever watches.
pub trait Seen {
    /// A settled item.
    fn item(&mut self, item: ItemView);
    /// Progress.
    fn progress(&mut self, _progress: Progress) {}
    /// The run stands elsewhere. False ends the watching.
    fn standing(&mut self, _standing: &Standing) -> bool {
        true
    }
}

/// How the following of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The run is over.
    Over,
    /// The watcher has seen enough.
    Left,
}

/// A run that is followed.
pub struct Follow<'a> {
    client: &'a Client,
    run: RunId,
    cancel: &'a Cancel,
    asked: bool,
    parser: Parser,
}

impl<'a> Follow<'a> {
    /// Follows a run, and asks it to stop when the switch says so.
    pub fn new(client: &'a Client, run: RunId, cancel: &'a Cancel) -> Self {
        Self {
            client,
            run,
            cancel,
            asked: false,
            parser: Parser::default(),
        }
    }

    /// Until the run is over. A broken connection is made again, after the last item that came.
    pub async fn until_over(mut self, seen: &mut dyn Seen) -> Result<Ended, Failure> {
        let mut tries = 0;
        loop {
            let before = self.parser.id.clone();
            let failure = match self.stream(seen).await {
                Ok(Some(ended)) => return Ok(ended),
                // The service stops, and its successor goes on.
                Ok(None) => None,
                Err(failure) if passing(&failure) => Some(failure),
                Err(failure) => return Err(failure),
            };
            self.parser.broken();
            if self.parser.id != before {
                tries = 0;
            }
            tries += 1;
            if tries > TRIES {
                return Err(failure.unwrap_or_else(|| strange("events that lead to no end")));
            }
            if tries == 2 {
                terminal::note("the connection to the service was lost; trying again");
            }
            self.client.pause((FIRST * tries).min(LAST)).await;
        }
    }

    /// One connection. None when it ended before the run did.
    async fn stream(&mut self, seen: &mut dyn Seen) -> Result<Option<Ended>, Failure> {
        let mut ask = Ask::get(format!("/api/v1/runs/{}/events", self.run));
        if let Some(id) = &self.parser.id {
            ask = ask.after(id);
        }
        // Ctrl-C is heard also while the service cannot be reached.
        self.ask_to_stop().await?;
        let mut body = self.client.send(&ask).await?;
        while let Some(bytes) = self.next(&mut body).await? {
            for event in self.parser.feed(&bytes) {
                if let Some(ended) = told(&event, seen)? {
                    return Ok(Some(ended));
                }
            }
            if self.parser.too_large() {
                return Err(strange("an event larger than any real one"));
            }
        }
        Ok(None)
    }

    async fn next(&mut self, body: &mut Body) -> Result<Option<bytes::Bytes>, Failure> {
        if !self.asked {
            tokio::select! {
                next = body.next() => return next,
                () = self.cancel.cancelled() => {}
            }
            self.ask_to_stop().await?;
        }
        body.next().await
    }

    async fn ask_to_stop(&mut self) -> Result<(), Failure> {
        if self.asked || !self.cancel.is_cancelled() {
            return Ok(());
        }
        let ask = Ask::post_nothing(format!("/api/v1/runs/{}/cancel", self.run));
        match self.client.send(&ask).await {
            Ok(_) => {}
            Err(failure) if failure.code == code::RUN_OVER => {}
            // It is asked again on the next connection.
            Err(failure) if passing(&failure) => return Err(failure),
            Err(failure) => {
                terminal::warning("the service does not stop the run; it is watched on");
                terminal::failure(&failure);
            }
        }
        self.asked = true;
        Ok(())
    }
}

fn told(event: &Event, seen: &mut dyn Seen) -> Result<Option<Ended>, Failure> {
    let unread = |error: serde_json::Error| strange(&format!("an unknown event: {error}"));
    match event.name.as_str() {
        "item" => seen.item(serde_json::from_str(&event.data).map_err(unread)?),
        "progress" => {
            let data: Value = serde_json::from_str(&event.data).map_err(unread)?;
            let number = |name: &str| {
                let number = data.get(name).and_then(Value::as_u64);
                number.and_then(|number| usize::try_from(number).ok())
            };
            seen.progress(Progress {
                done: number("done").unwrap_or(0),
                total: number("total"),
            });
        }
        "state" => {
            let standing = serde_json::from_str(&event.data).map_err(unread)?;
            if !seen.standing(&standing) {
                return Ok(Some(Ended::Left));
            }
        }
        "end" => return Ok(Some(Ended::Over)),
        _ => {}
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_wherever_the_stream_is_cut() {
        let text = "id: 0\nevent: state\ndata: {\"a\":1}\n\n: alive\n\nid: 2\r\nevent: item\r\n\
                    data: x\r\ndata: y\r\n\r\nid: 3\nevent: item\ndata: half";
        for cut in 0..text.len() {
            let mut parser = Parser::default();
            let mut events = parser.feed(&text.as_bytes()[..cut]);
            events.extend(parser.feed(&text.as_bytes()[cut..]));
            let all: Vec<_> = events
                .iter()
                .map(|event| (event.name.as_str(), event.data.as_str()))
                .collect();
            assert_eq!(
                all,
                [("state", "{\"a\":1}"), ("item", "x\ny")],
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn the_place_of_an_event_that_broke_off_is_not_kept() {
        let mut parser = Parser::default();
        parser.feed(b"id: 2\nevent: item\ndata: x\n\nid: 3\nevent: item\ndata: ha");
        parser.broken();
        assert_eq!(parser.id.as_deref(), Some("2"), "the third is sent again");
    }
}
