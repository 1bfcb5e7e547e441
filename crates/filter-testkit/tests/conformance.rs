//! Conformance finds what is wrong with a filter, and nothing with one that is right.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{
    Answer, Cause, CauseKind, Cx, Document, DocumentPolicy, Env, Fault, Filter, Flow, HeaderName, HeaderValue, Kind, Location, MetricDoc,
    Posture, Problem, Reason, ResponseCx, Rule, Shown, View,
};
use tollgate_filter_testkit::{Conformance, Harness};

const README: &str = "# gate
## What it is for
A door.
## How it decides
By a word.
## What it does not protect against
Listeners.
## In operation
Change the word.
";
const CASES: &str = "
about: Who knows the word passes
config: { list: words.txt }
documents: { words.txt: sesame }
cases:
  - name: The word opens
    request: { headers: { x-word: sesame } }
    expect: { pass: { headers: { x-gate: open } } }
  - name: Another does not
    request: { headers: { x-word: barley, authorization: Bearer 0123456789abcdef } }
    expect: { refused: { reason: gate.closed } }
";
const CLOSED: Reason = Reason::refused("gate.closed", 403, 0, "The word is wrong", "Find out the word.");

fn closed() -> Answer {
    CLOSED.because(Cause::new(CauseKind::NotAllowed, "word", Rule::setting("/list")))
}

/// What is wrong with a variant of the filter.
const RIGHT: u8 = 0;
const FAILS_OPEN: u8 = 1;
const PANICS_ON_LATIN: u8 = 2;
const WAITS: u8 = 3;
const COUNTS_IN_SECRET: u8 = 4;
const HIDES_A_REASON: u8 = 5;
const FAILS_ONCE_WITH_A_PANIC: u8 = 6;
const ANSWERS_ONCE: u8 = 7;
const ASKS_PAST_ITS_VIEWS: u8 = 8;
const READS_ANOTHER_CLOCK: u8 = 9;
const BLAMES_NO_SETTING: u8 = 10;
const SHOWS_THE_CREDENTIAL: u8 = 11;

/// Settings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// File with the word.
    list: PathBuf,
}

/// The list, as a view and past it.
struct Gate<const WRONG: u8>(View<Arc<dyn Document>>, Arc<dyn Document>, Env);

impl<const WRONG: u8> Filter for Gate<WRONG> {
    const ID: &'static str = "gate";
    const REASONS: &'static [Reason] = if WRONG == HIDES_A_REASON { &[] } else { &[CLOSED] };
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[];
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = bool;

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        let hour = Duration::from_secs(3600);
        let policy = DocumentPolicy { refresh: hour, least_gap: hour, timeout: hour, max_bytes: 1000 };
        let list = env.world.document(&Location::File(config.list), policy)?;
        Ok(Self(View::new("gate.list", list.clone()), list, env.clone()))
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if WRONG == WAITS {
            self.1.refresh().await;
        }
        if WRONG == COUNTS_IN_SECRET {
            self.2.metrics.counter("gate_secret_total", None).inc();
        }
        let word = cx.req.get(&HeaderName::from_static("x-word"));
        if WRONG == PANICS_ON_LATIN {
            word.map(|word| word.to_str().expect("everybody writes ASCII"));
        }
        let is_word = |list: &Arc<dyn Document>| list.version().map(|list| word.is_some_and(|word| word.as_bytes() == list.bytes));
        let is_right = if WRONG == ASKS_PAST_ITS_VIEWS { is_word(&self.1) } else { cx.views.ask(&self.0, "the word", is_word)? };
        let in_time = WRONG != READS_ANOTHER_CLOCK || self.2.clock.now() < cx.call.now + Duration::from_secs(60);
        let Some(is_right) = is_right else {
            return match WRONG {
                FAILS_OPEN => Ok(Flow::Next(())),
                FAILS_ONCE_WITH_A_PANIC => panic!("no list"),
                _ => Err(Fault::new("gate.no_list", "the list is gone")),
            };
        };
        if !is_right || !in_time {
            let cause =
                Cause::new(CauseKind::NotAllowed, "word", Rule::setting(if WRONG == BLAMES_NO_SETTING { "/lists" } else { "/list" }));
            let sent = cx.req.get(&http::header::AUTHORIZATION).filter(|_| WRONG == SHOWS_THE_CREDENTIAL);
            return Ok(Flow::Stop(CLOSED.because(match sent {
                Some(sent) => cause.seen(Shown::bytes_sent(&sent.as_bytes()[..sent.len().min(20)])),
                None => cause,
            })));
        }
        cx.req.set(HeaderName::from_static("x-gate"), HeaderValue::from_static("open"));
        *cx.state = true;
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if *cx.state {
            cx.resp.set(HeaderName::from_static("x-gate"), HeaderValue::from_static("passed"));
        }
        *cx.state = WRONG != ANSWERS_ONCE;
        Ok(())
    }
}

