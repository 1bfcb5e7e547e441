//! One instance with its callbacks.

use std::sync::Arc;

use tollgate_filter_api::{Bytes, Call, RequestHead, ResponseHead};
use tollgate_sandbox::{
    Budget, Guest, Instance, Module, NotMade, Permit, Resident, Stopped, Why,
    wasmtime::{InstancePre, TypedFunc, ValType, WasmParams, WasmResults},
};

use crate::{
    abi::{Map, ROOT},
    broken::{Broken, Kind},
    host::{CallAnswer, Change, Host, LocalAnswer, QueuedCall, Stage},
    program::{Common, LoadProblem},
};

/// An instance of a program. One request has it at a time.
pub struct Vm {
    instance: Instance<Host>,
    functions: Functions,
    common: Arc<Common>,
    context: u32,
    _permit: Permit,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vm({})", self.common.title())
    }
}

/// How a request goes on after a callback.
#[derive(Debug)]
pub enum Next {
    /// The guest lets it go on.
    Go,
    /// The guest waits for the rest of the message, or for the answer to a call.
    Wait,
    /// The guest answers itself.
    Answer(LocalAnswer),
}

macro_rules! functions {
    ($($field:ident: $name:literal ($params:ty) -> $result:ty, $given:literal, $gives:literal;)*) => {
        /// The callbacks that a module has.
        pub struct Functions { $($field: Option<TypedFunc<$params, $result>>,)* }

        impl Functions {
            /// Names of all callbacks.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            fn of(instance: &mut Instance<Host>) -> Self {
                Self { $($field: instance.function($name),)* }
            }

            /// Whether a callback has the parameters and results that the ABI says.
            pub fn fits(module: &Module, name: &str) -> bool {
                match name { $($name => has_type(module, name, $given, $gives),)* _ => true }
            }
        }
    };
}

functions! {
    context: "proxy_on_context_create" ((u32, u32)) -> (), 2, 0;
    vm_start: "proxy_on_vm_start" ((u32, u32)) -> u32, 2, 1;
    configure: "proxy_on_configure" ((u32, u32)) -> u32, 2, 1;
    request_head: "proxy_on_request_headers" ((u32, u32, u32)) -> u32, 3, 1;
    request_body: "proxy_on_request_body" ((u32, u32, u32)) -> u32, 3, 1;
    response_head: "proxy_on_response_headers" ((u32, u32, u32)) -> u32, 3, 1;
    response_body: "proxy_on_response_body" ((u32, u32, u32)) -> u32, 3, 1;
    call_answer: "proxy_on_http_call_response" ((u32, u32, u32, u32, u32)) -> (), 5, 0;
    done: "proxy_on_done" (u32) -> u32, 1, 1;
    log: "proxy_on_log" (u32) -> (), 1, 0;
    delete: "proxy_on_delete" (u32) -> (), 1, 0;
}

/// Whether an export is a function of so many integers to so many.
fn has_type(module: &Module, name: &str, given: usize, gives: usize) -> bool {
    let export = module.compiled().get_export(name);
    let Some(function) = export.as_ref().and_then(|export| export.func()) else { return false };
    let integers = |count: usize, found: &mut dyn Iterator<Item = ValType>| {
        let found: Vec<bool> = found.map(|value| matches!(value, ValType::I32)).collect();
        found.len() == count && found.iter().all(|is| *is)
    };
    integers(given, &mut function.params()) && integers(gives, &mut function.results())
}

/// Calls a callback, when there is one, within what is left of the request's time.
macro_rules! call {
    ($vm:ident, $field:ident, $name:literal, $given:expr) => {
        match &$vm.functions.$field {
            None => Ok(None),
            Some(function) => {
                let left = $vm.common.request.less($vm.instance.used());
                run(&mut $vm.instance, &$vm.common, ($name, function), $given, left.min($vm.common.callback)).map(Some)
            }
        }
    };
}

fn run<P: WasmParams, R: WasmResults>(
    instance: &mut Instance<Host>,
    common: &Common,
    (name, function): (&str, &TypedFunc<P, R>),
    given: P,
    budget: Budget,
) -> Result<R, Broken> {
    instance.data_mut().enter();
    let result = instance.call(function, given, budget);
    let host = instance.data_mut();
    if let Some(refusal) = host.refusal.take() {
        let words = host.words.say().map(|words| format!("; its last words: {words}")).unwrap_or_default();
        return Err(Broken::new(Kind::Refused, format!("{} in `{name}` wrote what it may not: {refusal}{words}", common.title())));
    }
    result.map_err(|stopped| broken(common, name, &stopped, host))
}

fn broken(common: &Common, name: &str, stopped: &Stopped, host: &Host) -> Broken {
    let kind = if matches!(stopped.why, Why::Time) { Kind::Time } else { Kind::Trap };
    let words = host.words.say().map(|words| format!("; its last words: {words}")).unwrap_or_default();
    Broken::new(kind, format!("{} in `{name}`: {stopped}{words}", common.title()))
}

