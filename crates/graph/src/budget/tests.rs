use kernel::{SeededRandom, SystemClock};

use super::*;

fn budget(shared: &Shared, pace: u32) -> Budget {
    let clock = Arc::new(SystemClock::default());
    Budget::new(
        clock,
        Arc::new(kernel::SystemRandom),
        shared,
        PER_MINUTE,
        pace,
    )
}

#[tokio::test(start_paused = true)]
async fn the_sixth_request_waits_for_a_minute() {
    let clock: Arc<dyn Clock> = Arc::new(Ticking::default());
    let random = Arc::new(SeededRandom::new(1));
    let budget = Budget::new(Arc::clone(&clock), random, &Shared::Alone, PER_MINUTE, 1);
    let begin = clock.elapsed();
    for _ in 0..5 {
        budget.take().await.answered();
    }
    let about = |span: Duration| {
        let passed = clock.elapsed().saturating_sub(begin);
        passed >= span && passed < span + Duration::from_millis(20)
    };
    assert!(about(Duration::ZERO));
    budget.take().await.answered();
    assert!(about(MINUTE) && budget.waited() >= MINUTE);
    budget.hold(Duration::from_secs(90));
    budget.take().await.answered();
    assert!(about(MINUTE + Duration::from_secs(90)));
}

/// A wall clock that follows tokio's paused time.
#[derive(Debug, Default)]
struct Ticking(SystemClock);

impl Clock for Ticking {
    fn now(&self) -> jiff::Timestamp {
        let since = i64::try_from(self.0.elapsed().as_micros()).unwrap();
        jiff::Timestamp::from_microsecond(1_800_000_000_000_000 + since).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> kernel::clock::Sleep {
        self.0.sleep(duration)
    }
}

#[tokio::test]
async fn two_clients_of_one_app_share_a_file_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let shared = |key: &str| Shared::Folder {
        folder: folder.path().to_owned(),
        key: key.to_owned(),
    };
    let (one, two, other) = (
        budget(&shared("a"), 600),
        budget(&shared("a"), 600),
        budget(&shared("b"), 600),
    );
    let begin = SystemClock::default();
    for _ in 0..3 {
        one.take().await.answered();
    }
    for _ in 0..2 {
        two.take().await.answered();
    }
    other.take().await.answered();
    assert_eq!(other.waited(), Duration::ZERO);
    one.take().await.answered();
    assert!(
        begin.elapsed() >= Duration::from_millis(99),
        "{:?}",
        begin.elapsed()
    );
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 2);
}

#[tokio::test]
async fn a_damaged_file_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path(), "a");
    std::fs::write(&path, b"{\"slots\":[{\"id\"").unwrap();
    let shared = Shared::Folder {
        folder: folder.path().to_owned(),
        key: "a".to_owned(),
    };
    budget(&shared, 1).take().await.answered();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("answered"), "{text}");
}
