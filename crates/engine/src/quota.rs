//! What a caller may change within an hour, and how much of that a run takes.

use kernel::{ErrorKind, Failure, failure::code};

/// How much a run takes of what its caller may change within an hour. A ledger holds it against
/// what the caller's other runs of the last hour took, in the transaction that records the run:
/// requests that come together cannot pass it together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Items that the run names.
    pub items: u64,
    /// Mailboxes that it touches, as far as that is known.
    pub mailboxes: u64,
    /// Items that the caller may change within an hour.
    pub items_per_hour: Option<u64>,
    /// Mailboxes that the caller may touch within an hour.
    pub mailboxes_per_hour: Option<u64>,
}

impl Quota {
    /// Whether the run may come after others that took this much.
    ///
    /// # Errors
    ///
    /// `cap_reached`, with the cap that it would pass.
    pub fn after(&self, items: u64, mailboxes: u64) -> Result<(), Failure> {
        const HOUR: &str = "an hour";
        within("items", HOUR, self.items, items, self.items_per_hour)?;
        let most = self.mailboxes_per_hour;
        within("mailboxes", HOUR, self.mailboxes, mailboxes, most)
    }
}

/// Refuses what goes beyond a cap, if there is one: `what` is counted in `when`, so many are asked
/// for and so many used.
///
/// # Errors
///
/// `cap_reached`.
pub fn within(
    what: &str,
    when: &str,
    new: u64,
    used: u64,
    most: Option<u64>,
) -> Result<(), Failure> {
    let Some(most) = most.filter(|most| used.saturating_add(new) > *most) else {
        return Ok(());
    };
    let text = format!(
        "the token may change {most} {what} in {when}; {used} are used, and this run names {new}"
    );
    Err(Failure::new(ErrorKind::Throttled, code::CAP_REACHED, text)
        .status(429)
        .arg("cap", format!("{what} in {when}"))
        .arg("limit", most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_counts_with_what_is_asked() {
        assert!(within("items", "an hour", 2, 3, Some(5)).is_ok());
        let refused = within("items", "an hour", 3, 3, Some(5)).unwrap_err();
        assert_eq!(refused.code, code::CAP_REACHED);
        // A cap beyond all numbers is none, and a sum beyond them passes any other.
        assert!(within("items", "an hour", u64::MAX, u64::MAX, None).is_ok());
        assert!(within("items", "an hour", u64::MAX, u64::MAX, Some(7)).is_err());
    }

    #[test]
    fn either_cap_is_enough_to_refuse() {
        let quota = Quota {
            items: 2,
            mailboxes: 10,
            items_per_hour: Some(4),
            mailboxes_per_hour: Some(20),
        };
        quota.after(2, 10).unwrap();
        let cap = |refused: Result<(), Failure>| refused.unwrap_err().args["cap"].clone();
        assert_eq!(cap(quota.after(3, 0)), "items in an hour");
        assert_eq!(cap(quota.after(0, 11)), "mailboxes in an hour");
    }
}