impl Vm {
    /// Makes an instance and runs it up to the point at which a request may come.
    pub(crate) fn start(
        module: &Module,
        pre: &InstancePre<Guest<Host>>,
        common: &Arc<Common>,
        budget: Budget,
        permit: Permit,
    ) -> Result<Self, LoadProblem> {
        let no_heads = || LoadProblem::Start(Broken::new(Kind::Trap, "no head can be made".to_owned()));
        let host = Host::new(common.clone()).ok_or_else(no_heads)?;
        let mut instance = Instance::new(module, pre, host, budget).map_err(|not| match not {
            NotMade::Busy => LoadProblem::Busy,
            NotMade::Stopped(stopped) => LoadProblem::Start(Broken::new(Kind::Trap, format!("{}: {stopped}", common.title()))),
        })?;
        let memory = instance.memory();
        let allocate = instance.function("proxy_on_memory_allocate").or_else(|| instance.function("malloc"));
        let host = instance.data_mut();
        (host.memory, host.allocate) = (memory, allocate);
        initialize(&mut instance, common, budget)?;
        let functions = Functions::of(&mut instance);
        let mut vm = Self { instance, functions, common: common.clone(), context: ROOT, _permit: permit };
        vm.configure(budget)?;
        vm.instance.data_mut().forget();
        Ok(vm)
    }

