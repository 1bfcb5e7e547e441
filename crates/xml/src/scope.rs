//! Which prefixes stand for which namespaces where something is written.

use std::borrow::Cow;

/// A name, with what the schema says of its namespace.
#[derive(Clone, Copy)]
pub(crate) struct Name<'n> {
    pub local: &'n str,
    pub namespace: Option<&'n str>,
    pub prefix: Option<&'n str>,
}

impl<'n> Name<'n> {
    pub fn plain(local: &'n str) -> Self {
        Self { local, namespace: None, prefix: None }
    }
}

impl<'n> From<&'n tollgate_validation::xml::Name> for Name<'n> {
    fn from(name: &'n tollgate_validation::xml::Name) -> Self {
        Self { local: &name.local, namespace: name.namespace.as_deref(), prefix: name.prefix.as_deref() }
    }
}

/// A declaration; of the default namespace, if it has no prefix.
#[derive(Clone)]
pub(crate) struct Binding<'n> {
    pub prefix: Option<Cow<'n, str>>,
    /// Empty where there is none.
    pub namespace: &'n str,
}

/// Declarations in scope.
#[derive(Default)]
pub(crate) struct Scope<'n> {
    bindings: Vec<Binding<'n>>,
    /// The elements that are open: where their declarations begin, and their namespaces.
    open: Vec<(usize, Option<&'n str>)>,
}

/// The prefix a name gets, and whether that has to be declared, as the last of [`Scope::declared`].
type Prefixed<'n> = (Option<Cow<'n, str>>, bool);

impl<'n> Scope<'n> {
    /// Begins an element.
    pub fn enter(&mut self, name: Name<'n>) -> Prefixed<'n> {
        let around = self.namespace();
        let default = self.lookup(None).filter(|uri| !uri.is_empty());
        self.open.push((self.bindings.len(), name.namespace.or(default.filter(|uri| Some(*uri) == around))));
        match (name.namespace, name.prefix) {
            // It may have no namespace or that of the element around it, and no other.
            (None, _) if default.is_none() || default == around => (None, false),
            (None, _) => self.declare(None, ""),
            (Some(uri), None) if default == Some(uri) => (None, false),
            (Some(uri), None) => self.declare(None, uri),
            (Some(uri), Some(prefix)) => self.prefixed(prefix, uri, true),
        }
    }

    /// An attribute of the element that was begun last.
    pub fn attribute(&mut self, name: Name<'n>) -> Prefixed<'n> {
        let Some(uri) = name.namespace else { return (None, false) };
        if let Some(prefix) = name.prefix {
            return self.prefixed(prefix, uri, false);
        }
        let bound = self.bindings.iter().rev().find(|one| one.namespace == uri && one.prefix.is_some());
        match bound.and_then(|one| one.prefix.clone()).filter(|prefix| self.lookup(Some(prefix)) == Some(uri)) {
            Some(prefix) => (Some(prefix), false),
            None => self.invented(uri),
        }
    }

    /// Ends the element that was begun last.
    pub fn leave(&mut self) {
        if let Some((first, _)) = self.open.pop() {
            self.bindings.truncate(first);
        }
    }

    /// Of the element that was begun last.
    pub fn namespace(&self) -> Option<&'n str> {
        self.open.last().and_then(|(_, namespace)| *namespace)
    }

    /// Whether the element that was begun last is the outermost.
    pub fn is_outermost(&self) -> bool {
        self.open.len() == 1
    }

    /// What was declared last.
    pub fn declared(&self) -> Option<&Binding<'n>> {
        self.bindings.last()
    }

    /// `prefix` for `uri`, unless the element or another of its attributes may already have the prefix for another.
    fn prefixed(&mut self, prefix: &'n str, uri: &'n str, is_free: bool) -> Prefixed<'n> {
        match self.lookup(Some(prefix)) {
            Some(bound) if bound == uri => (Some(Cow::Borrowed(prefix)), false),
            Some(_) if !is_free => self.invented(uri),
            _ => self.declare(Some(Cow::Borrowed(prefix)), uri),
        }
    }

    /// A prefix that nothing in scope has.
    fn invented(&mut self, uri: &'n str) -> Prefixed<'n> {
        let prefix = (0..=self.bindings.len()).map(|number| format!("ns{number}")).find(|prefix| self.lookup(Some(prefix)).is_none());
        self.declare(prefix.map(Cow::Owned), uri)
    }

    fn declare(&mut self, prefix: Option<Cow<'n, str>>, namespace: &'n str) -> Prefixed<'n> {
        self.bindings.push(Binding { prefix: prefix.clone(), namespace });
        (prefix, true)
    }

    fn lookup(&self, prefix: Option<&str>) -> Option<&'n str> {
        self.bindings.iter().rev().find(|one| one.prefix.as_deref() == prefix).map(|one| one.namespace)
    }
}
