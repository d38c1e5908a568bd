//! `fuzz TARGET COUNT SEED FILE…`: mutates the seeds in the files and feeds them to a target. An
//! input that makes it panic, or takes longer than it may, is written out and ends the run.

mod targets;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::{Duration, Instant},
};

/// The longest that one input may take, on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest input.
const LARGEST: usize = 64 * 1024;

/// A small generator; the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Bytes that parsers stumble over.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"*",
    b"*.",
    b"://",
    b":",
    b";",
    b",",
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b"=",
    b"=\r\n",
    b"&#x",
    b"%00",
    b"\xff",
    b"\xe2\x80\xae",
    b"\xc3",
    b"NEAR(",
    b" AND ",
    b" OR ",
    b"NOT ",
    b"null",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"@odata.type",
    b"\"value\":",
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"<a href='",
    b"Location: ",
    b"Item count: ",
];

/// A seed, changed; every other time a whole file.
fn mutated(dice: &mut Dice, seeds: &[Vec<u8>], files: usize) -> Vec<u8> {
    let among = if dice.below(2) == 0 {
        files
    } else {
        seeds.len()
    };
    let mut data = seeds[dice.below(among)].clone();
    for _ in 0..=dice.below(8) {
        let at = dice.below(data.len() + 1);
        match dice.below(7) {
            0 if at < data.len() => data[at] = dice.next() as u8,
            1 if at < data.len() => data[at] ^= 1 << dice.below(8),
            2 => {
                let word = WORDS[dice.below(WORDS.len())];
                data.splice(at..at, word.iter().copied());
            }
            3 => {
                let end = (at + dice.below(64)).min(data.len());
                data.drain(at..end);
            }
            4 => {
                let end = (at + dice.below(256)).min(data.len());
                let piece = data[at..end].repeat(1 + dice.below(40));
                data.splice(at..at, piece);
            }
            5 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                let end = (from + dice.below(512)).min(other.len());
                data.splice(at..at, other[from..end].iter().copied());
            }
            _ => data.truncate(at),
        }
        data.truncate(LARGEST);
    }
    data
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, count, seed, files @ ..] = arguments.as_slice() else {
        eprintln!("fuzz TARGET COUNT SEED FILE…");
        return ExitCode::from(2);
    };
    let Some(target) = targets::ALL.iter().find(|target| target.name == name) else {
        eprintln!("no target is called {name}");
        return ExitCode::from(2);
    };
    let (Ok(count), Ok(seed)) = (count.parse::<u64>(), seed.parse::<u64>()) else {
        eprintln!("COUNT and SEED are numbers");
        return ExitCode::from(2);
    };
    let mut seeds: Vec<Vec<u8>> = files
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .collect();
    let whole = seeds.len();
    // Texts in seeds are seeds themselves: rows, queries, entries, result texts.
    let strings: Vec<Vec<u8>> = seeds
        .iter()
        .flat_map(|seed| seed.split(|byte| *byte == b'"'))
        .filter(|text| text.len() > 3)
        .map(<[u8]>::to_vec)
        .collect();
    seeds.extend(strings);
    seeds.push(Vec::new());
    let mut dice = Dice(seed);
    for _ in 0..count {
        let data = mutated(&mut dice, &seeds, whole);
        let begun = Instant::now();
        let fine = catch_unwind(AssertUnwindSafe(|| (target.run)(&data))).is_ok();
        if !fine || begun.elapsed() > LONGEST {
            let path = std::env::temp_dir().join(format!("fuzz-{name}"));
            let _ = std::fs::write(&path, &data);
            eprintln!(
                "{name}: panicked or took too long; the input is {}",
                path.display()
            );
            return ExitCode::FAILURE;
        }
    }
    println!("{count}");
    ExitCode::SUCCESS
}
