//! A ZIP file read from its beginning as its bytes come in. The directory at its end is only
//! proof that nothing is missing: what it says of sizes and names is not believed over what is
//! there.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::ReportError;

/// Takes the files of a ZIP as they come.
pub trait Entries {
    /// A file begins. Gives false when its content is not wanted.
    fn begin(&mut self, name: &str) -> bool;
    /// Some of its content.
    fn data(&mut self, bytes: &[u8]) -> Result<(), ReportError>;
    /// It is whole.
    fn end(&mut self) -> Result<(), ReportError>;
}

/// What no real report goes beyond.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files in it.
    pub files: u32,
    /// Bytes that all files inflate to.
    pub inflated: u64,
    /// How many times as large as the ZIP what comes out of it may be, once it is more than
    /// [`Limits::small`].
    pub ratio: u64,
    /// Up to here the ratio does not matter.
    pub small: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 64,
            inflated: 4 << 30,
            ratio: 200,
            small: 16 << 20,
        }
    }
}

const LOCAL: u32 = 0x0403_4b50;
const DIRECTORY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const HEADER: usize = 30;
/// The longest data descriptor. What follows it is always longer, so waiting for so many bytes
/// never waits in vain.
const LONGEST_DESCRIPTOR: usize = 24;
const OUT: usize = 64 << 10;

/// A file on its way.
#[derive(Debug)]
struct File {
    wanted: bool,
    /// Its checksum and sizes come after its content.
    told_later: bool,
    crc_told: u32,
    crc: Crc,
    /// Bytes of it in the ZIP, and out of it.
    packed: u64,
    unpacked: u64,
}

#[derive(Debug)]
enum State {
    /// Before a header.
    Header,
    /// In a deflated file.
    Deflated(Box<Decompress>),
    /// In a stored file with so many bytes to come.
    Stored(u64),
    /// After a file whose checksum and sizes follow.
    Descriptor,
    /// In the directory.
    Directory,
}

/// Reads a ZIP.
pub struct Unzip<'a> {
    sink: &'a mut (dyn Entries + Send),
    limits: Limits,
    state: State,
    file: Option<File>,
    /// Bytes that make up less than the next part.
    held: Vec<u8>,
    out: Vec<u8>,
    files: u32,
    taken: u64,
    inflated: u64,
    /// The mark of the directory's end was seen so many bytes ago.
    end: Option<u64>,
}

impl<'a> Unzip<'a> {
    /// A reader that hands files to `sink`.
    pub fn new(sink: &'a mut (dyn Entries + Send), limits: Limits) -> Self {
        Self {
            sink,
            limits,
            state: State::Header,
            file: None,
            held: Vec::new(),
            out: vec![0; OUT],
            files: 0,
            taken: 0,
            inflated: 0,
            end: None,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), ReportError> {
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        loop {
            let before = self.progress(bytes);
            bytes = match self.state {
                State::Header => self.header(bytes)?,
                State::Deflated(_) => self.inflate(bytes)?,
                State::Stored(left) => self.stored(bytes, left)?,
                State::Descriptor => self.descriptor(bytes)?,
                State::Directory => {
                    self.directory(bytes);
                    return Ok(());
                }
            };
            // What comes out of the last byte may be more than one turn can hold.
            if self.progress(bytes) == before {
                return Ok(());
            }
        }
    }

    fn progress(&self, bytes: &[u8]) -> (usize, usize, u64, std::mem::Discriminant<State>) {
        let kind = std::mem::discriminant(&self.state);
        (bytes.len(), self.held.len(), self.inflated, kind)
    }

    /// All bytes were given: whether the ZIP is whole.
    pub fn finish(self) -> Result<(), ReportError> {
        match self.state {
            State::Directory if self.end.is_some_and(|since| since >= 18) => Ok(()),
            _ if self.taken == 0 => Err(ReportError::NotZip("nothing".to_owned())),
            _ => Err(ReportError::Damaged("it ends early")),
        }
    }

    /// Fills what is held up to a length; gives the rest, and whether the length is reached.
    fn hold<'b>(&mut self, bytes: &'b [u8], length: usize) -> (&'b [u8], bool) {
        let missing = length.saturating_sub(self.held.len()).min(bytes.len());
        let (more, rest) = bytes.split_at(missing);
        self.held.extend_from_slice(more);
        (rest, self.held.len() >= length)
    }

