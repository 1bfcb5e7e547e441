use openssl::x509::X509Name;

use super::{distinguished_name, escape};

#[test]
fn t11_a_distinguished_name_cannot_be_forged_by_its_values() {
    assert_eq!(escape("a,CN=admin"), "a\\,CN\\=admin");
    assert_eq!(escape(" x "), "\\ x\\ ");
    assert_eq!(escape("#x"), "\\#x");
    assert_eq!(escape("a\0b"), "a\\00b");
}

/// `CN` or `O` with one letter.
fn attribute(kind: u8, letter: u8) -> [u8; 10] {
    [0x30, 8, 0x06, 3, 0x55, 0x04, kind, 0x0c, 1, letter]
}

/// A name of components, each of one or more attributes.
fn dn(components: &[&[[u8; 10]]]) -> String {
    let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let set = |attributes: &&[[u8; 10]]| element(0x31, &attributes.concat());
    let name = element(0x30, &components.iter().flat_map(set).collect::<Vec<u8>>());
    distinguished_name(&X509Name::from_der(&name).unwrap()).unwrap()
}

#[test]
fn t11_attributes_of_one_component_are_told_from_components() {
    let (common, organization) = (attribute(3, b'a'), attribute(10, b'b'));
    assert_eq!(dn(&[&[common], &[organization]]), "O=b,CN=a");
    assert_eq!(dn(&[&[common, organization]]), "CN=a+O=b");
    assert_eq!(dn(&[&[attribute(3, b'+')], &[common, organization]]), "CN=a+O=b,CN=\\+");
}
