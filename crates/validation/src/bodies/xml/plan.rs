//! How a document is to be read, found at load: from the schema, and from the `xml` objects in it.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::{
    bodies::typed,
    schema::{Shape, Types},
};

/// The number of a [`Node`].
pub type NodeNumber = usize;

/// A schema, as elements are read and written by it.
#[derive(Debug)]
pub struct Plan {
    /// That of the whole is the first.
    nodes: Vec<Node>,
    /// The name of the outermost element, if one is given.
    pub root: Option<Name>,
}

/// A place in the schema.
#[derive(Debug)]
pub struct Node {
    /// What the schema allows.
    pub types: Types,
    /// Those that are declared, in the order of their properties.
    pub members: Vec<Member>,
    /// Members by the local names of elements.
    elements: HashMap<String, Vec<usize>>,
    /// And of attributes.
    attributes: HashMap<String, Vec<usize>>,
    /// The member that is the text of the element.
    pub text: Option<usize>,
    /// How the items of a list are read.
    pub item: NodeNumber,
    /// Their name; if none is given, that of the element around them.
    pub item_name: Option<Name>,
    /// How a member is read that is not declared.
    pub additional: NodeNumber,
}

/// The name of an element or an attribute. Prefixes are not names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Without a prefix.
    pub local: String,
    /// Never empty. Without one, it may have none or that of the element around it.
    pub namespace: Option<String>,
    /// The one that the definition would have it written with.
    pub prefix: Option<String>,
}

/// A member of an object.
#[derive(Debug)]
pub struct Member {
    /// Its name in JSON.
    pub property: String,
    /// Its name in XML; of a list that is not wrapped, that of each item.
    pub name: Name,
    /// What it is in a document.
    pub role: Role,
    /// How it is read and written.
    pub node: NodeNumber,
}

/// What a member is in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An attribute.
    Attribute,
    /// The text of the element.
    Text,
    /// An element; for each item, when the member is a list.
    Element,
    /// An element around the items.
    Wrapped,
}

impl Member {
    /// Whether an element stands around its items.
    pub(super) fn is_wrapped(&self) -> bool {
        self.role == Role::Wrapped
    }
}

impl Plan {
    /// Of a schema.
    ///
    /// # Errors
    /// What `xml` says that cannot be read here.
    pub fn compile(shape: Shape<'_>) -> Result<Self, String> {
        let mut compiler = Compiler::default();
        compiler.number(shape);
        let mut nodes = Vec::new();
        while let Some(shape) = compiler.shapes.get(nodes.len()).copied() {
            nodes.push(compiler.node(shape)?);
        }
        let xml = shape.keyword("xml");
        let root = word(xml, "name").map(|name| name_of(xml, name));
        Ok(Self { nodes, root })
    }

    /// Its nodes, by number.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// # Panics
    /// For a number of another plan.
    pub fn node(&self, number: NodeNumber) -> &Node {
        &self.nodes[number]
    }
}

/// Numbers the places of a schema, each once, so that one that refers to itself comes to an end.
#[derive(Default)]
struct Compiler<'a> {
    shapes: Vec<Shape<'a>>,
    known: HashMap<usize, NodeNumber>,
}

impl<'a> Compiler<'a> {
    fn number(&mut self, shape: Shape<'a>) -> NodeNumber {
        *self.known.entry(shape.identity()).or_insert_with(|| {
            self.shapes.push(shape);
            self.shapes.len() - 1
        })
    }

    fn node(&mut self, shape: Shape<'a>) -> Result<Node, String> {
        let names: BTreeSet<&str> = shape.names().into_iter().collect();
        let members = names.into_iter().map(|name| self.member(name, shape.declared(name))).collect::<Result<Vec<_>, _>>()?;
        let named = |attributes: bool| {
            let mut named: HashMap<String, Vec<usize>> = HashMap::new();
            for (number, member) in members.iter().enumerate().filter(|(_, member)| member.role != Role::Text) {
                if (member.role == Role::Attribute) == attributes {
                    named.entry(member.name.local.clone()).or_default().push(number);
                }
            }
            named
        };
        let items = shape.items();
        Ok(Node {
            types: typed::types(shape),
            elements: named(false),
            attributes: named(true),
            text: members.iter().position(|member| member.role == Role::Text),
            members,
            item: self.number(items),
            item_name: word(items.keyword("xml"), "name").map(|name| name_of(items.keyword("xml"), name)),
            // No schema has a member of this name, so what is found is what additional ones must be.
            additional: self.number(shape.member("\0")),
        })
    }

