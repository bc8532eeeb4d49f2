use feed_reconcile::desired::DesiredState;

use super::*;
use crate::runtime::metrics::{Format, Metrics};

const LINE: &str = "\r\t\t404\t1\t2\t0.000\t-\t-\t-\t-\n";

struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
    metrics: Metrics,
    traffic: Traffic,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("requests.log");
        let mut metrics = Metrics::new("feed_ingress");
        let traffic = Traffic::register(&mut metrics, &[]);
        traffic.declare(&DesiredState::default());
        Self { _directory: directory, path, metrics, traffic }
    }

    fn open(&self) -> RequestLog {
        RequestLog::open(self.path.clone(), false).unwrap()
    }

    fn look(&self, log: &mut RequestLog) -> Look {
        log.look(&self.traffic).unwrap()
    }

    /// As nginx does.
    fn nginx(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.path).unwrap()
    }

    fn counted(&self) -> u64 {
        let text = self.metrics.encode(Format::Text).unwrap();
        let sample = "feed_ingress_ingress_requests{host=\"*\",path=\"none\",code=\"4xx\"} ";
        text.lines().find_map(|line| line.strip_prefix(sample)).map_or(0, |count| count.parse().unwrap())
    }
}

fn write(mut file: &File, text: &str) {
    use std::io::Write as _;
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn what_was_read_is_given_back_and_not_read_again() {
    let place = Place::new();
    let (nginx, mut log) = (place.nginx(), place.open());
    let lines = LINE.repeat(10_000);
    for round in 1..=20 {
        write(&nginx, &lines);
        let (piece, rest) = LINE.split_at(9);
        write(&nginx, piece);
        let look = place.look(&mut log);
        assert!(!look.replaced && look.bytes <= 4 * PAGE, "{look:?}");
        assert_eq!(place.counted(), round * 10_001 - 1);
        write(&nginx, rest);
        place.look(&mut log);
        assert_eq!(place.counted(), round * 10_001);
    }
    assert_eq!(nginx.metadata().unwrap().len(), (LINE.len() * 200_020) as u64, "its length stays");
}

#[test]
fn the_next_process_begins_where_the_last_one_ended() {
    let place = Place::new();
    let nginx = place.nginx();
    let mut expected = 0;
    for lines in [1, 3, 500, 1, 20_000, 2] {
        write(&nginx, &LINE.repeat(lines));
        place.look(&mut place.open());
        expected += lines as u64;
        assert_eq!(place.counted(), expected);
    }
    place.look(&mut place.open());
    assert_eq!(place.counted(), expected);
}

#[test]
fn lines_wait_until_it_is_known_what_is_declared() {
    let mut place = Place::new();
    place.metrics = Metrics::new("feed_ingress");
    place.traffic = Traffic::register(&mut place.metrics, &[]);
    let (nginx, mut log) = (place.nginx(), place.open());
    write(&nginx, &LINE.repeat(900));
    for _ in 0..3 {
        let look = place.look(&mut log);
        assert_eq!(place.counted(), 0);
        assert!(look.bytes >= (LINE.len() * 900) as u64, "they are still there: {look:?}");
    }
    place.traffic.declare(&DesiredState::default());
    place.look(&mut log);
    assert_eq!(place.counted(), 900);
}

#[test]
fn a_truncated_log_is_read_from_its_beginning() {
    for before in [1, 50, 10_000] {
        let place = Place::new();
        let (nginx, mut log) = (place.nginx(), place.open());
        write(&nginx, &LINE.repeat(before));
        place.look(&mut log);
        let mut expected = before as u64;
        // Nothing comes, less than there was, and more than there was.
        for after in [0, before / 2, 3 * before, 0, 1] {
            File::options().write(true).open(&place.path).unwrap().set_len(0).unwrap();
            write(&nginx, &LINE.repeat(after));
            let look = place.look(&mut log);
            expected += after as u64;
            assert!(!look.replaced);
            assert_eq!(place.counted(), expected, "{after} after {before}");
            place.look(&mut log);
            assert_eq!(place.counted(), expected, "once");
        }
    }
}

#[test]
fn a_removed_or_replaced_log_is_read_to_its_end() {
    let place = Place::new();
    let (old, mut log) = (place.nginx(), place.open());
    write(&old, LINE);
    fs::remove_file(&place.path).unwrap();
    write(&old, LINE);
    assert!(place.look(&mut log).replaced);
    write(&old, LINE);
    assert!(!place.look(&mut log).replaced);
    assert_eq!(place.counted(), 3);
    let new = place.nginx();
    fs::rename(&place.path, place.path.with_extension("old")).unwrap();
    write(&new, LINE);
    write(&place.nginx(), LINE);
    assert!(place.look(&mut log).replaced);
    assert_eq!(place.counted(), 5);
}

#[test]
fn without_holes_the_log_is_replaced_before_it_is_long() {
    let place = Place::new();
    let (nginx, mut log) = (place.nginx(), place.open());
    log.holes = false;
    let lines = LINE.repeat((usize::try_from(LONGEST_WITHOUT_HOLES).unwrap() / 2).div_ceil(LINE.len()));
    write(&nginx, &lines);
    assert!(!place.look(&mut log).replaced);
    write(&nginx, &lines);
    write(&nginx, LINE);
    assert!(place.look(&mut log).replaced);
    write(&nginx, LINE);
    assert!(!place.look(&mut log).replaced);
    assert_eq!(fs::metadata(&place.path).unwrap().len(), 0);
    assert_eq!(place.counted(), (2 * lines.len() / LINE.len() + 2) as u64);
}

#[test]
fn what_is_no_line_does_not_stop_it() {
    let place = Place::new();
    let (nginx, mut log) = (place.nginx(), place.open());
    write(&nginx, &"x".repeat(3 << 20));
    place.look(&mut log);
    write(&nginx, &format!("{LINE}\n"));
    place.look(&mut log);
    assert_eq!(place.counted(), 1);
}

#[test]
fn what_cannot_be_used_is_said() {
    let place = Place::new();
    let missing = place.path.join("requests.log");
    fs::create_dir(&place.path).unwrap();
    let error = RequestLog::open(place.path.clone(), false).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot open nginx's log of requests {}: ", place.path.display())),
        "{error}"
    );
    let mut log = RequestLog::open(missing, true).unwrap();
    let mode = fs::metadata(&log.path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o666, "a neighbour may be another user");
    fs::remove_dir_all(&place.path).unwrap();
    fs::write(&place.path, "").unwrap();
    let looked = log.look(&place.traffic);
    let condition = condition(&log.path, looked);
    let Condition::Unhealthy(text) = condition else { panic!("{condition:?}") };
    assert!(text.contains("requests are not counted"), "{text}");
}
