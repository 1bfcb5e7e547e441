use openssl::symm::Cipher;
use tollgate_testkit::{
    Folder,
    certificates::{Authority, Identity},
};

use super::*;
use crate::{File, KeyPair};

const DAMAGED: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

fn identity(name: &str) -> Identity {
    Authority::new("root").issue(name, 1, &[])
}

#[test]
fn every_certificate_of_a_file_is_read_and_a_damaged_one_is_named() {
    let (one, other) = (identity("one"), identity("other"));
    let both = [b"# ours\n".to_vec(), one.pem(), one.key_pem(), b"# theirs\n".to_vec(), other.pem()].concat();
    assert_eq!(certificates(&both).unwrap(), [one.certificate.clone(), other.certificate]);
    let wrong = certificates(&[&one.pem(), DAMAGED].concat()).unwrap_err();
    let line = 1 + one.pem().iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(wrong.line() as usize, line);
    assert_eq!(wrong.to_string(), format!("holds a damaged certificate: block 2 (CERTIFICATE, line {line}) cannot be read"));
    assert_eq!(certificates(&one.key_pem()), Err(Unusable::Nothing(Kind::Certificate)));
    assert_eq!(certificates(b""), Err(Unusable::Nothing(Kind::Certificate)));
}

#[test]
fn a_private_key_is_one_and_has_no_passphrase() {
    let one = identity("one");
    let pem = one.key_pem();
    assert!(private_key(&[one.pem(), pem.clone()].concat()).unwrap().public_eq(&one.key));
    assert!(private_key(&one.key.ec_key().unwrap().private_key_to_pem().unwrap()).unwrap().public_eq(&one.key));
    assert_eq!(private_key(&[pem.clone(), pem].concat()).unwrap_err(), Unusable::Several(2));
    assert_eq!(private_key(&one.pem()).unwrap_err(), Unusable::Nothing(Kind::PrivateKey));
    let sealed = [
        one.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret").unwrap(),
        one.key.ec_key().unwrap().private_key_to_pem_passphrase(Cipher::aes_256_cbc(), b"secret").unwrap(),
    ];
    for pem in sealed {
        assert_eq!(private_key(&pem).unwrap_err(), Unusable::Locked { line: 1 });
    }
}

#[test]
fn public_keys_are_read_all() {
    let (one, other) = (identity("one").key, identity("other").key);
    let pem = [one.public_key_to_pem().unwrap(), b"a comment\n".to_vec(), other.public_key_to_pem().unwrap()].concat();
    let keys = public_keys(&pem).unwrap();
    assert!(keys.len() == 2 && keys[0].public_eq(&one) && keys[1].public_eq(&other));
    assert_eq!(public_keys(&[&pem, &b"a comment\n"[..]].concat()).err(), Some(Unusable::Trailing { line: 10 }));
}

#[test]
fn a_revocation_list_is_der_or_pem_and_has_nothing_behind_it() {
    let der = Authority::new("root").revoke(&[7], 100);
    let pem = X509Crl::from_der(&der).unwrap().to_pem().unwrap();
    let numbers = |content: &[u8]| revocation_lists(content).map(|lists| lists.len());
    assert_eq!(numbers(&der), Ok(1));
    assert_eq!(numbers(&[pem.clone(), pem].concat()), Ok(2));
    for wrong in [[&der[..], &der[..]].concat(), [&der[..], &b"\0"[..]].concat(), der[..der.len() - 1].to_vec(), b"0".to_vec()] {
        assert_eq!(numbers(&wrong), Err(Unusable::Der(Kind::RevocationList)));
    }
    assert_eq!(numbers(b""), Err(Unusable::Nothing(Kind::RevocationList)));
}

#[test]
fn a_certificate_in_der_has_nothing_behind_it() {
    let one = identity("one").certificate;
    let der = one.to_der().unwrap();
    assert_eq!(certificate_from_der(&der).unwrap(), one);
    for wrong in [[&der[..], &b"\0"[..]].concat(), der[..der.len() - 1].to_vec(), vec![0x30, 0x80, 0, 0], vec![0x30, 0], vec![]] {
        assert_eq!(certificate_from_der(&wrong), Err(Unusable::Der(Kind::Certificate)), "{wrong:?}");
    }
}

#[test]
fn a_file_is_named_with_what_is_wrong() {
    let folder = Folder::new();
    let missing = folder.join("missing.pem");
    let said = File::read(&missing).unwrap_err().to_string();
    assert!(said.starts_with(&format!("{} cannot be read: ", missing.display())), "{said}");
    let empty = folder.write("empty.pem", "# nothing here\n");
    let said = File::read(&empty).unwrap().certificates().unwrap_err().to_string();
    assert_eq!(said, format!("{} holds no certificate in PEM", empty.display()));
}

#[test]
fn a_key_is_that_of_the_first_certificate() {
    let folder = Folder::new();
    let (one, other) = (identity("one"), identity("other"));
    let chain = folder.write("chain.pem", [one.pem(), other.pem(), one.key_pem()].concat());
    let pair = KeyPair::read(&chain, &chain).unwrap();
    assert!(pair.leaf == one.certificate && pair.intermediates == [other.certificate.clone()] && pair.key.public_eq(&one.key));
    let key = folder.write("other.key", other.key_pem());
    let said = KeyPair::read(&chain, &key).unwrap_err().to_string();
    assert_eq!(said, format!("{} is not the key of the first certificate in {}", key.display(), chain.display()));
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    assert!(matches!(File::read(std::path::Path::new("/dev/zero")).unwrap_err().why, crate::FileFault::Content(Unusable::TooLong(_))));
}
