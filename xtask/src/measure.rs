//! Measuring processes: wall time, peak memory, repetitions that share the machine's weather.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use kernel::Clock;

/// Options of `bench` and `soak`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Only prove that the measuring works: debug build, smallest counts, no report.
    pub smoke: bool,
    /// Measure the release build without link-time optimisation; no report.
    pub quick: bool,
    /// The ids of the measures to take; empty for all.
    pub only: Vec<String>,
}

impl Options {
    /// Reads the arguments after the chore's name.
    pub fn parse(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--smoke" => options.smoke = true,
                "--quick" => options.quick = true,
                "--only" => {
                    let id = rest.next().context("`--only` wants the id of a measure")?;
                    options.only.push((*id).to_owned());
                }
                other => bail!("unknown option {other}"),
            }
        }
        Ok(options)
    }

    /// Whether the measure is to be taken.
    pub fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == id)
    }

    /// Fails when a wanted id is none of `known`.
    pub fn check(&self, known: &[&str]) -> anyhow::Result<()> {
        for id in &self.only {
            ensure!(
                known.contains(&id.as_str()),
                "there is no measure `{id}`; there are {}",
                known.join(", ")
            );
        }
        Ok(())
    }
}

/// Runs a command to its end and gives its wall time. Its output is thrown away, and it must
/// succeed.
pub fn wall(clock: &dyn Clock, command: &mut Command) -> anyhow::Result<Duration> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = clock.elapsed();
    let status = command
        .status()
        .context("cannot start the measured program")?;
    let took = clock.elapsed().saturating_sub(start);
    ensure!(
        status.success(),
        "the measured program ended with {status}: {command:?}"
    );
    Ok(took)
}

/// Runs a command to its end under GNU time and gives its peak resident memory in KiB, as the
/// kernel counted it. Asking `/proc` from outside would miss the last moments of a short life.
/// The environment and folder of `command` are those of this process: GNU time hands them on.
pub fn peak_memory(command: &Command, stdout: Stdio) -> anyhow::Result<u64> {
    let report = tempfile::NamedTempFile::new()?;
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["--quiet", "--format", "%M", "--output"])
        .arg(report.path());
    timed
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    let status = timed
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::null())
        .status()
        .context("cannot start /usr/bin/time (Debian package `time`)")?;
    ensure!(
        status.success(),
        "the measured program ended with {status}: {command:?}"
    );
    let text = std::fs::read_to_string(report.path())?;
    text.trim()
        .parse()
        .with_context(|| format!("GNU time wrote {text:?}"))
}

/// The size of a file in bytes.
pub fn file_size(path: &Path) -> anyhow::Result<u64> {
    let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    Ok(metadata.len())
}

/// One of several things that are measured side by side.
pub type Contender<'a> = &'a mut dyn FnMut() -> anyhow::Result<Duration>;

/// Takes `rounds` measurements of each contender in turn (a, b, a, b, …), so that a change of the
/// machine's weather meets all alike, and gives the samples of each. A first round warms up and
/// is thrown away.
pub fn interleaved(
    rounds: usize,
    contenders: &mut [Contender<'_>],
) -> anyhow::Result<Vec<Samples>> {
    for contender in contenders.iter_mut() {
        contender()?;
    }
    let mut samples = vec![Samples::default(); contenders.len()];
    for _ in 0..rounds {
        for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
            samples.0.push(contender()?);
        }
    }
    Ok(samples)
}

/// Wall times of one contender.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// The middle one, or the mean of the two in the middle.
    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let middle = sorted.len() / 2;
        let upper = sorted.get(middle).copied().unwrap_or_default();
        if sorted.len() % 2 == 1 {
            return upper;
        }
        let lower = middle.checked_sub(1).and_then(|at| sorted.get(at)).copied();
        (lower.unwrap_or_default() + upper) / 2
    }

    /// Shortest and longest.
    pub fn range(&self) -> (Duration, Duration) {
        let shortest = self.0.iter().min().copied().unwrap_or_default();
        (shortest, self.0.iter().max().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use kernel::SystemClock;

    use super::*;

    #[test]
    fn options_are_read() {
        let options = Options::parse(&["--only", "a", "--smoke", "--only", "b"]).unwrap();
        assert!(options.smoke && options.wants("a") && options.wants("b") && !options.wants("c"));
        assert!(Options::default().wants("c"));
        assert!(Options::parse(&["--fast"]).is_err() && Options::parse(&["--only"]).is_err());
        assert!(options.check(&["a", "b", "c"]).is_ok() && options.check(&["a"]).is_err());
    }

    #[test]
    fn contenders_take_turns_and_the_first_round_is_thrown_away() {
        let order = std::cell::RefCell::new(Vec::new());
        let mut n = 100;
        let mut first = || {
            n -= 1;
            order.borrow_mut().push('a');
            Ok(Duration::from_secs(n))
        };
        let mut second = || {
            order.borrow_mut().push('b');
            Ok(Duration::from_secs(1))
        };
        let samples = interleaved(4, &mut [&mut first, &mut second]).unwrap();
        assert_eq!(order.borrow().iter().collect::<String>(), "ababababab");
        assert_eq!(samples[0].median(), Duration::from_millis(96_500));
        assert_eq!(
            samples[0].range(),
            (Duration::from_secs(95), Duration::from_secs(98))
        );
        assert_eq!(samples[1].median(), Duration::from_secs(1));
    }

    #[test]
    fn a_process_has_a_wall_time_and_a_peak() {
        let clock = SystemClock::default();
        let took = wall(
            &clock,
            Command::new("/bin/sh").args(["-c", "exec sleep 0.2"]),
        )
        .unwrap();
        assert!(took >= Duration::from_millis(200), "{took:?}");
        assert!(wall(&clock, &mut Command::new("/bin/false")).is_err());

        let mut small = Command::new("/bin/sh");
        small.args(["-c", "exit $CODE"]).env("CODE", "0");
        let small_peak = peak_memory(&small, Stdio::null()).unwrap();
        let mut large = Command::new("/bin/sh");
        large.args([
            "-c",
            "x=$(head -c 30000000 /dev/zero | tr '\\0' x); : \"$x\"",
        ]);
        let large_peak = peak_memory(&large, Stdio::null()).unwrap();
        assert!(
            large_peak > small_peak + 25_000,
            "{small_peak} {large_peak}"
        );
        assert!(peak_memory(small.env("CODE", "3"), Stdio::null()).is_err());
    }
}
