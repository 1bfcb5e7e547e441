use http::{HeaderName, HeaderValue, header::WWW_AUTHENTICATE};
use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{
    AllCredentials, Answer, BodyUse, Carrier, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Kind, Principal, PrincipalParts, Problem,
    Reason, ResponseCx, Rule, ScopeAlternatives, UpstreamCx,
};

const ORDER: HeaderName = HeaderName::from_static("x-order");

/// The chain's catalogue.
pub const KINDS: &[Kind] = &[
    Kind::of::<KeyA>("", &[]),
    Kind::of::<KeyB>("", &[]),
    Kind::of::<Whole>("", &[]),
    Kind::of::<Who>("", &[]),
    Kind::of::<Mark>("", &[]),
    Kind::of::<StandIn>("", &[]),
    Kind::of::<Judge>("", &[]),
    Kind::of::<Declares>("", &[]),
];

/// A refusal, in these words.
pub fn because(reason: &'static Reason, detail: impl Into<String>) -> Answer {
    because_of(reason, Rule::Fixed("a test"), detail)
}

fn because_of(reason: &'static Reason, rule: Rule, detail: impl Into<String>) -> Answer {
    reason.because(Cause::new(CauseKind::NotAllowed, "request", rule).detail(detail.into()))
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct KeyConfig {
    /// The key that is good, in place of `good`.
    key: Option<String>,
    idle: bool,
}

macro_rules! key {
    ($name:ident, $id:literal, $field:literal) => {
        pub struct $name(KeyConfig);

        impl $name {
            const ABSENT: Reason = Reason::absent(concat!($id, ".absent"), 401, 0, "t", "h");
            const WRONG: Reason = Reason::refused(concat!($id, ".wrong"), 401, 0, "t", "h");
        }

        impl Filter for $name {
            const ID: &'static str = $id;
            type Config = KeyConfig;
            type Declared = ();
            type Needs = ();
            type Gives = Principal;
            type State = ();

            fn is_idle(config: &KeyConfig, (): &(), _: &Env) -> bool {
                config.idle
            }

            fn build(config: KeyConfig, (): (), _: &Env) -> Result<Self, Problem> {
                Ok(Self(config))
            }

            fn carrier(&self) -> Option<Carrier> {
                Some(Carrier::Header(HeaderName::from_static($field)))
            }

            async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
                static ABSENT: Reason = $name::ABSENT;
                static WRONG: Reason = $name::WRONG;
                let text = |name: &str| cx.req.fields().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                let good = self.0.key.as_deref().unwrap_or("good");
                match text($field) {
                    "" => return Ok(Flow::Stop(because(&ABSENT, "absent").header(WWW_AUTHENTICATE, HeaderValue::from_static($id)))),
                    "down" => return Err(Fault::new(concat!($id, ".down"), "down")),
                    key if key != good => return Ok(Flow::Stop(because_of(&WRONG, Rule::setting("/key"), "wrong"))),
                    _ => {}
                }
                cx.req.remove(&HeaderName::from_static($field));
                Ok(Flow::Next(Principal::new(PrincipalParts { filter: $id, ..PrincipalParts::default() })))
            }

            fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
                cx.resp.append(ORDER, HeaderValue::from_static($id));
                Ok(())
            }
        }
    };
}

key!(KeyA, "key_a", "x-a");
key!(KeyB, "key_b", "x-b");

/// Lets everybody pass who is somebody.
pub struct Who;

impl Filter for Who {
    const ID: &'static str = "who";
    type Config = std::collections::BTreeMap<String, String>;
    type Declared = ();
    type Needs = Principal;
    type Gives = ();
    type State = ();

    fn build(_: Self::Config, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(Self)
    }

    async fn on_request(&self, _: Cx<'_, Self>) -> Result<Flow, Fault> {
        Ok(Flow::Next(()))
    }
}

/// Lets everybody pass in whom `key_a` would have to see.
pub struct StandIn;

impl Filter for StandIn {
    const ID: &'static str = "stand_in";
    const ACCEPTS: &'static [&'static str] = &["key_a"];
    type Config = std::collections::BTreeMap<String, String>;
    type Declared = ();
    type Needs = ();
    type Gives = Principal;
    type State = ();

    fn build(_: Self::Config, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(Self)
    }

    async fn on_request(&self, _: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        Ok(Flow::Next(Principal::new(PrincipalParts { filter: "stand_in", ..PrincipalParts::default() })))
    }
}

