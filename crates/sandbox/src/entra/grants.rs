//! What the sign-in endpoint remembers: refresh tokens, device codes, withdrawn tokens, challenges.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

/// How long a refresh token lives when it is not used.
const REFRESH_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a device code can be approved.
pub(crate) const DEVICE_LIFE_SECONDS: u64 = 900;

/// What a refresh token stands for.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) client_id: String,
    pub(crate) upn: String,
    issued: Timestamp,
}

/// Where a device code stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceState {
    /// Nobody has entered it yet.
    Pending,
    /// Approved by this account.
    Approved(String),
    /// Declined.
    Declined,
}

/// A device code.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) user_code: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) state: DeviceState,
    pub(crate) issued: Timestamp,
    last_asked: Option<Timestamp>,
}

/// What asking for a device code gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceAnswer {
    Unknown,
    Expired,
    SlowDown,
    Pending,
    Declined,
    Approved { upn: String, scope: String },
}

/// The memory of the sign-in endpoint.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    refresh: HashMap<String, Refresh>,
    devices: HashMap<String, Device>,
    withdrawn: HashSet<String>,
    /// Tokens issued up to this one are withdrawn.
    pub(crate) withdrawn_up_to: u64,
    /// How many tokens were issued.
    pub(crate) issued: u64,
    /// The value that tokens must have been asked for with, after a challenge.
    pub(crate) challenge: Option<String>,
}

impl Grants {
    /// Keeps a refresh token.
    pub(crate) fn keep(&mut self, token: String, client_id: &str, upn: &str, now: Timestamp) {
        let refresh = Refresh {
            client_id: client_id.to_owned(),
            upn: upn.to_owned(),
            issued: now,
        };
        self.refresh.insert(token, refresh);
    }

    /// What a refresh token stands for: `Err(true)` when it has expired, `Err(false)` when there
    /// is none.
    pub(crate) fn redeem(&self, token: &str, now: Timestamp) -> Result<Refresh, bool> {
        let found = self.refresh.get(token).ok_or(false)?;
        if now.duration_since(found.issued) > REFRESH_LIFE {
            return Err(true);
        }
        Ok(found.clone())
    }

    /// Keeps a device code.
    pub(crate) fn start_device(&mut self, code: String, device: Device) {
        self.devices.insert(code, device);
    }

    /// Answers a client that asks whether its device code was approved.
    pub(crate) fn ask_device(&mut self, code: &str, interval: u64, now: Timestamp) -> DeviceAnswer {
        let Some(device) = self.devices.get_mut(code) else {
            return DeviceAnswer::Unknown;
        };
        let life = SignedDuration::from_secs(i64::try_from(DEVICE_LIFE_SECONDS).unwrap_or(900));
        if now.duration_since(device.issued) > life {
            return DeviceAnswer::Expired;
        }
        // Half the interval leaves room for a client whose timer runs a little fast.
        let shortest = SignedDuration::from_millis(i64::try_from(interval * 500).unwrap_or(0));
        let before = device.last_asked.replace(now);
        if before.is_some_and(|before| now.duration_since(before) < shortest) {
            return DeviceAnswer::SlowDown;
        }
        match device.state.clone() {
            DeviceState::Pending => DeviceAnswer::Pending,
            DeviceState::Declined => DeviceAnswer::Declined,
            DeviceState::Approved(upn) => {
                let scope = device.scope.clone();
                self.devices.remove(code);
                DeviceAnswer::Approved { upn, scope }
            }
        }
    }

    /// Whose client a device code belongs to.
    pub(crate) fn device_client(&self, code: &str) -> Option<&str> {
        self.devices
            .get(code)
            .map(|device| device.client_id.as_str())
    }

    /// Decides on the codes with this user code, or on all that are pending; gives back how many.
    pub(crate) fn decide(&mut self, user_code: Option<&str>, decision: &DeviceState) -> usize {
        let mut decided = 0;
        for device in self.devices.values_mut() {
            let meant = user_code.is_none_or(|code| code.eq_ignore_ascii_case(&device.user_code));
            if meant && device.state == DeviceState::Pending {
                device.state = decision.clone();
                decided += 1;
            }
        }
        decided
    }

    /// Withdraws every token issued so far.
    pub(crate) fn withdraw_all(&mut self) {
        self.withdrawn_up_to = self.issued;
    }

    /// Withdraws one token by its id.
    pub(crate) fn withdraw(&mut self, jti: &str) {
        self.withdrawn.insert(jti.to_owned());
    }

    /// Whether a token was withdrawn.
    pub(crate) fn is_withdrawn(&self, jti: &str, number: u64) -> bool {
        number <= self.withdrawn_up_to || self.withdrawn.contains(jti)
    }
}

impl Device {
    pub(crate) fn new(user_code: &str, client_id: &str, scope: &str, now: Timestamp) -> Self {
        Self {
            user_code: user_code.to_owned(),
            client_id: client_id.to_owned(),
            scope: scope.to_owned(),
            state: DeviceState::Pending,
            issued: now,
            last_asked: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    #[test]
    fn a_device_code_goes_through_its_states() {
        let mut grants = Grants::default();
        grants.start_device("dc".into(), Device::new("ABCD", "client", "scope", at(0)));
        assert_eq!(grants.ask_device("other", 5, at(1)), DeviceAnswer::Unknown);
        assert_eq!(grants.ask_device("dc", 5, at(1)), DeviceAnswer::Pending);
        assert_eq!(grants.ask_device("dc", 5, at(2)), DeviceAnswer::SlowDown);
        assert_eq!(
            grants.decide(Some("abcd"), &DeviceState::Approved("u@t".into())),
            1
        );
        let approved = DeviceAnswer::Approved {
            upn: "u@t".into(),
            scope: "scope".into(),
        };
        assert_eq!(grants.ask_device("dc", 5, at(9)), approved);
        assert_eq!(
            grants.ask_device("dc", 5, at(20)),
            DeviceAnswer::Unknown,
            "used up"
        );
    }

    #[test]
    fn codes_and_refresh_tokens_end() {
        let mut grants = Grants::default();
        grants.start_device("dc".into(), Device::new("ABCD", "client", "scope", at(0)));
        assert_eq!(grants.ask_device("dc", 5, at(901)), DeviceAnswer::Expired);
        grants.keep("rt".into(), "client", "u@t", at(0));
        assert!(grants.redeem("rt", at(80 * 86_400)).is_ok());
        assert!(grants.redeem("rt", at(91 * 86_400)).unwrap_err(), "expired");
        assert!(!grants.redeem("xx", at(0)).unwrap_err(), "unknown");
    }
}
