//! What runs.

use tollgate_filter_api::{
    Answer, Bytes, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, Posture, Principal, Problem, Reason, Reply, pointer,
};

use crate::Config;

/// What every gateway can keep in memory for every operation.
const MAX_BODY: usize = 64 << 10;
/// Fields that frame the answer; the gateway writes them.
const FRAMING: [&str; 6] = ["connection", "content-length", "keep-alive", "trailer", "transfer-encoding", "upgrade"];

const FIXED: Reply = Reply::new(
    "respond.fixed",
    200,
    "The answer that the definition gives itself",
    "The operation has `x-tollgate-respond`: no upstream is asked. The status is the one that is written there.",
);

/// The `respond` filter.
#[derive(Debug)]
pub struct Respond {
    answer: Answer,
}

impl Filter for Respond {
    const ID: &'static str = "respond";
    const ANSWERS: bool = true;
    const REASONS: &'static [Reason] = &[*FIXED.reason()];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    // Keeps it behind the filters that say who is calling.
    type Needs = Principal;
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        config.status.is_none() && config.headers.is_empty() && config.body.is_empty()
    }

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        let status = config.status.filter(|status| (200..=599).contains(status));
        let status = status.ok_or_else(|| Problem::setting("/status", "there is no status of 200 to 599"))?;
        if config.body.len() > MAX_BODY {
            return Err(Problem::setting("/body", format!("the body has more than {MAX_BODY} bytes")).hint("serve it from an upstream"));
        }
        if matches!(status, 204 | 205 | 304) && !config.body.is_empty() {
            return Err(Problem::setting("/body", format!("an answer with status {status} has no body")));
        }
        let answer = FIXED.answer().with_status(status).body(Bytes::from(config.body));
        let answer = config.headers.iter().try_fold(answer, |answer, (name, value)| {
            let (name, value) = field(name, value)?;
            Ok(answer.header(name, value))
        })?;
        Ok(Self { answer })
    }

    async fn on_request(&self, _cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        Ok(Flow::Stop(self.answer.clone()))
    }
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Problem> {
    let wrong = |message: String| Problem::setting(pointer::join("/headers", name), message);
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(format!("{name:?} is not the name of a header")))?;
    if FRAMING.contains(&header.as_str()) {
        return Err(wrong(format!("`{header}` is the gateway's to write")));
    }
    Ok((header, HeaderValue::from_str(value).map_err(|_| wrong("the value is not one that a header can carry".to_owned()))?))
}
