//! What runs.

use tollgate_filter_api::{Cause, CauseKind, Cx, Env, Fault, Filter, Flow, HeaderName, Problem, Reason, Rule};

use crate::Config;

const MISSING: Reason = Reason::refused(
    "__name__.missing",
    400,
    0,
    "The request lacks a header",
    "A request without the header that the settings name. Have the client send it.",
);

/// The `__name__` filter.
#[derive(Debug)]
pub struct __Name__ {
    header: HeaderName,
}

impl Filter for __Name__ {
    const ID: &'static str = "__name__";
    const REASONS: &'static [Reason] = &[MISSING];
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        let header = config.header.parse().map_err(|_| {
            let message = format!("`{}` is not a name that HTTP allows", config.header);
            Problem::setting("/header", message)
        })?;
        Ok(Self { header })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if cx.req.get(&self.header).is_none() {
            let cause = Cause::new(CauseKind::Missing, "the header that the settings name", Rule::setting("/header"));
            return Ok(Flow::Stop(MISSING.because(cause)));
        }
        Ok(Flow::Next(()))
    }
}
