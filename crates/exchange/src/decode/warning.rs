//! What a warning means. The texts are those that clients of others match.

use crate::Warning;

/// What the service's warning means.
pub(crate) fn classify(text: &str) -> Warning {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let has = |part: &str| text.contains(part);
    if has("completed successfully but no settings of") {
        Warning::NoChange
    } else if has("access control entry is already present on") {
        Warning::AcePresent
    } else if has("because the ace doesn't exist on") || has("because the ace isn't present") {
        Warning::AceMissing
    } else if has("there are more results available than are currently displayed") {
        Warning::Truncated
    } else {
        Warning::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_warnings_are_told_apart() {
        for (text, meaning) in [
            (
                "The command completed successfully but no settings of 'x' have been modified.",
                Warning::NoChange,
            ),
            (
                "The appropriate access control entry is already present on the object \"x\".",
                Warning::AcePresent,
            ),
            (
                "Can't remove the access control entry because the ACE doesn\u{2019}t exist on the object.",
                Warning::AceMissing,
            ),
            ("… because the ACE isn't present.", Warning::AceMissing),
            (
                "There are more results available than are currently displayed. To view them, \
                 increase the value for the ResultSize parameter.",
                Warning::Truncated,
            ),
            ("Micro delay applied.", Warning::Other),
        ] {
            assert_eq!(classify(text), meaning, "{text}");
        }
    }
}
