use super::*;

#[path = "../../tests/it/pack.rs"]
mod pack;

use pack::{Form, zip};

const FORMS: [Form; 5] = [
    Form::Stored,
    Form::Deflated,
    Form::Streamed,
    Form::Unmarked,
    Form::Long,
];

/// Keeps everything.
#[derive(Default)]
struct Kept {
    files: Vec<(String, Vec<u8>, bool)>,
    only: Option<&'static str>,
}

impl Entries for Kept {
    fn begin(&mut self, name: &str) -> bool {
        self.files.push((name.to_owned(), Vec::new(), false));
        self.only.is_none_or(|only| only == name)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ReportError> {
        self.files.last_mut().unwrap().1.extend(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), ReportError> {
        self.files.last_mut().unwrap().2 = true;
        Ok(())
    }
}

fn read(bytes: &[u8], piece: usize, limits: Limits) -> Result<Kept, ReportError> {
    let mut kept = Kept::default();
    let mut unzip = Unzip::new(&mut kept, limits);
    for part in bytes.chunks(piece) {
        unzip.push(part)?;
    }
    unzip.finish()?;
    Ok(kept)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24).unwrap()
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn every_form_is_read_in_pieces_of_any_size() {
    let (text, noise) = (b"a,b\n".repeat(50_000), noise(200_000));
    for form in FORMS {
        let bytes = zip(&[
            ("one.csv", &text, form),
            ("two.bin", &noise, form),
            ("empty", b"", form),
        ]);
        for piece in [1, 7, 4096, bytes.len()] {
            let kept = read(&bytes, piece, Limits::default());
            let kept = kept.unwrap_or_else(|error| panic!("{form:?} in {piece}: {error}"));
            let names: Vec<&str> = kept.files.iter().map(|file| file.0.as_str()).collect();
            assert_eq!(names, ["one.csv", "two.bin", "empty"]);
            assert!(kept.files.iter().all(|file| file.2), "{form:?}");
            assert!(
                kept.files[0].1 == text && kept.files[1].1 == noise,
                "{form:?}"
            );
        }
    }
    assert_eq!(
        read(&zip(&[]), 5, Limits::default()).unwrap().files.len(),
        0
    );
}

#[test]
fn what_is_not_wanted_is_passed_over() {
    let bytes = zip(&[("a", b"x", Form::Streamed), ("b", b"y", Form::Stored)]);
    let mut kept = Kept {
        only: Some("b"),
        ..Kept::default()
    };
    let mut unzip = Unzip::new(&mut kept, Limits::default());
    unzip.push(&bytes).unwrap();
    unzip.finish().unwrap();
    assert_eq!(kept.files[0], ("a".to_owned(), Vec::new(), false));
    assert_eq!(kept.files[1], ("b".to_owned(), b"y".to_vec(), true));
}

#[test]
fn every_cut_and_every_flipped_byte_of_the_content_is_noticed() {
    for form in FORMS {
        let bytes = zip(&[("one.csv", &noise(300), form)]);
        for length in 0..bytes.len() {
            let cut = read(&bytes[..length], 64, Limits::default());
            assert!(cut.is_err(), "{form:?} cut at {length}");
        }
        // The first bytes of a block hold bits that mean nothing.
        let content = 30 + 7 + 8;
        for at in content..content + 200 {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(
                read(&bad, 64, Limits::default()).is_err(),
                "{form:?} at {at}"
            );
        }
    }
}

#[test]
fn a_bomb_is_stopped_and_strange_files_are_refused() {
    let bomb = zip(&[("one.csv", &vec![b'0'; 40 << 20], Form::Deflated)]);
    assert!(matches!(
        read(&bomb, 4096, Limits::default()),
        Err(ReportError::Bomb(_))
    ));
    let small = Limits {
        inflated: 1000,
        ..Limits::default()
    };
    let bytes = zip(&[("a", &[b'x'; 1001], Form::Stored)]);
    assert!(matches!(read(&bytes, 99, small), Err(ReportError::Bomb(_))));
    let many: Vec<(&str, &[u8], Form)> = vec![("a", b"", Form::Stored); 65];
    assert!(matches!(
        read(&zip(&many), 99, Limits::default()),
        Err(ReportError::Bomb(_))
    ));
    let mut encrypted = zip(&[("a", b"x", Form::Stored)]);
    encrypted[6] |= 1;
    assert!(matches!(
        read(&encrypted, 99, Limits::default()),
        Err(ReportError::Strange(_))
    ));
    let mut unknown = zip(&[("a", b"x", Form::Deflated)]);
    unknown[8] = 93;
    assert!(matches!(
        read(&unknown, 99, Limits::default()),
        Err(ReportError::Strange(_))
    ));
    let page = read(b"<!DOCTYPE html><html>", 99, Limits::default());
    assert!(matches!(page, Err(ReportError::NotZip(start)) if start.contains("<!DO")));
    assert!(matches!(
        read(b"", 1, Limits::default()),
        Err(ReportError::NotZip(_))
    ));
}