    fn configure(&mut self, budget: Budget) -> Result<(), LoadProblem> {
        let size = u32::try_from(self.common.configuration.len()).unwrap_or(u32::MAX);
        if let Some(create) = &self.functions.context {
            let named = ("proxy_on_context_create", create);
            run(&mut self.instance, &self.common, named, (ROOT, 0), budget).map_err(LoadProblem::Start)?;
        }
        let steps = [("proxy_on_vm_start", &self.functions.vm_start, 0), ("proxy_on_configure", &self.functions.configure, size)];
        for (name, function, size) in steps {
            let Some(function) = function else { continue };
            let agrees = run(&mut self.instance, &self.common, (name, function), (ROOT, size), budget).map_err(LoadProblem::Start)?;
            if agrees == 0 {
                let words = self.instance.data().words.say().map(|words| format!("; its last words: {words}"));
                return Err(LoadProblem::Refused(name, words.unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// A request begins.
    ///
    /// # Errors
    /// When the guest breaks.
    pub fn begin(&mut self, call: Call) -> Result<(), Broken> {
        self.context += 1;
        self.instance.begin();
        self.instance.data_mut().begin(call, self.context);
        let given = (self.context, ROOT);
        call!(self, context, "proxy_on_context_create", given).map(|_: Option<()>| ())
    }

    /// Moves the request's head in, or out again. In between the guest may see and write it.
    pub fn swap_request(&mut self, head: &mut RequestHead) {
        let host = self.instance.data_mut();
        std::mem::swap(&mut host.request, head);
        host.stage = if host.stage == Stage::Request { Stage::RequestBody } else { Stage::Request };
    }

    /// Moves the answer's head in, or out again.
    pub fn swap_response(&mut self, head: &mut ResponseHead) {
        let host = self.instance.data_mut();
        std::mem::swap(&mut host.response, head);
        host.stage = if host.stage == Stage::Response { Stage::ResponseBody } else { Stage::Response };
    }

    /// Keeps a copy of what is asked for, which the guest may read until the request is over. The head must be in.
    pub fn keep_request(&mut self) {
        self.instance.data_mut().keep();
    }

    /// Whether calls may be made, because somebody can wait for them.
    pub fn allow_calls(&mut self, may: bool) {
        self.instance.data_mut().may_call = may;
    }

    /// The head of the request has come. `ends`: it has no body.
    ///
    /// # Errors
    /// When the guest breaks.
    pub fn request_head(&mut self, ends: bool) -> Result<Next, Broken> {
        let given = (self.context, self.instance.data().count(Map::Request), u32::from(ends));
        let action = call!(self, request_head, "proxy_on_request_headers", given)?;
        self.next(action)
    }

    /// The head of the answer has come.
    ///
    /// # Errors
    /// When the guest breaks.
    pub fn response_head(&mut self, ends: bool) -> Result<Next, Broken> {
        let given = (self.context, self.instance.data().count(Map::Response), u32::from(ends));
        let action = call!(self, response_head, "proxy_on_response_headers", given)?;
        self.next(action)
    }

    /// A body, or a piece of it, of the message whose turn it is. [`Vm::take_body`] has what the guest made of it.
    ///
    /// # Errors
    /// When the guest breaks.
    pub fn body(&mut self, body: Bytes, ends: bool) -> Result<Next, Broken> {
        let host = self.instance.data_mut();
        let is_response = matches!(host.stage, Stage::Response | Stage::ResponseBody);
        let given = (self.context, u32::try_from(body.len()).unwrap_or(u32::MAX), u32::from(ends));
        (host.body, host.body_is_changed) = (body, false);
        let action = if is_response {
            call!(self, response_body, "proxy_on_response_body", given)?
        } else {
            call!(self, request_body, "proxy_on_request_body", given)?
        };
        self.next(action)
    }

    /// A piece of a body that streams. Each has the time of a request: how many there are is not the guest's to say.
    ///
    /// # Errors
    /// When the guest breaks.
    pub fn piece(&mut self, body: Bytes, ends: bool) -> Result<Next, Broken> {
        self.instance.rest();
        self.body(body, ends)
    }

    /// The body as the guest left it, and whether that is another than it was given.
    pub fn take_body(&mut self) -> (Bytes, bool) {
        let host = self.instance.data_mut();
        (std::mem::take(&mut host.body), host.body_is_changed)
    }

    /// What came of a call; `None`: nothing.
    ///
    /// # Errors
    /// When the guest breaks.
    pub fn call_answer(&mut self, id: u32, answer: Option<CallAnswer>) -> Result<Next, Broken> {
        let host = self.instance.data_mut();
        let size = answer.as_ref().map_or(0, |answer| u32::try_from(answer.body.len()).unwrap_or(u32::MAX));
        host.answer = answer;
        let given = (ROOT, id, host.count(Map::Call), size, 0);
        let ended = call!(self, call_answer, "proxy_on_http_call_response", given).map(|_: Option<()>| ());
        self.instance.data_mut().answer = None;
        ended?;
        let action = Some(u32::from(self.instance.data().is_paused));
        self.next(action)
    }

    /// The calls that the guest wants to be made, and was not told of yet.
    pub fn take_calls(&mut self) -> Vec<QueuedCall> {
        std::mem::take(&mut self.instance.data_mut().queue)
    }

    /// The status that the guest gave the answer, if it gave one.
    pub fn take_status(&mut self) -> Option<u16> {
        self.instance.data_mut().status.take()
    }

    /// Does to another head of an answer what the guest did to the one that it saw.
    pub fn repeat_changes(&self, head: &mut ResponseHead) {
        for change in &self.instance.data().changes {
            match change.clone() {
                Change::Set(name, value) => head.set(name, value),
                Change::Append(name, value) => head.append(name, value),
                Change::Remove(name) => head.remove(&name),
            }
        }
    }

    /// What is wrong with a guest that waits where nothing will come.
    pub fn waits_for_nothing(&self, rule: &str) -> Broken {
        let words = self.instance.data().words.say().map(|words| format!("; its last words: {words}")).unwrap_or_default();
        Broken::new(Kind::Paused, format!("{} waits for ever: {rule}{words}", self.common.title()))
    }

    /// What is wrong with a guest that answers itself where it cannot.
    pub fn answers_too_late(&self, rule: &str) -> Broken {
        Broken::new(Kind::Refused, format!("{} wants to answer itself: {rule}", self.common.title()))
    }

    /// The request is over: its context goes, and nothing of it is left.
    pub(crate) fn end(&mut self, status: u16) -> Result<(), Broken> {
        let host = self.instance.data_mut();
        host.stage = Stage::Done;
        host.status = Some(status).filter(|status| *status > 0);
        host.may_call = false;
        let context = self.context;
        call!(self, done, "proxy_on_done", context).map(|_: Option<u32>| ())?;
        call!(self, log, "proxy_on_log", context).map(|_: Option<()>| ())?;
        call!(self, delete, "proxy_on_delete", context).map(|_: Option<()>| ())?;
        self.instance.data_mut().forget();
        Ok(())
    }

    /// What comes of a callback's result.
    fn next(&mut self, action: Option<u32>) -> Result<Next, Broken> {
        let title = || self.common.title();
        if self.instance.data().is_closed {
            return Err(Broken::new(Kind::Closed, format!("{} closed the stream", title())));
        }
        let host = self.instance.data_mut();
        if let Some(answer) = host.local.take() {
            return Ok(Next::Answer(answer));
        }
        host.is_paused = action == Some(1);
        Ok(if host.is_paused { Next::Wait } else { Next::Go })
    }
}

impl Resident for Vm {
    fn is_fit(&self) -> bool {
        self.instance.is_fit()
    }
}

/// The start functions: `_initialize`, and then `main` if there is one, or `_start`.
fn initialize(instance: &mut Instance<Host>, common: &Common, budget: Budget) -> Result<(), LoadProblem> {
    let start = |instance: &mut Instance<Host>, name: &'static str| {
        let Some(function) = instance.function::<(), ()>(name) else { return Ok(false) };
        run(instance, common, (name, &function), (), budget).map(|()| true).map_err(LoadProblem::Start)
    };
    if start(instance, "_initialize")? {
        if let Some(main) = instance.function::<(u32, u32), u32>("main") {
            run(instance, common, ("main", &main), (0, 0), budget).map_err(LoadProblem::Start)?;
        }
        return Ok(());
    }
    start(instance, "_start").map(|_| ())
}
