//! How far entries of a list reach: own domains, important people, and the room left on the list.

use kernel::Failure;

use super::Entry;
use crate::Reach;

/// The most blocks of a list under the largest plan, and under the one below it.
const LARGEST_PLAN: usize = 10_000;
const NEXT_PLAN: usize = 1_000;

/// Notes the tenant's own domains that entries cover. Where they could not be read the field stays
/// empty; a warning says so.
pub(super) fn note_own_domains(
    reach: &mut Reach,
    own: Result<&[String], &Failure>,
    entries: &[&Entry],
) {
    let own = own.unwrap_or_default();
    reach
        .own_domains
        .extend(entries.iter().flat_map(|entry| entry.own_domains(own)));
    reach.own_domains.sort();
    reach.own_domains.dedup();
}

/// Notes the VIPs whose mail entries catch.
pub(crate) fn note_vips(reach: &mut Reach, vips: &[String], entries: &[&Entry]) {
    let caught = vips
        .iter()
        .filter(|vip| entries.iter().any(|entry| entry.catches(vip)));
    reach.vips.extend(caught.cloned());
    reach.vips.sort();
    reach.vips.dedup();
}

/// How many more blocks the list has room for after `adding`. Nothing that a look reads names the
/// tenant's plan, so it is known only where the list holds, or would hold, more than every smaller
/// plan allows.
pub(super) fn head_room(blocks: usize, adding: usize) -> Option<i64> {
    let after = blocks + adding;
    let known = blocks > NEXT_PLAN || after > LARGEST_PLAN;
    let left = i64::try_from(LARGEST_PLAN).ok()? - i64::try_from(after).ok()?;
    known.then_some(left)
}
