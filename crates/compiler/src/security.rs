//! Who may call an operation: the declared requirements, and the extensions that override them.
//!
//! When in doubt a token is demanded: nothing declared, an unknown scheme, a contradiction.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate_document::{Shape, nearest};
use tollgate_filter_api::Problems;
use tollgate_plan::{Alternative, Credential, Security};

use crate::demands::unknown_key;
use crate::input::sources::short;
use crate::input::spot::Spot;
use crate::model::Definition;

const DISABLE: &str = "x-wso2-disable-security";
const APPLICATION: &str = "x-wso2-application-security";
const APPLICATION_KEYS: [&str; 2] = ["security-types", "optional"];
const MUTUAL: &str = "x-wso2-mutual-ssl";

/// Requirements in one list; each is an alternative that a request may have to be tried against.
const MAX_ALTERNATIVES: usize = 100;

/// Reads the security of one definition.
pub(crate) struct Reader<'r, 'a> {
    definition: &'r Definition<'a>,
    /// `x-wso2-disable-security` of the API, and where it stands.
    disabled: Option<(bool, Spot<'a>)>,
    /// What the API itself declares.
    declared: Option<Security>,
}

/// What `x-wso2-mutual-ssl` asks of every operation.
pub(crate) struct Mutual<'a> {
    /// No certificate, no access; otherwise one that is presented counts.
    pub mandatory: bool,
    spot: Spot<'a>,
}

impl<'a> Mutual<'a> {
    /// Reads it.
    pub(crate) fn read(root: &Spot<'a>, problems: &mut Problems) -> Option<Self> {
        let spot = root.get(MUTUAL)?;
        let mode = spot.node.text().unwrap_or_default().to_ascii_lowercase();
        if mode == "mandatory" || mode == "optional" {
            return Some(Self { mandatory: mode == "mandatory", spot });
        }
        problems.push(spot.error("extension.value", format!("`{MUTUAL}` must be `mandatory` or `optional`")));
        None
    }

    /// Mandatory: every alternative asks for a certificate besides, so that the other credential names the caller. Optional: only
    /// where nothing else is asked for can a certificate say more than nothing.
    pub(crate) fn add_to(&self, security: &mut Security) {
        if security.alternatives.is_empty() {
            security.source = self.spot.source();
            security.alternatives.push(extension_credential("mtls", BTreeMap::new(), &self.spot));
            if !self.mandatory {
                security.alternatives.push(Alternative { credentials: Vec::new() });
            }
        } else if self.mandatory {
            let without = |alternative: &&mut Alternative| alternative.credentials.iter().all(|credential| credential.filter != "mtls");
            for alternative in security.alternatives.iter_mut().filter(without) {
                alternative.credentials.extend(extension_credential("mtls", BTreeMap::new(), &self.spot).credentials);
            }
        }
    }
}

impl<'r, 'a> Reader<'r, 'a> {
    pub(crate) fn new(definition: &'r Definition<'a>, problems: &mut Problems) -> Self {
        let root = &definition.root;
        let mut reader = Self { definition, disabled: disable(root, problems), declared: None };
        reader.declared = reader.level(root, problems);
        reader
    }

    /// Security of an operation.
    pub(crate) fn operation(&self, operation: &Spot<'a>, problems: &mut Problems) -> Security {
        let own = self.level(operation, problems);
        let mut security = match disable(operation, problems) {
            Some((true, spot)) => open(&spot),
            Some((false, spot)) => self.secured(own, &spot),
            None => self.undecided(operation, own, problems),
        };
        add_scopes(&mut security, operation, problems);
        security
    }

    /// The operation says `x-wso2-disable-security: false`.
    fn secured(&self, own: Option<Security>, spot: &Spot<'a>) -> Security {
        let declared = own.or_else(|| self.declared.clone());
        declared.filter(|s| !s.alternatives.is_empty()).unwrap_or_else(|| default_token(spot))
    }

    fn undecided(&self, operation: &Spot<'a>, own: Option<Security>, problems: &mut Problems) -> Security {
        if let Some(spot) = operation.get("x-auth-type")
            && spot.node.as_str().is_some_and(|t| t.eq_ignore_ascii_case("none"))
        {
            return open(&spot);
        }
        if let Some((true, spot)) = &self.disabled {
            if own.is_some_and(|s| !s.alternatives.is_empty()) {
                let message = format!("`{DISABLE}` of the API opens this operation although it declares security");
                let problem = operation.warning("security.disabled", message);
                problems.push(problem.hint(format!("write `{DISABLE}: false` here to keep it closed")));
            }
            return open(spot);
        }
        own.or_else(|| self.declared.clone()).unwrap_or_else(|| default_token(&self.definition.root))
    }

