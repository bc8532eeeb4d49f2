use std::fmt::Write as _;
use std::io::Write;
use std::os::fd::OwnedFd;

use tracing_subscriber::layer::SubscriberExt;

use super::*;

#[test]
fn lines_are_read_in_each_of_their_forms() {
    let text = r#"unknown directive "x" in /w/nginx.conf:8"#;
    let from = |pid: Option<i32>, level, text: &str| {
        Some(Line { level, pid: pid.map(Pid::from_raw), text: text.to_owned() })
    };
    for (line, expected) in [
        (format!("nginx: [emerg] {text}"), from(None, LogLevel::Emerg, text)),
        (
            format!("2026/11/23 05:28:18 [emerg] 26678#26678: {text}"),
            from(Some(26678), LogLevel::Emerg, text),
        ),
        (
            format!("<184>Nov 23 05:28:18 nginx: 2026/11/23 05:28:18 [emerg] 26678#26678: {text}\n"),
            from(Some(26678), LogLevel::Emerg, text),
        ),
        (
            "2026/11/23 05:28:18 [error] 7#9: *2 connect() failed (111: Connection refused)".into(),
            from(Some(7), LogLevel::Error, "*2 connect() failed (111: Connection refused)"),
        ),
        ("nginx: [warn] a: b".into(), from(None, LogLevel::Warn, "a: b")),
        ("nginx: the configuration file /w/nginx.conf syntax is ok".into(), None),
        ("GET /x[emerg] y".into(), None),
        ("[other] text".into(), None),
        (String::new(), None),
    ] {
        assert_eq!(Line::parse(&line), expected, "{line}");
    }
}

#[tokio::test]
async fn emergencies_are_told_with_their_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors.sock");
    std::fs::write(&path, "left by a process that was killed").unwrap();
    let (logs, _follower, mut emergencies) = Logs::bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let running = tokio::spawn(logs.run());
    let nginx = UnixDatagram::unbound().unwrap();
    for line in ["[warn] 7#7: first", "[emerg] 7#7: second", "[emerg] nobody: third"] {
        let message = format!("<184>Nov 23 05:28:18 nginx: 2026/11/23 05:28:18 {line}");
        nginx.send_to(message.as_bytes(), &path).await.unwrap();
    }
    let emergency = emergencies.recv().await.unwrap();
    assert_eq!(emergency, Emergency { pid: Pid::from_raw(7), text: "second".into() });
    assert!(emergencies.try_recv().is_err());
    running.abort();
}

#[tokio::test]
async fn a_child_that_ends_has_its_complaint_told() {
    let directory = tempfile::tempdir().unwrap();
    let (logs, follower, _emergencies) = Logs::bind(&directory.path().join("errors.sock")).unwrap();
    let running = tokio::spawn(logs.run());
    let (reader, mut writer) = std::io::pipe().unwrap();
    let told = follower.stderr(OwnedFd::from(reader)).unwrap();
    writer
        .write_all(b"nginx: [warn] conflicting\nnginx: [emerg] bind() failed\nnginx: [emerg] still\n")
        .unwrap();
    drop(writer);
    assert_eq!(told.await.unwrap().as_deref(), Some("bind() failed"));
    running.abort();
}

#[tokio::test]
async fn a_master_that_loses_a_worker_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors.sock");
    let (logs, follower, mut emergencies) = Logs::bind(&path).unwrap();
    let running = tokio::spawn(logs.run());
    let nginx = UnixDatagram::unbound().unwrap();
    for line in
        ["[alert] 7#7: worker process 8 exited on signal 9", "[alert] 9#9: other", "[emerg] 1#1: last"]
    {
        nginx.send_to(line.as_bytes(), &path).await.unwrap();
    }
    emergencies.recv().await.unwrap();
    assert!(follower.has_lost_a_worker(Pid::from_raw(7)));
    assert!(!follower.has_lost_a_worker(Pid::from_raw(9)));
    running.abort();
}

#[tokio::test]
async fn an_emergency_is_told_once_by_whichever_way_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors.sock");
    let (logs, follower, mut emergencies) = Logs::bind(&path).unwrap();
    let running = tokio::spawn(logs.run());
    let nginx = UnixDatagram::unbound().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let _complaint = follower.stderr(OwnedFd::from(reader)).unwrap();
    for text in ["both", "both", "output alone"] {
        writeln!(writer, "2026/11/23 05:28:18 [emerg] 7#7: {text}").unwrap();
    }
    for text in ["both", "both", "socket alone"] {
        let message = format!("<184>Nov 23 05:28:18 nginx: 2026/11/23 05:28:19 [emerg] 7#7: {text}");
        nginx.send_to(message.as_bytes(), &path).await.unwrap();
    }
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(emergencies.recv().await.unwrap().text);
    }
    texts.sort();
    assert_eq!(texts, ["both", "both", "output alone", "socket alone"]);
    assert!(emergencies.try_recv().is_err());
    running.abort();
}

#[test]
fn nginxs_lines_are_carried_at_their_level() {
    for (level, expected) in [
        (LogLevel::Debug, tracing::Level::DEBUG),
        (LogLevel::Info, tracing::Level::INFO),
        (LogLevel::Notice, tracing::Level::INFO),
        (LogLevel::Warn, tracing::Level::WARN),
        (LogLevel::Error, tracing::Level::ERROR),
        (LogLevel::Crit, tracing::Level::ERROR),
        (LogLevel::Alert, tracing::Level::ERROR),
        (LogLevel::Emerg, tracing::Level::ERROR),
    ] {
        let heard = Heard::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        let line = format!("2026/11/25 05:28:18 [{}] 7#7: *1 what it says", level.as_str());
        tracing::subscriber::with_default(subscriber, || carry(&line, Line::parse(&line).as_ref()));
        let fields = format!("*1 what it says nginx=\"{}\" pid=7", level.as_str());
        assert_eq!(*heard.0.lock().unwrap(), [(expected, fields)]);
    }
}

/// Keeps the level, the message and the fields of what is logged.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(tracing::Level, String)>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
    }
}

#[derive(Default)]
struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}
