//! XML by the `xml` objects of a schema.

use tollgate_validation::xml::{Member, Node, NodeNumber, Plan, Role};

use crate::{
    Broken, Options, Why,
    flat::{Flat, Value, What},
    names::{is_name, is_namespace},
    scope::{Binding, Name, Scope},
    text::Text,
};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
const NIL: Name<'static> = Name { local: "nil", namespace: Some("http://www.w3.org/2001/XMLSchema-instance"), prefix: Some("xsi") };

/// Attributes of one element.
const ATTRIBUTES: usize = 256;
/// How a carriage return is written in a text.
const CARRIAGE: &str = "&#xd;";

/// # Errors
/// Why there is no document for it.
pub(crate) fn write(value: &Flat<'_>, options: &Options, plan: &Plan, expected: usize) -> Result<Vec<u8>, Broken> {
    let mut writer = Writer { plan, options, out: Text::new(options.limits.output, expected + DECLARATION.len()), scope: Scope::default() };
    writer.out.raw(DECLARATION)?;
    let root = plan.root.as_ref().map_or(Name::plain(&options.root), Name::from);
    writer.element(0, root, value.root())?;
    Ok(writer.out.finish())
}

struct Writer<'p> {
    plan: &'p Plan,
    options: &'p Options,
    out: Text,
    scope: Scope<'p>,
}

