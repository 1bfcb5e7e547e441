//! Operations as requests meet them.

use std::sync::Arc;

use tollgate_filter_api::OperationInfo;
use tollgate_plan::{ANY_METHOD, Operation, Plan, Target as PlanTarget, USUAL_METHODS};

use crate::{chain::Chain, routes};

/// One operation as a request meets it.
pub struct Served {
    /// What filters and logs know of it.
    pub info: Arc<OperationInfo>,
    /// What happens after the chain.
    pub target: PlanTarget,
    /// The chain.
    pub chain: Arc<Chain>,
    /// Value of `Allow`, for a synthetic OPTIONS.
    pub allow: Option<http::HeaderValue>,
    /// Most bytes of a request's body, where that is not what the gateway allows.
    pub body_bytes: Option<u64>,
    /// Upstreams get the path with the base path in it.
    pub whole_path: bool,
    /// Header that carries the credential, for error texts.
    pub auth_header: String,
}

/// The operations of a Plan, each with its chain.
pub(super) fn served(plan: &Plan, chains: Vec<Arc<Chain>>) -> Vec<Served> {
    let mut chains = chains.into_iter();
    let mut served = Vec::new();
    for api in &plan.apis {
        let mut methods: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
        for operation in api.operations.iter().filter(|operation| matches!(operation.target, PlanTarget::Endpoints { .. })) {
            let of_path = methods.entry(routes::shape(&operation.template)).or_default();
            match operation.method.as_str() {
                ANY_METHOD => of_path.extend(USUAL_METHODS.map(str::to_owned)),
                method => of_path.push(method.to_owned()),
            }
        }
        for operation in &api.operations {
            let Some(chain) = chains.next() else { continue };
            let info = OperationInfo {
                api: api.title.clone(),
                version: api.version.clone(),
                base_path: api.base_path.clone(),
                id: operation.id.clone(),
                template: operation.template.clone(),
                method: operation.method.clone(),
                path_methods: methods.get(&routes::shape(&operation.template)).cloned().unwrap_or_default(),
            };
            let auth_header = api.auth_header.clone().unwrap_or_else(|| "Authorization".to_owned());
            let (info, target, allow) = (Arc::new(info), operation.target.clone(), allow(operation));
            served.push(Served { info, target, chain, allow, body_bytes: operation.body_bytes, whole_path: api.whole_path, auth_header });
        }
    }
    served
}

fn allow(operation: &Operation) -> Option<http::HeaderValue> {
    match &operation.target {
        PlanTarget::Options { allow } => http::HeaderValue::from_str(&allow.join(", ")).ok(),
        PlanTarget::Endpoints { .. } => None,
    }
}
