//! The address of an operation, as `Location` names it.

use url::Url;

use crate::{CaseId, OperationId};

/// What a `Location` points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The case.
    pub case: CaseId,
    /// The operation in it.
    pub operation: OperationId,
}

/// Reads the address of an operation: `…/ediscoverycases('c')/operations('o')` or
/// `…/ediscoveryCases/c/operations/o`, in any case of letters. Whether its host may be asked is
/// decided elsewhere.
pub fn place(url: &Url) -> Option<Place> {
    let segments: Vec<&str> = url.path_segments()?.filter(|one| !one.is_empty()).collect();
    let case = key(&segments, "ediscoverycases")?;
    let operation = key(&segments, "operations")?;
    Some(Place {
        case: CaseId::parse(&case)?,
        operation: OperationId::parse(&operation)?,
    })
}

/// The key of a collection in either style.
fn key(segments: &[&str], name: &str) -> Option<String> {
    let mut segments = segments.iter();
    while let Some(segment) = segments.next() {
        let segment = percent_encoding::percent_decode_str(segment)
            .decode_utf8()
            .ok()?;
        let (head, rest) = match segment.split_once('(') {
            Some((head, rest)) => (head, Some(rest)),
            None => (&*segment, None),
        };
        if !head.eq_ignore_ascii_case(name) {
            continue;
        }
        return match rest {
            Some(rest) => {
                let inner = rest.strip_suffix(')')?;
                let inner = inner.strip_prefix('\'').unwrap_or(inner);
                let inner = inner.strip_suffix('\'').unwrap_or(inner);
                Some(inner.to_owned())
            }
            None => segments.next().map(|next| (*next).to_owned()),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<(String, String)> {
        let place = place(&Url::parse(url).unwrap())?;
        Some((place.case.to_string(), place.operation.to_string()))
    }

    #[test]
    fn both_styles_of_keys_are_read() {
        let both = Some((
            "4c551bc5-f6f8-435c-8391-d1a08f1ffd5b".to_owned(),
            "698514cc118f4c8b8cdf1bf0797bf478".to_owned(),
        ));
        for url in [
            "https://graph.microsoft.com/v1.0/security/cases/ediscoverycases('4c551bc5-f6f8-435c-8391-d1a08f1ffd5b')/operations('698514cc118f4c8b8cdf1bf0797bf478')",
            "https://graph.microsoft.com/v1.0/security/cases/ediscoveryCases/4c551bc5-f6f8-435c-8391-d1a08f1ffd5b/operations/698514cc118f4c8b8cdf1bf0797bf478",
            "https://graph.microsoft.com/v1.0//security/cases/eDiscoveryCases(4c551bc5-f6f8-435c-8391-d1a08f1ffd5b)/Operations%28%27698514cc118f4c8b8cdf1bf0797bf478%27%29",
        ] {
            assert_eq!(read(url), both, "{url}");
        }
        for url in [
            "https://graph.microsoft.com/v1.0/security/cases",
            "https://graph.microsoft.com/ediscoverycases('a')/operations",
            "https://graph.microsoft.com/ediscoverycases('a')/operations('')",
            "https://graph.microsoft.com/ediscoverycases('a/../b')/operations('c')",
            "https://graph.microsoft.com/ediscoverycases('a')/operations('c%2F..%2Fd')",
        ] {
            assert_eq!(read(url), None, "{url}");
        }
    }
}