    fn header<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], ReportError> {
        let (rest, is_there) = self.hold(bytes, 4);
        if !is_there {
            return Ok(rest);
        }
        match number(&self.held, 0, 4) {
            mark if mark == u64::from(LOCAL) => {}
            mark if [DIRECTORY, END, END_64].map(u64::from).contains(&mark) => {
                self.state = State::Directory;
                let held = std::mem::take(&mut self.held);
                self.directory(&held);
                return Ok(rest);
            }
            _ if self.files == 0 => {
                let start = super::super::decode::start_of(&self.held);
                return Err(ReportError::NotZip(start));
            }
            _ => return Err(ReportError::Damaged("a file's header is none")),
        }
        let (rest, is_there) = self.hold(rest, HEADER);
        if !is_there {
            return Ok(rest);
        }
        let length = |at| usize::try_from(number(&self.held, at, 2)).unwrap_or(0);
        let whole = HEADER + length(26) + length(28);
        let (rest, is_there) = self.hold(rest, whole);
        if is_there {
            let held = std::mem::take(&mut self.held);
            self.begin(&held)?;
        }
        Ok(rest)
    }

    fn begin(&mut self, header: &[u8]) -> Result<(), ReportError> {
        self.files += 1;
        if self.files > self.limits.files {
            return Err(ReportError::Bomb("it holds too many files"));
        }
        let flags = number(header, 6, 2);
        if flags & 1 != 0 {
            return Err(ReportError::Strange("a file is encrypted"));
        }
        let names = usize::try_from(number(header, 26, 2)).unwrap_or(0);
        let name = header.get(HEADER..HEADER + names).unwrap_or_default();
        let extra = header.get(HEADER + names..).unwrap_or_default();
        let told_later = flags & 8 != 0;
        let packed = match number(header, 18, 4) {
            0xffff_ffff => long_size(extra).ok_or(ReportError::Damaged("a size is missing"))?,
            short => short,
        };
        self.state = match number(header, 8, 2) {
            8 => State::Deflated(Box::new(Decompress::new(false))),
            0 if !told_later => State::Stored(packed),
            0 => {
                return Err(ReportError::Strange(
                    "the size of a stored file is not told",
                ));
            }
            _ => {
                return Err(ReportError::Strange(
                    "a file is compressed in an unknown way",
                ));
            }
        };
        self.file = Some(File {
            wanted: self.sink.begin(&String::from_utf8_lossy(name)),
            told_later,
            crc_told: u32::try_from(number(header, 14, 4)).unwrap_or(0),
            crc: Crc::new(),
            packed: 0,
            unpacked: 0,
        });
        if matches!(self.state, State::Stored(0)) {
            self.whole()?;
        }
        Ok(())
    }

    fn inflate<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], ReportError> {
        let State::Deflated(inflater) = &mut self.state else {
            return Ok(bytes);
        };
        let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
        let status = inflater
            .decompress(bytes, &mut self.out, FlushDecompress::None)
            .map_err(|_| ReportError::Damaged("a file cannot be inflated"))?;
        let read = inflater.total_in() - before_in;
        let made = usize::try_from(inflater.total_out() - before_out).unwrap_or(0);
        let rest = bytes
            .get(usize::try_from(read).unwrap_or(0)..)
            .unwrap_or_default();
        if let Some(file) = &mut self.file {
            file.packed += read;
        }
        self.hand_out(made)?;
        if status == Status::StreamEnd {
            self.whole()?;
        }
        Ok(rest)
    }

    fn hand_out(&mut self, made: usize) -> Result<(), ReportError> {
        let bytes = self.out.get(..made).unwrap_or_default();
        give(&mut *self.sink, &mut self.file, bytes)?;
        self.grown(made as u64)
    }

    fn grown(&mut self, by: u64) -> Result<(), ReportError> {
        self.inflated = self.inflated.saturating_add(by);
        if self.inflated > self.limits.inflated {
            return Err(ReportError::Bomb("it inflates beyond the limit"));
        }
        let most = self.taken.saturating_mul(self.limits.ratio);
        if self.inflated > self.limits.small && self.inflated > most {
            return Err(ReportError::Bomb(
                "it inflates like nothing that was written by people",
            ));
        }
        Ok(())
    }

    fn stored<'b>(&mut self, bytes: &'b [u8], left: u64) -> Result<&'b [u8], ReportError> {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (mine, rest) = bytes.split_at(here);
        give(&mut *self.sink, &mut self.file, mine)?;
        self.grown(here as u64)?;
        if let Some(file) = &mut self.file {
            file.packed += here as u64;
        }
        let left = left - here as u64;
        self.state = State::Stored(left);
        if left == 0 {
            self.whole()?;
        }
        Ok(rest)
    }

    /// The content of a file is there.
    fn whole(&mut self) -> Result<(), ReportError> {
        if self.file.as_ref().is_some_and(|file| file.told_later) {
            self.state = State::Descriptor;
            return Ok(());
        }
        self.state = State::Header;
        match self.file.take() {
            Some(file) if file.crc.sum() != file.crc_told => {
                Err(ReportError::Damaged("a checksum is wrong"))
            }
            Some(file) if file.wanted => self.sink.end(),
            _ => Ok(()),
        }
    }

    fn descriptor<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], ReportError> {
        let (rest, is_there) = self.hold(bytes, LONGEST_DESCRIPTOR);
        let Some(file) = self.file.take_if(|_| is_there) else {
            return Ok(rest);
        };
        let held = std::mem::take(&mut self.held);
        let marked = number(&held, 0, 4) == u64::from(DESCRIPTOR);
        let fits = |start: usize, size: usize| {
            number(&held, start, 4) == u64::from(file.crc.sum())
                && number(&held, start + 4, size) == cut(file.packed, size)
                && number(&held, start + 4 + size, size) == cut(file.unpacked, size)
        };
        // With or without a mark, with sizes of four bytes or of eight: the one that is true.
        let layouts = [(4, 8), (4, 4), (0, 8), (0, 4)];
        let found = layouts
            .into_iter()
            .filter(|(start, _)| marked || *start == 0)
            .find(|&(start, size)| start + 4 + 2 * size <= held.len() && fits(start, size));
        let Some((start, size)) = found else {
            return Err(ReportError::Damaged("a checksum or a size is wrong"));
        };
        self.state = State::Header;
        if file.wanted {
            self.sink.end()?;
        }
        let over = held.get(start + 4 + 2 * size..).unwrap_or_default();
        self.again(over)?;
        Ok(rest)
    }

    /// Bytes that were read ahead go the same way as all others.
    fn again(&mut self, over: &[u8]) -> Result<(), ReportError> {
        self.taken = self.taken.saturating_sub(over.len() as u64);
        self.push(over)
    }

    fn directory(&mut self, bytes: &[u8]) {
        if let Some(since) = &mut self.end {
            *since = since.saturating_add(bytes.len() as u64);
            return;
        }
        // The mark may lie across two pieces.
        self.held.extend_from_slice(bytes);
        let mark = END.to_le_bytes();
        if let Some(at) = memchr::memmem::find(&self.held, &mark) {
            self.end = Some((self.held.len() - at - mark.len()) as u64);
            self.held.clear();
        } else {
            let over = self.held.len().saturating_sub(mark.len() - 1);
            self.held.drain(..over);
        }
    }
}

/// Hands content to whoever wants it, and counts it.
fn give(sink: &mut dyn Entries, file: &mut Option<File>, bytes: &[u8]) -> Result<(), ReportError> {
    let Some(file) = file else {
        return Ok(());
    };
    file.crc.update(bytes);
    file.unpacked += bytes.len() as u64;
    if file.wanted && !bytes.is_empty() {
        sink.data(bytes)?;
    }
    Ok(())
}

/// A little-endian number; zero beyond the end.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let part = bytes.get(at..at + length).unwrap_or_default();
    part.iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

fn cut(size: u64, length: usize) -> u64 {
    if length == 4 {
        size & 0xffff_ffff
    } else {
        size
    }
}

/// The packed size out of the ZIP64 part of the extra field, behind the unpacked one.
fn long_size(mut extra: &[u8]) -> Option<u64> {
    while extra.len() >= 4 {
        let length = usize::try_from(number(extra, 2, 2)).ok()?;
        let field = extra.get(4..4 + length)?;
        if number(extra, 0, 2) == 1 && field.len() >= 16 {
            return Some(number(field, 8, 8));
        }
        extra = extra.get(4 + length..)?;
    }
    None
}

#[cfg(test)]
#[path = "zip_tests.rs"]
mod tests;
