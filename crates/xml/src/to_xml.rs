//! From JSON to XML.

use tollgate_validation::xml;

use crate::{
    Broken, Convention, Hints, Options,
    flat::Flat,
    names::{is_name, is_namespace, is_prefix},
    own, wso2,
};

/// Makes XML of JSON.
#[derive(Clone, Debug)]
pub struct ToXml {
    options: Options,
    hints: Hints,
}

/// Names that no document can have, found at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Of an element or an attribute.
    #[error("`{0}` is no name of an element or an attribute: a letter or `_`, then letters, digits, `-`, `.` and `_`")]
    Name(String),
    /// Of a namespace.
    #[error("`{0}` cannot be declared as a namespace")]
    Namespace(String),
    /// Of a prefix.
    #[error("`{0}` is no prefix: a name that does not begin with `xml`")]
    Prefix(String),
}

impl ToXml {
    /// # Errors
    /// Names of settings or schema that no document can have.
    pub fn new(options: Options, hints: Hints) -> Result<Self, Unusable> {
        for name in [&options.root, &options.item] {
            is_name(name).then_some(()).ok_or_else(|| Unusable::Name(name.clone()))?;
        }
        if options.convention == Convention::Schema {
            let members = hints.0.nodes().iter().flat_map(|node| &node.members);
            let named = members.filter(|member| member.role != xml::Role::Text).map(|member| &member.name);
            let items = hints.0.nodes().iter().filter_map(|node| node.item_name.as_ref());
            hints.0.root.iter().chain(items).chain(named).try_for_each(usable)?;
        }
        Ok(Self { options, hints })
    }

    /// The document that a JSON text stands for, in UTF-8.
    ///
    /// # Errors
    /// Why there is none.
    pub fn convert(&self, body: &[u8]) -> Result<Vec<u8>, Broken> {
        let value = Flat::read(body, &self.options.limits.value())?;
        match self.options.convention {
            Convention::Schema => own::write(&value, &self.options, &self.hints.0, body.len()),
            Convention::Wso2 => wso2::write(&value, &self.options, body.len()),
        }
    }
}

fn usable(name: &xml::Name) -> Result<(), Unusable> {
    if !is_name(&name.local) {
        return Err(Unusable::Name(name.local.clone()));
    }
    if let Some(namespace) = name.namespace.as_ref().filter(|uri| !is_namespace(uri)) {
        return Err(Unusable::Namespace(namespace.clone()));
    }
    match &name.prefix {
        Some(prefix) if !is_prefix(prefix) => Err(Unusable::Prefix(prefix.clone())),
        _ => Ok(()),
    }
}
