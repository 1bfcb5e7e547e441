//! What a definition asks of callers, as this environment enforces it: pure, and told apart from how it is checked.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_filter_api::Kind;
use tollgate_plan::{Alternative, Credential, Security, Source};

use crate::config::{Requirements, Waivers};

/// The alternatives that are enforced here. One that is enforced whole goes before one of which a part is waived; only when
/// nothing is left of any, the operation is open.
pub(super) fn enforced(security: &Security, requirements: Requirements, waivers: Waivers<'_>, kinds: &[Kind]) -> Vec<Alternative> {
    let waived = |credential: &Credential| waivers.has(&credential.filter);
    let all = match requirements {
        Requirements::Exact => security.alternatives.clone(),
        Requirements::Any => each_alone(&security.alternatives, kinds),
    };
    let anonymous = all.iter().filter(|alternative| alternative.credentials.is_empty()).cloned();
    let whole = all.iter().filter(|alternative| !alternative.credentials.iter().any(waived)).cloned();
    let rest = all.iter().map(|alternative| Alternative {
        credentials: alternative.credentials.iter().filter(|credential| !waived(credential)).cloned().collect(),
    });
    let demanding = |alternative: &Alternative| !alternative.credentials.is_empty();
    let whole: Vec<Alternative> = whole.filter(demanding).collect();
    let enforced = if whole.is_empty() { rest.filter(demanding).collect() } else { whole };
    if enforced.is_empty() { enforced } else { enforced.into_iter().chain(anonymous).collect() }
}

/// Every credential an alternative of its own, with the certificate that was asked for beside it. Where none of a credential's
/// own scopes is asked for, those of the others are.
fn each_alone(alternatives: &[Alternative], kinds: &[Kind]) -> Vec<Alternative> {
    let mut union: Vec<String> = Vec::new();
    for scope in alternatives.iter().flat_map(|alternative| &alternative.credentials).flat_map(|credential| &credential.scopes) {
        if !union.contains(scope) {
            union.push(scope.clone());
        }
    }
    alternatives.iter().flat_map(|alternative| split(alternative, &union, kinds)).collect()
}

fn split(alternative: &Alternative, union: &[String], kinds: &[Kind]) -> Vec<Alternative> {
    let is = |credential: &Credential, property: fn(&Kind) -> bool| {
        kinds.iter().any(|kind| kind.accepts.contains(&credential.filter.as_str()) && property(kind))
    };
    let (certificates, others): (Vec<&Credential>, Vec<&Credential>) =
        alternative.credentials.iter().partition(|credential| is(credential, |kind| kind.certificate));
    if others.is_empty() {
        return vec![alternative.clone()];
    }
    let with_certificates = |credential: &Credential| {
        let mut alone = credential.clone();
        if alone.scopes.is_empty() && is(&alone, |kind| kind.scoped) {
            alone.scopes = union.to_vec();
        }
        Alternative { credentials: std::iter::once(alone).chain(certificates.iter().copied().cloned()).collect() }
    };
    others.into_iter().map(with_certificates).collect()
}

/// A credential, and what each requirement that names it asks of it: one of them is enough.
#[derive(Clone)]
pub(super) struct Wanted {
    pub filter: String,
    pub asks: Vec<Ask>,
    declared: BTreeMap<String, Value>,
}

/// Scopes, and where they are asked for.
#[derive(Clone)]
pub(super) struct Ask {
    pub scopes: Vec<String>,
    pub source: Source,
}

impl Wanted {
    fn of(credential: &Credential) -> Self {
        let ask = Ask { scopes: credential.scopes.clone(), source: credential.source.clone() };
        Self { filter: credential.filter.clone(), asks: vec![ask], declared: credential.declared.clone() }
    }

    /// Whether it is the same credential, whatever the scopes.
    fn is_same(&self, other: &Self) -> bool {
        self.filter == other.filter && self.declared == other.declared
    }

    /// Whether it is not enough to have it.
    pub fn asks_for_scopes(&self) -> bool {
        self.asks.iter().all(|ask| !ask.scopes.is_empty())
    }

    /// Where it is asked for first.
    pub fn source(&self) -> Source {
        self.asks.first().map(|ask| ask.source.clone()).unwrap_or_default()
    }

    /// What the definition says of it to the filter; null for nothing.
    pub fn declared(&self) -> Value {
        if self.declared.is_empty() { Value::Null } else { Value::Object(self.declared.clone().into_iter().collect()) }
    }
}

/// Alternatives that ask the same credentials for different scopes become one, so that none is checked twice; alternatives without
/// credentials are left out.
pub(super) fn grouped(alternatives: &[Alternative]) -> Vec<Vec<Wanted>> {
    let mut groups: Vec<Vec<Wanted>> = Vec::new();
    for alternative in alternatives.iter().filter(|alternative| !alternative.credentials.is_empty()) {
        let wanted: Vec<Wanted> = alternative.credentials.iter().map(Wanted::of).collect();
        let same =
            |group: &&mut Vec<Wanted>| group.len() == wanted.len() && group.iter().zip(&wanted).all(|(one, other)| one.is_same(other));
        match groups.iter_mut().find(same) {
            Some(group) => group.iter_mut().zip(wanted).for_each(|(one, other)| one.asks.extend(other.asks)),
            None => groups.push(wanted),
        }
    }
    groups
}
