//! Cursors of lists that have a number in them. A cursor says of which list it is, and one of
//! another list is refused.

use aws_lc_rs::digest;
use kernel::{Failure, failure::code};

/// The cursor after a place of a list.
pub(crate) fn of(list: &str, place: i64) -> String {
    format!("{place:x}-{}", print(list))
}

/// The place that a cursor of this list stands for.
pub(crate) fn place(list: &str, cursor: Option<&str>) -> Result<i64, Failure> {
    let Some(cursor) = cursor else {
        return Ok(0);
    };
    let bad = || {
        Failure::invalid(code::BAD_CURSOR, "the cursor does not belong to this list")
            .hint("start again without a cursor")
    };
    let (place, mark) = cursor.split_once('-').ok_or_else(bad)?;
    if mark != print(list) {
        return Err(bad());
    }
    i64::from_str_radix(place, 16)
        .ok()
        .filter(|place| *place >= 0)
        .ok_or_else(bad)
}

fn print(list: &str) -> String {
    let digest = digest::digest(&digest::SHA256, list.as_bytes());
    let start = digest.as_ref().iter().take(4);
    let number = start.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{number:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_taken_by_its_own_list_alone() {
        let cursor = of("items of 1", 300);
        assert_eq!(place("items of 1", Some(&cursor)), Ok(300));
        assert_eq!(place("items of 1", None), Ok(0));
        for (list, cursor) in [
            ("items of 2", cursor.as_str()),
            ("items of 1", "300"),
            ("items of 1", &of("items of 1", -1)),
            ("items of 1", ""),
        ] {
            assert_eq!(
                place(list, Some(cursor)).unwrap_err().code,
                code::BAD_CURSOR
            );
        }
    }
}