/// What a member of an object becomes.
enum Place<'p> {
    Attribute(Name<'p>),
    Text,
    /// An element; for each item, unless the list has one of its own.
    Element(NodeNumber, Name<'p>, bool),
}

impl<'p> Writer<'p> {
    /// As deep as the value, whose depth is limited.
    fn element(&mut self, number: NodeNumber, name: Name<'p>, value: Value<'p, 'p>) -> Result<(), Broken> {
        let plan = self.plan;
        let node = plan.node(number);
        let (prefix, is_declared) = self.scope.enter(name);
        let prefix = prefix.as_deref();
        self.out.raw("<")?;
        self.qualified(prefix, name.local)?;
        self.declare(is_declared)?;
        match value.what() {
            What::Null => {
                self.attribute(NIL, "true")?;
                self.out.raw("/>")?;
            }
            What::Text("") => self.out.raw("/>")?,
            What::Text(text) => {
                self.out.raw(">")?;
                self.out.content(text, CARRIAGE)?;
                self.end(prefix, name.local)?;
            }
            What::Array => {
                self.out.raw(">")?;
                let item = node.item_name.as_ref().map(Name::from);
                let own = if self.scope.is_outermost() { Name::plain(&self.options.item) } else { name };
                for (index, part) in value.parts().enumerate() {
                    self.element(node.item, item.unwrap_or(own), part).map_err(|broken| broken.below(index))?;
                }
                self.end(prefix, name.local)?;
            }
            What::Object => {
                self.members(node, value)?;
                self.end(prefix, name.local)?;
            }
        }
        self.scope.leave();
        Ok(())
    }

    /// What is in the tag, its end, and what is in the element.
    fn members(&mut self, node: &'p Node, value: Value<'p, 'p>) -> Result<(), Broken> {
        let mut attributes: Vec<(Option<&str>, &str)> = Vec::new();
        let mut inner = Vec::new();
        for part in value.parts() {
            let at = |broken: Broken| broken.below(part.name());
            match self.place(node, part.name()).map_err(|why| at(why.into()))? {
                Place::Attribute(name) => {
                    let Some(text) = scalar(part).map_err(|why| at(why.into()))? else { continue };
                    let key = (name.namespace, name.local);
                    let wrong = if attributes.contains(&key) { Some(Why::Clash) } else { None };
                    let wrong = wrong.or((attributes.len() >= ATTRIBUTES).then_some(Why::Attributes));
                    wrong.map_or(Ok(()), |why| Err(at(why.into())))?;
                    attributes.push(key);
                    self.attribute(name, text).map_err(|why| at(why.into()))?;
                }
                place => inner.push((place, part)),
            }
        }
        self.out.raw(">")?;
        for (place, part) in inner {
            let written = match place {
                Place::Element(number, name, is_wrapped) => self.member(number, name, is_wrapped, part),
                _ => self.content(part).map_err(Broken::from),
            };
            written.map_err(|broken| broken.below(part.name()))?;
        }
        Ok(())
    }

    fn member(&mut self, number: NodeNumber, name: Name<'p>, is_wrapped: bool, value: Value<'p, 'p>) -> Result<(), Broken> {
        if is_wrapped || !value.is_array() {
            return self.element(number, name, value);
        }
        let item = self.plan.node(number).item;
        for (index, part) in value.parts().enumerate() {
            self.element(item, name, part).map_err(|broken| broken.below(index))?;
        }
        Ok(())
    }

    /// What a property becomes, declared or not.
    fn place(&self, node: &'p Node, property: &'p str) -> Result<Place<'p>, Why> {
        if let Some(member) = node.property(property) {
            return Ok(declared(member));
        }
        if property == "#text" {
            return if node.text.is_some() { Err(Why::Clash) } else { Ok(Place::Text) };
        }
        if let Some(name) = property.strip_prefix('@') {
            let is_known = is_name(name) && name != "xmlns";
            return is_known.then_some(Place::Attribute(Name::plain(name))).ok_or(Why::Name);
        }
        let (namespace, local) = match property.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')) {
            Some((uri, local)) => (Some(uri).filter(|uri| !uri.is_empty()), local),
            None => (None, property),
        };
        if !is_name(local) || namespace.is_some_and(|uri| !is_namespace(uri)) {
            return Err(Why::Name);
        }
        let around = self.scope.namespace();
        if node.element(local, namespace.or(around), around).is_some() {
            return Err(Why::Clash);
        }
        Ok(Place::Element(node.additional, Name { local, namespace, prefix: None }, false))
    }

    fn attribute(&mut self, name: Name<'p>, text: &str) -> Result<(), Why> {
        let (prefix, is_declared) = self.scope.attribute(name);
        self.declare(is_declared)?;
        self.out.raw(" ")?;
        self.qualified(prefix.as_deref(), name.local)?;
        self.out.raw("=\"")?;
        self.out.attribute(text)?;
        self.out.raw("\"")
    }

    fn content(&mut self, value: Value<'p, 'p>) -> Result<(), Why> {
        scalar(value)?.map_or(Ok(()), |text| self.out.content(text, CARRIAGE))
    }

    fn qualified(&mut self, prefix: Option<&str>, local: &str) -> Result<(), Why> {
        if let Some(prefix) = prefix {
            self.out.raw(prefix)?;
            self.out.raw(":")?;
        }
        self.out.raw(local)
    }

    fn declare(&mut self, is_declared: bool) -> Result<(), Why> {
        let Some(Binding { prefix, namespace }) = self.scope.declared().filter(|_| is_declared) else { return Ok(()) };
        self.out.raw(" xmlns")?;
        if let Some(prefix) = prefix {
            self.out.raw(":")?;
            self.out.raw(prefix)?;
        }
        self.out.raw("=\"")?;
        self.out.attribute(namespace)?;
        self.out.raw("\"")
    }

    fn end(&mut self, prefix: Option<&str>, local: &str) -> Result<(), Why> {
        self.out.raw("</")?;
        self.qualified(prefix, local)?;
        self.out.raw(">")
    }
}

fn declared(member: &Member) -> Place<'_> {
    let name = Name::from(&member.name);
    match member.role {
        Role::Attribute => Place::Attribute(name),
        Role::Text => Place::Text,
        Role::Element => Place::Element(member.node, name, false),
        Role::Wrapped => Place::Element(member.node, name, true),
    }
}

/// The text of an attribute or of an element. `null` has none and is left out.
fn scalar<'p>(value: Value<'p, 'p>) -> Result<Option<&'p str>, Why> {
    match value.what() {
        What::Null => Ok(None),
        What::Text(text) => Ok(Some(text)),
        What::Array | What::Object => Err(Why::Structured),
    }
}
