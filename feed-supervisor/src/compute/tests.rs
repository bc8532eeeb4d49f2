use std::sync::Arc;

use feed_reconcile::nginx::{Generation, certificate_file};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::task::JoinHandle;

use super::*;
use crate::certificates::examine;
use crate::certificates::fixture::self_signed;
use crate::nginx::fixture::Place;
use crate::runtime::source::{self, Change, SourceWriter};

const RESYNC_PERIOD: Duration = Duration::from_mins(15);

fn recipe(template: Option<&str>) -> Recipe {
    Recipe {
        options: Options::default(),
        template: template.map(ToOwned::to_owned),
        records: "/no/such/directory/quarantine.json".into(),
    }
}

struct Running {
    writer: SourceWriter,
    nginx: watch::Sender<Option<NginxOptions>>,
    computed: mpsc::Receiver<Computed>,
    options: NginxOptions,
    verdicts: mpsc::UnboundedSender<Verdict>,
    look_again: Arc<Notify>,
    task: JoinHandle<Result<Infallible, ComputeError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    fn start(template: Option<&str>) -> Self {
        Self::start_with(template, None)
    }

    fn start_with(template: Option<&str>, default_pair: Option<watch::Receiver<DefaultPair>>) -> Self {
        let (writer, reader) = source::channel(&BTreeSet::new());
        let (nginx, known) = watch::channel(None);
        let (sender, computed) = mpsc::channel(1);
        let recipe = recipe(template);
        let (verdicts, heard) = mpsc::unbounded_channel();
        let look_again = Arc::new(Notify::new());
        let surroundings = Surroundings {
            nginx: known,
            default_pair,
            traffic: None,
            endpoints: Endpoints::default(),
            look_again: Arc::clone(&look_again),
        };
        let task = tokio::spawn(run(reader, recipe, surroundings, RESYNC_PERIOD, heard, sender));
        Self { writer, nginx, computed, options: Place::new().options(), verdicts, look_again, task }
    }

    /// An Ingress of that name, without rules, comes.
    fn comes(&self, name: &str) {
        let metadata =
            ObjectMeta { namespace: Some("test".into()), name: Some(name.into()), ..ObjectMeta::default() };
        self.writer.modify(Instant::now(), |state| {
            state.snapshot.ingresses.insert(Arc::new(Ingress { metadata, ..Ingress::default() }));
            state.complete = true;
            Change::Decisive
        });
    }

    fn know(&self, keepalive_min_timeout: bool) {
        self.nginx.send_replace(Some(NginxOptions { keepalive_min_timeout, ..self.options.clone() }));
    }

    async fn next(&mut self) -> Computed {
        self.computed.recv().await.unwrap()
    }
}

fn text(computed: &Computed) -> String {
    computed.rendered.as_ref().unwrap().to_text(Generation(1))
}

#[tokio::test]
async fn nothing_is_computed_before_the_cluster_and_nginx_are_known() {
    let mut running = Running::start(None);
    running.comes("one");
    tokio::task::yield_now().await;
    assert!(running.computed.try_recv().is_err());
    running.know(false);
    let computed = running.next().await;
    assert_eq!(computed.ingresses, 1);
    assert!(computed.changed_at.is_some());
    running.comes("two");
    assert_eq!(running.next().await.ingresses, 2);
}

#[tokio::test]
async fn another_nginx_gets_another_configuration() {
    let mut running = Running::start(None);
    running.know(false);
    running.comes("one");
    let before = running.next().await;
    running.know(true);
    let after = running.next().await;
    assert!(
        !text(&before).contains("keepalive_min_timeout") && text(&after).contains("keepalive_min_timeout")
    );
    assert_eq!(after.changed_at, None, "no object has changed");
}

#[tokio::test]
async fn another_default_certificate_gets_another_configuration() {
    let pair = || {
        let pair = self_signed(&["default.example"], 2024, 2050);
        let certificate = examine(pair.crt.as_bytes(), pair.key.as_bytes()).unwrap();
        DefaultPair { certificate: Arc::new(certificate), problem: None }
    };
    let (told, default_pair) = watch::channel(pair());
    let mut running = Running::start_with(None, Some(default_pair));
    running.nginx.send_replace(Some(NginxOptions { https_port: Some(443), ..running.options.clone() }));
    running.comes("one");
    let before = running.next().await;
    let file = |pair: &DefaultPair| certificate_file(pair.certificate.pair.digest());
    assert!(text(&before).contains(&file(&told.borrow())));
    assert_eq!(*before.certificates, [told.borrow().entry()]);
    told.send_replace(pair());
    let after = running.next().await;
    assert!(text(&after).contains(&file(&told.borrow())));
    assert_eq!(after.changed_at, None);
}

#[tokio::test(start_paused = true)]
async fn everything_is_computed_anew_from_time_to_time() {
    let mut running = Running::start(None);
    running.know(false);
    running.comes("one");
    let first = running.next().await;
    let before = Instant::now();
    let again = running.next().await;
    assert!(before.elapsed() + Duration::from_secs(1) >= RESYNC_PERIOD);
    assert_eq!((first.rendered, again.changed_at), (again.rendered, None));
}

#[tokio::test]
async fn an_operator_may_have_everything_computed_anew() {
    let mut running = Running::start(None);
    running.know(false);
    running.comes("one");
    let first = running.next().await;
    running.look_again.notify_one();
    let again = running.next().await;
    assert_eq!((first.rendered, again.changed_at), (again.rendered, None));
}

#[test]
fn a_template_is_read_and_tried() {
    let options = Place::new().options();
    let missing =
        Recipe::new(Options::default(), Some("/no/template".into()), PathBuf::new()).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the nginx template /no/template: "), "{missing}");
    for (template, expected) in [("{{ nonsense }}", "`nonsense` is undefined"), ("", "must contain")] {
        let error = recipe(Some(template)).check(options.clone()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.ends_with("(--nginx-template)"), "{error}");
    }
    recipe(None).check(options).unwrap();
}

#[tokio::test]
async fn what_nginx_refuses_is_left_out_until_it_changes() {
    let mut running = Running::start(None);
    running.know(false);
    running.comes("one");
    let first = running.next().await;
    running.verdicts.send(Verdict::Taken(first.admitted)).unwrap();
    running.comes("two");
    let second = running.next().await;
    assert_eq!((second.ingresses, second.quarantined), (2, 0));
    let verdict = Verdict::Refused {
        ingresses: second.admitted,
        at_fault: AtFault::Unknown,
        text: "no".into(),
        serves: true,
    };
    running.verdicts.send(verdict).unwrap();
    let third = running.next().await;
    // It keeps its paths.
    assert_eq!((third.ingresses, third.quarantined, third.changed_at), (2, 1, None));
    let codes: Vec<&str> = third.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    assert!(codes.contains(&"Quarantined"), "{codes:?}");

    running.writer.modify(Instant::now(), |state| {
        let name = ObjectName::new("test", "two");
        let mut changed = Ingress::clone(state.snapshot.ingresses.get(&name).unwrap());
        changed.metadata.annotations = Some([("sky.uk/strip-path".to_owned(), "false".to_owned())].into());
        state.snapshot.ingresses.insert(Arc::new(changed));
        Change::Decisive
    });
    let fourth = running.next().await;
    assert_eq!((fourth.ingresses, fourth.quarantined), (2, 0));
}
