//! Places in a run where a test can hold it, or end the process. A normal program holds nothing.

use async_trait::async_trait;

/// A place in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// A plan is made; the intent to apply its next step is not written.
    BeforeIntent,
    /// The intent is written; nothing is sent.
    IntentToSend,
    /// The call is under way.
    InFlight,
    /// The answer is there; nothing of it is written.
    AnsweredToSettled,
    /// One step is settled; the next has not begun.
    BetweenItems,
    /// What was accepted is still under way; it is about to be asked about again.
    InPoll,
    /// Rows of a read came in; their page is not written.
    InsidePage,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::BeforeIntent,
        Self::IntentToSend,
        Self::InFlight,
        Self::AnsweredToSettled,
        Self::BetweenItems,
        Self::InPoll,
        Self::InsidePage,
    ];

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeIntent => "before_intent",
            Self::IntentToSend => "intent_to_send",
            Self::InFlight => "in_flight",
            Self::AnsweredToSettled => "answered_to_settled",
            Self::BetweenItems => "between_items",
            Self::InPoll => "in_poll",
            Self::InsidePage => "inside_page",
        }
    }
}

/// Whoever wants to know, or to hold a run there.
#[async_trait]
pub trait Probe: Send + Sync {
    /// The run has come here; it goes on when this ends.
    async fn reached(&self, _point: Point) {}
}

/// Holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

#[async_trait]
impl Probe for NoProbe {}