    fn member(&mut self, property: &str, shape: Shape<'a>) -> Result<Member, String> {
        let types = typed::types(shape);
        let is_list = types.has(Types::ARRAY) && types != Types::ANY;
        let xml = shape.keyword("xml");
        let role = role(xml, is_list).ok_or_else(|| format!("`{property}` has an `xml` object that cannot be read here"))?;
        let named = if is_list && role == Role::Element { shape.items().keyword("xml") } else { xml };
        let name = name_of(named, word(named, "name").unwrap_or(property));
        Ok(Member { property: property.to_owned(), name, role, node: self.number(shape) })
    }
}

/// What a member is. `None` for an object that has no element of its own, and for what is unknown.
fn role(xml: Option<&Value>, is_list: bool) -> Option<Role> {
    let is = |name: &str| xml.and_then(|xml| xml.get(name)).is_some_and(|value| value == true);
    match word(xml, "nodeType") {
        Some("attribute") => Some(Role::Attribute),
        Some("text" | "cdata") => Some(Role::Text),
        Some("element") if is_list => Some(Role::Wrapped),
        Some("element") => Some(Role::Element),
        Some("none") => is_list.then_some(Role::Element),
        Some(_) => None,
        None if is("attribute") => Some(Role::Attribute),
        None if is_list && is("wrapped") => Some(Role::Wrapped),
        None => Some(Role::Element),
    }
}

fn name_of(xml: Option<&Value>, local: &str) -> Name {
    let said = |name| word(xml, name).filter(|text| !text.is_empty()).map(str::to_owned);
    Name { local: local.to_owned(), namespace: said("namespace"), prefix: said("prefix") }
}

fn word<'a>(xml: Option<&'a Value>, name: &str) -> Option<&'a str> {
    xml?.get(name)?.as_str()
}

impl Name {
    /// Whether an element has it. Where no namespace is declared, it may have none or that of the element around it, which is what
    /// `xmlns` there means.
    pub(super) fn is(&self, local: &str, namespace: Option<&str>, around: Option<&str>) -> bool {
        self.local == local && self.is_in(namespace, around)
    }

    fn is_in(&self, namespace: Option<&str>, around: Option<&str>) -> bool {
        match &self.namespace {
            Some(declared) => namespace == Some(declared),
            None => namespace.is_none() || namespace == around,
        }
    }
}

impl Node {
    /// The member that a property is.
    pub fn property(&self, name: &str) -> Option<&Member> {
        let found = self.members.binary_search_by(|member| member.property.as_str().cmp(name));
        found.ok().map(|number| &self.members[number])
    }

    /// The number of the member that an element is.
    pub fn element(&self, local: &str, namespace: Option<&str>, around: Option<&str>) -> Option<usize> {
        self.elements.get(local)?.iter().copied().find(|number| self.members[*number].name.is_in(namespace, around))
    }

    /// The number of the member that an attribute is. One without a prefix has no namespace.
    pub(super) fn attribute(&self, local: &str, namespace: Option<&str>) -> Option<usize> {
        self.attributes.get(local)?.iter().copied().find(|number| self.members[*number].name.is_in(namespace, None))
    }

    /// Whether a member has that name.
    pub(super) fn has_property(&self, name: &str) -> bool {
        self.property(name).is_some()
    }

    /// Whether it is a list where so many elements have its name.
    pub(super) fn is_list(&self, elements: usize) -> bool {
        self.types.has(Types::ARRAY) && (elements != 1 || !self.is_scalar())
    }

    /// Whether a text alone may be it.
    pub(super) fn is_scalar(&self) -> bool {
        typed::is_scalar(self.types)
    }
}
