//! Typed ids. Each is a version-7 UUID made from the clock and the randomness it is given, so that
//! ids of different kinds cannot be mixed up and sort by time.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Clock, Random};

fn v7(clock: &dyn Clock, random: &dyn Random) -> Uuid {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id.
            pub fn new(clock: &dyn Clock, random: &dyn Random) -> Self {
                Self(v7(clock, random))
            }

            /// The id of that UUID.
            pub const fn of(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID underneath.
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

typed_id!(
    /// One run of one command.
    RunId
);