/// What conformance says.
fn verdict<F: Filter>(readme: &'static str, cases: &'static [(&'static str, &'static str)]) -> String {
    let run = || Conformance::<F>::new(&Kind::of::<F>(readme, cases)).run();
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => String::new(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

fn gate<const WRONG: u8>() -> String {
    verdict::<Gate<WRONG>>(README, &[("gate.yaml", CASES)])
}

#[test]
fn a_filter_that_is_right_conforms() {
    assert_eq!(gate::<RIGHT>(), "");
}

#[test]
fn a_filter_that_asks_past_its_views_or_another_clock_is_found() {
    let found = gate::<ASKS_PAST_ITS_VIEWS>();
    assert!(found.contains("The word opens: it came to pass, and by the notes of it to gate.no_list"), "{found}");
    let found = gate::<READS_ANOTHER_CLOCK>();
    assert!(found.contains("The word opens: it came to pass, and by the notes of it to 403 gate.closed"), "{found}");
}

#[test]
fn a_filter_that_opens_when_the_environment_fails_is_found() {
    assert!(gate::<FAILS_OPEN>().contains("Another does not: it passes when Only(2) use"), "{}", gate::<FAILS_OPEN>());
}

#[test]
fn a_filter_that_panics_when_the_environment_fails_is_found() {
    assert!(gate::<FAILS_ONCE_WITH_A_PANIC>().contains("it panics: no list"));
}

#[test]
fn a_filter_that_panics_on_a_hostile_value_is_found() {
    assert!(gate::<PANICS_ON_LATIN>().contains("it panics on a hostile request"));
}

#[test]
fn a_filter_that_waits_without_leave_is_found() {
    assert!(gate::<WAITS>().contains("waited; say .may_wait()"));
}

#[test]
fn a_filter_that_forgets_the_header_in_place_of_another_is_found() {
    assert!(gate::<ANSWERS_ONCE>().contains("a response gets [(\"x-gate\", 1)], and one in its place []"), "{}", gate::<ANSWERS_ONCE>());
}

#[test]
fn a_series_or_a_reason_that_is_not_listed_is_found() {
    assert!(gate::<COUNTS_IN_SECRET>().contains("writes the series `gate_secret_total`"));
    assert!(gate::<HIDES_A_REASON>().contains("does not list it in REASONS"));
}

#[test]
fn a_refusal_that_names_a_setting_which_there_is_not_is_found() {
    assert!(
        gate::<BLAMES_NO_SETTING>().contains("its cause names the setting /lists, which there is not"),
        "{}",
        gate::<BLAMES_NO_SETTING>()
    );
}

#[test]
fn a_refusal_that_shows_a_part_of_a_credential_is_found() {
    let verdict = gate::<SHOWS_THE_CREDENTIAL>();
    assert!(verdict.contains("its cause shows a secret: word is not allowed; seen \"Bearer 0123456789abc\""), "{verdict}");
}

#[test]
fn a_filter_without_cases_or_manual_is_found() {
    let verdict = verdict::<Gate<RIGHT>>("# gate\n## What it is for\n", &[]);
    assert!(
        verdict.contains("it has no cases")
            && verdict.contains("says nothing under `What it is for`")
            && verdict.contains("must have the headings")
            && verdict.contains("no case shows the reason")
    );
}

#[test]
fn an_example_of_the_manual_that_does_not_build_is_found() {
    const SHOWN: &str = "# gate\n```yaml\ngate: { list: words.txt }\n```\n```yaml\ngate: { lists: [] }\n```\n```yaml\ngate: [\n```\n";
    let verdict = verdict::<Gate<RIGHT>>(SHOWN, &[("gate.yaml", CASES)]);
    assert_eq!(verdict.matches("an example of its README is refused").count(), 1, "{verdict}");
    assert_eq!(verdict.matches("an example of its README is not YAML").count(), 1, "{verdict}");
}

#[test]
fn a_case_fails_on_a_change_that_it_does_not_list_and_on_one_that_does_not_happen() {
    const SILENT: &str = "
about: One case too quiet, one too loud
config: { list: words.txt }
documents: { words.txt: sesame }
cases:
  - { name: Quiet, request: { headers: { x-word: sesame } }, expect: { pass: {} } }
  - { name: Loud, request: { headers: { x-word: sesame } }, expect: { pass: { headers: { x-gate: open, x-bell: rings } } } }
  - { name: Wrong, request: {}, expect: { refused: { reason: gate.other } } }
  - { name: Marked, request: {}, expect: { refused: { reason: gate.closed, headers: { x-why: word } } } }
";
    let verdict = verdict::<Gate<RIGHT>>(README, &[("silent.yaml", SILENT)]);
    for line in [
        "Quiet: on the way upstream, `x-gate` changed and is not listed",
        "Loud: on the way upstream, `x-bell` is []",
        "Wrong: expected gate.other",
        "Marked: in the answer, `x-why` is []",
    ] {
        assert!(verdict.contains(line), "{line}\n{verdict}");
    }
}

#[test]
fn a_case_that_cannot_be_read_names_its_line() {
    let verdict = verdict::<Gate<RIGHT>>(README, &[("odd.yaml", "about: a\nconfig: {}\ncasess: []\n")]);
    assert!(verdict.contains("odd.yaml:3") && verdict.contains("did you mean `cases`"), "{verdict}");
}

/// Settings with every sin.
#[derive(Deserialize, JsonSchema)]
struct Loose {
    list: PathBuf,
    /// The password.
    #[serde(default)]
    password: String,
    /// Deeper.
    #[serde(default)]
    inner: Vec<Inner>,
}

#[derive(Deserialize, JsonSchema)]
struct Inner {
    nothing: Option<bool>,
}

struct Sinner(Loose);

impl Filter for Sinner {
    const ID: &'static str = "sinner";
    const REASONS: &'static [Reason] = &[CLOSED];
    type Config = Loose;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn build(config: Loose, (): (), _env: &Env) -> Result<Self, Problem> {
        Ok(Self(config))
    }

    async fn on_request(&self, _cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let known = !self.0.password.is_empty() || self.0.list.is_absolute() || self.0.inner.iter().any(|inner| inner.nothing.is_some());
        Ok(if known { Flow::Stop(closed()) } else { Flow::Next(()) })
    }
}

#[test]
fn settings_that_are_open_undescribed_or_unguarded_are_found() {
    const CASE: &str = "
about: Anything goes
config: { list: a, inner: [{}] }
cases: [{ name: It passes, request: {}, expect: { pass: {} } }]
";
    let verdict = verdict::<Sinner>("# sinner\n", &[("case.yaml", CASE)]);
    for line in [
        "the option `list` has no description",
        "the option `inner[].nothing` has no description",
        "the option `password` sounds secret",
        "the settings at `` take unknown keys",
        "the settings at `.inner` take unknown keys",
        "an unknown key at `/` is not refused",
        "an unknown key at `/inner/0/` is not refused",
        "the reason `gate.closed` does not begin with `sinner.`",
    ] {
        assert!(verdict.contains(line), "{line}\n{verdict}");
    }
}

#[test]
fn a_staged_document_arrives_with_the_refresh_that_the_filter_asked_for() {
    let setup = Harness::<Gate<WAITS>>::setup().document("words.txt", "old");
    let h = setup.yaml("{list: words.txt}");
    h.document("words.txt").stage("new");
    h.request("GET", "/").header("x-word", "new").may_wait().run().next();
    assert_eq!(h.document("words.txt").refreshed(), 1);
}

#[test]
fn a_document_that_nobody_set_is_a_problem_and_one_that_was_never_fetched_is_not() {
    assert_eq!(Harness::<Gate<RIGHT>>::problem("{list: words.txt}").code, "testkit.document");
    let h = Harness::<Gate<RIGHT>>::setup().unfetched("words.txt").yaml("{list: words.txt}");
    h.request("GET", "/").run().assert_fault("gate.no_list");
}
