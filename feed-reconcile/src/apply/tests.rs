use super::*;
use crate::reload::Bucket;

mod life;
mod world;

type Content = &'static str;

/// A bucket that is never empty, and counts.
#[derive(Default)]
struct Plenty(u32);

impl Bucket for Plenty {
    fn take(&mut self) -> Result<(), Duration> {
        self.0 += 1;
        Ok(())
    }
}

const SETTINGS: Settings =
    Settings { sidecar: false, confirm_timeout: Duration::from_mins(2), max_restarts: 5, allow_empty: false };

const NOTHING: Found<Content> =
    Found { confirmed: None, startable: false, named: None, running: Running::No, last: Generation(0) };

fn version(generation: u64, content: Content) -> Version<Content> {
    Version { generation: Generation(generation), configuration: configuration(content) }
}

/// A configuration with one route, or with none if it has no content.
fn configuration(content: Content) -> Configuration<Content> {
    Configuration { content, routes: usize::from(!content.is_empty()) }
}

/// What is left by a process that was killed while nginx served generation 7.
fn left(named: u64, running: Running) -> Found<Content> {
    Found {
        confirmed: Some(version(7, "seven")),
        startable: true,
        named: Some(Generation(named)),
        running,
        last: Generation(8),
    }
}

#[expect(clippy::disallowed_methods, reason = "some instant must be the first; the rest is arithmetic")]
fn start() -> Instant {
    Instant::now()
}

/// The machine with a clock and a bucket.
struct Driver {
    machine: Apply<Content>,
    bucket: Plenty,
    now: Instant,
}

impl Driver {
    fn begin(settings: Settings, found: Found<Content>) -> (Self, Vec<Command<Content>>) {
        let (mut bucket, now) = (Plenty::default(), start());
        let (machine, commands) = Apply::begin(settings, found, now, &mut bucket);
        (Self { machine, bucket, now }, commands)
    }

    fn step(&mut self, event: Event<Content>) -> Vec<Command<Content>> {
        self.machine.step(event, self.now, &mut self.bucket)
    }

    fn desire(&mut self, content: Content) -> Vec<Command<Content>> {
        self.step(Event::Desired(configuration(content)))
    }

    fn done(&mut self) -> Vec<Command<Content>> {
        self.step(Event::Finished(Ok(())))
    }

    fn failed(&mut self, text: &str) -> Vec<Command<Content>> {
        self.step(Event::Finished(Err(text.into())))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Sleeps until the machine wants to be woken.
    fn wake(&mut self) -> Vec<Command<Content>> {
        self.now = self.machine.wake_at().expect("a time to wake at");
        self.step(Event::Woken)
    }

    fn problems(&self) -> Vec<String> {
        self.machine.situation().problems.iter().map(ToString::to_string).collect()
    }
}

/// A machine whose nginx serves generation 7, taken over from an earlier process.
fn serving() -> Driver {
    let (mut driver, commands) = Driver::begin(SETTINGS, left(7, Running::Yes(Some(Generation(7)))));
    assert_eq!(commands, []);
    assert_eq!(driver.desire("seven"), [], "equal bytes: no reload");
    assert!(driver.machine.situation().ready);
    driver.pass(Duration::from_hours(1));
    driver
}

fn report(
    version: Version<Content>,
    outcome: Outcome,
    text: Option<&str>,
    took: Duration,
) -> Command<Content> {
    Command::Tell(Report { version, outcome, text: text.map(Into::into), starts: false, took })
}

#[test]
fn places_are_found_where_nginx_names_one() {
    let files = ["/w/nginx.conf", "/w/generations/8.conf"];
    for (complaint, place) in [
        (r#"unknown directive "x" in /w/nginx.conf:12"#, Some(Place::Line(12))),
        (r#"unknown directive "x" in /w/generations/8.conf:3, near"#, Some(Place::Line(3))),
        (r#""/w/nginx.conf" and /w/nginx.conf:4"#, Some(Place::Line(4))),
        (r#"dlopen() "/m/x.so" failed (/m/x.so: file too short) in /w/nginx.conf:4"#, Some(Place::Line(4))),
        ("unexpected end of file in /etc/nginx/mime.types:9", Some(Place::Elsewhere)),
        ("could not build server_names_hash, you should increase server_names_hash_bucket_size: 64", None),
        (r#"cannot load certificate "/w/certificates/0.pem": BIO_new_file() failed"#, None),
        ("in /w/nginx.conf:", None),
        ("bind() to 0.0.0.0:80 failed (98: Address already in use)", None),
    ] {
        assert_eq!(place_of(complaint, &files), place, "{complaint}");
    }
}