    /// What one level declares: the extension before the standard field.
    fn level(&self, level: &Spot<'a>, problems: &mut Problems) -> Option<Security> {
        let standard = level.get("security").filter(|s| s.is(Shape::Array));
        if let Some(spot) = standard.as_ref().filter(|s| s.node.len() > MAX_ALTERNATIVES) {
            problems.push(spot.error("security.too_many", format!("at most {MAX_ALTERNATIVES} requirements can be listed")));
            return None;
        }
        let standard = standard.map(|spot| Security {
            alternatives: spot.items().map(|item| self.alternative(&item, problems)).collect(),
            waived: Vec::new(),
            source: spot.source(),
        });
        match level.get(APPLICATION) {
            Some(spot) => self.application(&spot, standard, problems),
            None => standard,
        }
    }

    fn alternative(&self, requirement: &Spot<'a>, problems: &mut Problems) -> Alternative {
        let mut credentials = Vec::new();
        if !requirement.is(Shape::Object) && !requirement.is(Shape::String) {
            // The form was judged; what is neither must not come to an alternative that asks for nothing.
            return default_alternative(requirement);
        }
        if let Some(text) = requirement.node.as_str() {
            let name = text.split(':').next().unwrap_or(text).trim();
            credentials.push(self.credential(name, Vec::new(), requirement, problems));
        }
        for (name, scopes) in requirement.entries() {
            let listed = scopes.items().filter_map(|s| s.node.text()).collect();
            credentials.push(self.credential(name, listed, &scopes, problems));
        }
        Alternative { credentials }
    }

    fn credential(&self, name: &str, scopes: Vec<String>, spot: &Spot<'a>, problems: &mut Problems) -> Credential {
        let scheme = self.definition.schemes.get(name);
        if scheme.is_none() {
            let known = self.definition.schemes.keys().map(String::as_str);
            let hint = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
            let message = format!("the security scheme `{}` is not defined", short(name));
            let problem = self.definition.strict(spot.error("security.unknown_scheme", message));
            problems.push(
                problem.hint(hint.unwrap_or_else(|| "define it among the security schemes; until then a token is demanded".to_owned())),
            );
        }
        Credential {
            filter: scheme.map_or_else(|| "jwt".to_owned(), |s| s.filter.clone()),
            scheme: name.to_owned(),
            scopes,
            declared: scheme.map(|s| s.settings.clone()).unwrap_or_default(),
            source: spot.source(),
        }
    }

    /// `x-wso2-application-security` replaces the standard requirements of its level.
    fn application(&self, spot: &Spot<'a>, standard: Option<Security>, problems: &mut Problems) -> Option<Security> {
        if !spot.is(Shape::Object) {
            let problem = spot.error("extension.value", format!("`{APPLICATION}` must be an object"));
            problems.push(problem.hint("write `{security-types: [oauth2]}`"));
        }
        for (key, value) in spot.entries().filter(|(key, _)| !APPLICATION_KEYS.contains(key)) {
            problems.push(unknown_key(key, &value, "extension.unknown", &APPLICATION_KEYS));
        }
        let mut alternatives = Vec::new();
        let types = spot.get("security-types");
        if let Some(types) = types.as_ref().filter(|types| !types.is(Shape::Array)) {
            let problem = types.error("extension.value", "`security-types` must be a list");
            problems.push(problem.hint("write `security-types: [oauth2]`"));
        }
        for item in types.iter().flat_map(|t| t.items().collect::<Vec<_>>()) {
            let name = item.node.text().unwrap_or_default();
            match name.as_str() {
                "oauth2" | "jwt" => alternatives.push(extension_credential("jwt", BTreeMap::new(), &item)),
                "basic_auth" | "basic" => {
                    alternatives.push(extension_credential("basic_auth", BTreeMap::new(), &item));
                }
                "api_key" => alternatives.extend(self.api_keys(&item)),
                other => {
                    let message = format!("`{}` is not one of oauth2, basic_auth, api_key", short(other));
                    problems.push(item.error("extension.value", message));
                }
            }
        }
        let mut security = match (types, standard) {
            (Some(_), _) => Security { alternatives, waived: Vec::new(), source: spot.source() },
            (None, Some(standard)) => standard,
            (None, None) => default_token(spot),
        };
        if security.alternatives.is_empty() {
            security = default_token(spot);
        }
        if let Some(optional) = spot.get("optional") {
            self.optional(&optional, &mut security, problems);
        }
        Some(security)
    }