/// Looks at credentials only; the named ones are not enough for it, or, with `false`, no good.
pub struct Judge(std::collections::BTreeMap<String, bool>);

static FEW: Reason = Reason::insufficient("judge.few", 403, 900_910, "t", "h");
static BAD: Reason = Reason::refused("judge.bad", 401, 0, "t", "h");

impl Filter for Judge {
    const ID: &'static str = "judge";
    const CREDENTIALS_ONLY: bool = true;
    const COMPARES_SCOPES: bool = true;
    type Config = std::collections::BTreeMap<String, bool>;
    type Declared = ScopeAlternatives;
    type Needs = AllCredentials;
    type Gives = ();
    type State = ();

    fn build(config: Self::Config, _: ScopeAlternatives, _: &Env) -> Result<Self, Problem> {
        Ok(Self(config))
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let known: Vec<&str> = cx.given.iter().map(|principal| principal.filter).collect();
        Ok(match self.0.get(&known.join("+")) {
            Some(few) => Flow::Stop(because(if *few { &FEW } else { &BAD }, known.join("+"))),
            None => Flow::Next(()),
        })
    }
}

/// Wants the body, up to eight bytes.
pub struct Whole;

impl Filter for Whole {
    const ID: &'static str = "whole";
    type Config = std::collections::BTreeMap<String, String>;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = usize;

    fn build(_: Self::Config, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn request_body(&self) -> BodyUse {
        BodyUse::Whole(8)
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        *cx.state = cx.body.ok_or_else(|| Fault::new("whole.body", "none"))?.len();
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        cx.resp.append(HeaderName::from_static("x-length"), HeaderValue::from(*cx.state));
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MarkConfig {
    name: String,
    /// Stops as if the caller had too few rights.
    few: bool,
}

/// Leaves its name on answers and on what goes upstream; stops at its name in `X-Stop`.
pub struct Mark(String, &'static Reason);

static STOPPED: Reason = Reason::refused("mark.stopped", 418, 0, "t", "h");
static TOO_FEW: Reason = Reason::insufficient("mark.few", 403, 0, "t", "h");

impl Filter for Mark {
    const ID: &'static str = "mark";
    type Config = MarkConfig;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &MarkConfig, (): &(), _: &Env) -> bool {
        config.name.is_empty()
    }

    fn build(config: MarkConfig, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(Self(config.name, if config.few { &TOO_FEW } else { &STOPPED }))
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let stop = cx.req.fields().get("x-stop").is_some_and(|name| name.as_bytes() == self.0.as_bytes());
        Ok(if stop { Flow::Stop(because(self.1, "stop")) } else { Flow::Next(()) })
    }

    fn on_upstream(&self, cx: UpstreamCx<'_, Self>) -> Result<(), Fault> {
        cx.req.append(ORDER, HeaderValue::from_str(&self.0).unwrap());
        Ok(())
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        cx.resp.append(ORDER, HeaderValue::from_str(&self.0).unwrap());
        Ok(())
    }
}

/// Refuses what the definition says, with what the project says of all operations.
pub struct Declares(String);

/// What the definition says.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    word: String,
}

static SAID: Reason = Reason::refused("declares.said", 418, 0, "t", "h");

impl Filter for Declares {
    const ID: &'static str = "declares";
    const BY_DEFAULT: bool = false;
    type Config = MarkConfig;
    type Declared = Said;
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(_: &MarkConfig, declared: &Said, _: &Env) -> bool {
        declared.word.is_empty()
    }

    fn build(config: MarkConfig, declared: Said, env: &Env) -> Result<Self, Problem> {
        let known = env.declared.get::<std::collections::BTreeMap<String, String>>()?;
        if config.few {
            return Err(Problem::error("declares.few", "few").at("", 0, "/few"));
        }
        let unknown = || Problem::error("declares.unknown", format!("`{}` is not known", declared.word)).of_declaration();
        known.get(&declared.word).map(|said| Self(format!("{} {said}", config.name))).ok_or_else(unknown)
    }

    async fn on_request(&self, _: Cx<'_, Self>) -> Result<Flow, Fault> {
        Ok(Flow::Stop(because(&SAID, self.0.clone())))
    }
}
