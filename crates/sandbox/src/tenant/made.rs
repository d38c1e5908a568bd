//! Numbers, ids and picks that follow from the seed and a position alone, so that a thing made up
//! on demand comes out the same every time.

use uuid::Uuid;

/// A well mixed 64-bit number from a seed, a purpose and a position (the finisher of `SplitMix64`).
pub const fn mix(seed: u64, purpose: u64, position: u64) -> u64 {
    let mut z = seed
        ^ purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ position.wrapping_mul(0xD1B5_4A32_D192_ED03);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z = (z ^ (z >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 29)
}

/// A version-4 id from a seed, a purpose and a position.
pub fn guid(seed: u64, purpose: u64, position: u64) -> Uuid {
    let high = mix(seed, purpose, position);
    let low = mix(seed ^ 0x5DEE_CE66, purpose.wrapping_add(1), position);
    uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
        .into_uuid()
}

/// One of `items`, chosen by `number`.
pub fn pick<T>(items: &[T], number: u64) -> Option<&T> {
    let count = u64::try_from(items.len()).ok()?;
    if count == 0 {
        return None;
    }
    items.get(usize::try_from(number % count).ok()?)
}

/// A size as Exchange prints it: `50 GB (53,687,091,200 bytes)`.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];
    let digits = bytes.to_string();
    let mut grouped = String::with_capacity(digits.len() + 8);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let (unit, scale) = UNITS
        .into_iter()
        .find(|(_, scale)| bytes >= *scale)
        .unwrap_or(("B", 1));
    let thousandths = u128::from(bytes) * 1000 / u128::from(scale);
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    if rest == 0 {
        return format!("{whole} {unit} ({grouped} bytes)");
    }
    let rest = format!("{rest:03}");
    format!(
        "{whole}.{} {unit} ({grouped} bytes)",
        rest.trim_end_matches('0')
    )
}

#[cfg(test)]
mod tests {
    use super::{guid, pick, size};

    #[test]
    fn sizes_read_as_recorded() {
        assert_eq!(size(53_687_091_200), "50 GB (53,687,091,200 bytes)");
        assert_eq!(size(106_300_440_576), "99 GB (106,300,440,576 bytes)");
        assert_eq!(size(1_288_490_188), "1.199 GB (1,288,490,188 bytes)");
        assert_eq!(size(0), "0 B (0 bytes)");
    }

    #[test]
    fn made_up_ids_repeat_and_differ() {
        assert_eq!(guid(1, 2, 3), guid(1, 2, 3));
        let all: std::collections::HashSet<_> = (0..10_000).map(|n| guid(7, 1, n)).collect();
        assert_eq!(all.len(), 10_000);
        assert_eq!(pick::<u8>(&[], 5), None);
    }
}