    fn optional(&self, spot: &Spot<'a>, security: &mut Security, problems: &mut Problems) {
        let mode = self.definition.root.text(MUTUAL).unwrap_or_default();
        match spot.node.as_bool() {
            Some(true) if mode.eq_ignore_ascii_case("mandatory") => {
                security.alternatives.push(Alternative { credentials: Vec::new() });
            }
            Some(true) => {
                let message = "application security can be optional only with mandatory mutual TLS";
                let problem = spot.error("security.optional", message);
                problems.push(problem.hint(format!("add `{MUTUAL}: mandatory`, or remove `optional`")));
            }
            Some(false) => {}
            None => problems.push(spot.error("extension.value", "`optional` must be true or false")),
        }
    }

    /// The declared API keys, or the header and the query parameter `apikey`.
    fn api_keys(&self, spot: &Spot<'a>) -> Vec<Alternative> {
        let declared = self.definition.schemes.values().filter(|s| s.filter == "api_key");
        let mut settings: Vec<BTreeMap<String, Value>> = declared.map(|s| s.settings.clone()).collect();
        if settings.is_empty() {
            settings = ["header", "query"]
                .map(|place| BTreeMap::from([("in".to_owned(), json!(place)), ("name".to_owned(), json!("apikey"))]))
                .into();
        }
        settings.into_iter().map(|settings| extension_credential("api_key", settings, spot)).collect()
    }
}

/// Says in which header the credentials are that stand in one (`x-wso2-auth-header`).
pub(crate) fn rename_header(security: &mut Security, header: &str) {
    for credential in security.alternatives.iter_mut().flat_map(|alternative| &mut alternative.credentials) {
        if matches!(credential.filter.as_str(), "jwt" | "basic_auth") {
            credential.declared.insert("header".to_owned(), json!(header));
        }
    }
}

fn extension_credential(filter: &str, declared: BTreeMap<String, Value>, spot: &Spot<'_>) -> Alternative {
    let credential = Credential { filter: filter.to_owned(), scheme: String::new(), scopes: Vec::new(), declared, source: spot.source() };
    Alternative { credentials: vec![credential] }
}

pub(crate) fn open(spot: &Spot<'_>) -> Security {
    Security { alternatives: Vec::new(), waived: Vec::new(), source: spot.source() }
}

fn default_alternative(spot: &Spot<'_>) -> Alternative {
    extension_credential("jwt", BTreeMap::new(), spot)
}

fn default_token(spot: &Spot<'_>) -> Security {
    Security { alternatives: vec![default_alternative(spot)], waived: Vec::new(), source: spot.source() }
}

fn disable<'a>(level: &Spot<'a>, problems: &mut Problems) -> Option<(bool, Spot<'a>)> {
    let spot = level.get(DISABLE)?;
    match spot.node.as_bool() {
        Some(value) => Some((value, spot)),
        None => {
            let problem = spot.error("extension.value", format!("`{DISABLE}` must be true or false"));
            problems.push(problem.hint("write `true` or `false`, without quotes; `yes` and `on` are text"));
            None
        }
    }
}

/// `x-scope` names scopes that every token needs here, and every user, to whom the reference product gives scopes too: one text, or a
/// list of them.
fn add_scopes(security: &mut Security, operation: &Spot<'_>, problems: &mut Problems) {
    let Some(spot) = operation.get("x-scope") else { return };
    let texts: Option<Vec<String>> = match spot.node.as_str() {
        Some(text) => Some(vec![text.to_owned()]),
        None if spot.is(Shape::Array) => spot.node.items().map(|item| item.as_str().map(str::to_owned)).collect(),
        None => None,
    };
    let Some(texts) = texts else {
        let problem = spot.error("extension.value", "`x-scope` must be a text with scopes, or a list of them");
        problems.push(problem.hint("write `x-scope: read`"));
        return;
    };
    let scopes: Vec<&str> = texts.iter().flat_map(|text| text.split([',', ' '])).filter(|scope| !scope.is_empty()).collect();
    let credentials = security.alternatives.iter_mut().flat_map(|a| &mut a.credentials);
    for credential in credentials.filter(|c| matches!(c.filter.as_str(), "jwt" | "basic_auth")) {
        for scope in &scopes {
            if credential.scopes.iter().all(|s| s != scope) {
                credential.scopes.push((*scope).to_owned());
            }
        }
    }
}
