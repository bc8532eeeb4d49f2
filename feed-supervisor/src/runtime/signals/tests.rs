use futures::FutureExt;

use super::*;

fn handler(log_files: LogFiles) -> (Handler, Shutdown) {
    let (trigger, shutdown) = shutdown::channel();
    let terminal = Terminal { counts: false };
    (Handler { trigger, asked: Asked::default(), log_files, terminal }, shutdown)
}

fn is_asked(wish: &Notify) -> bool {
    wish.notified().now_or_never().is_some()
}

#[test]
fn each_signal_has_its_effect() {
    use Heard::{HangUp, Interrupt, Quit, Terminate, User1, User2};
    let table: [(&[Heard], Phase, bool, bool); 10] = [
        (&[Terminate], Phase::Draining, false, false),
        (&[Interrupt], Phase::Hurrying, false, false),
        (&[Terminate, Interrupt], Phase::Aborting, false, false),
        (&[Quit], Phase::Draining, false, false),
        (&[Quit, Quit, Quit], Phase::Draining, false, false),
        (&[Terminate, Quit, HangUp], Phase::Draining, true, false),
        (&[Quit, Terminate], Phase::Aborting, false, false),
        (&[HangUp, HangUp], Phase::Running, true, false),
        (&[User1, User1], Phase::Running, false, true),
        (&[User2, User2], Phase::Running, false, false),
    ];
    for (signals, phase, again, reopened) in table {
        let (handler, shutdown) = handler(LogFiles::Some);
        for signal in signals {
            handler.handle(*signal);
        }
        let asked = (is_asked(&handler.asked.look_again), is_asked(&handler.asked.reopen_logs));
        assert_eq!((shutdown.phase(), asked), (phase, (again, reopened)), "{signals:?}");
        assert!(!is_asked(&handler.asked.look_again), "several count as one: {signals:?}");
    }
}

#[test]
fn without_log_files_nobody_is_told_to_open_them() {
    let (handler, _shutdown) = handler(LogFiles::None);
    handler.handle(Heard::User1);
    assert!(!is_asked(&handler.asked.reopen_logs));
}

#[test]
fn an_ignored_hang_up_is_seen() {
    for (mask, expected) in [
        ("0000000000000001", true),
        ("0000000000001007", true),
        ("0000000000000000", false),
        ("0000000000001000", false),
        ("nonsense", false),
    ] {
        let status = format!("Name:\tfeed\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert_eq!(ignores_signal_1(&status), expected, "{mask}");
    }
    assert!(!ignores_signal_1("Name:\tfeed\n"));
}

#[tokio::test]
async fn real_signals_are_heard() {
    use nix::sys::signal::{Signal, raise};
    let (_trigger, shutdown, asked) = listen(LogFiles::Some).unwrap();
    let (mut first, mut second) = (shutdown.clone(), shutdown);
    raise(Signal::SIGHUP).unwrap();
    asked.look_again.notified().await;
    raise(Signal::SIGUSR2).unwrap();
    raise(Signal::SIGUSR1).unwrap();
    asked.reopen_logs.notified().await;
    assert_eq!(first.phase(), Phase::Running);
    raise(Signal::SIGQUIT).unwrap();
    first.draining().await;
    raise(Signal::SIGTERM).unwrap();
    second.aborting().await;
}
