//! Client certificates of every form, each with its verdict, judged in the handshake and after it, over TLS 1.2 and 1.3.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use openssl::{
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode, SslVersion},
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
    },
};
use serde_json::json;
use tollgate_tests::{
    Call, Folder, Gateway, PATIENCE, Resuming, Settings, Upstream,
    certificates::{Authority, Identity},
    forms::{DAY, DNS, EMAIL, Form, URI, alternative_names, extension, name, name_constraint},
    hello::HANDSHAKE,
    ports::free_port,
};

use super::world::{definition, world};

/// What a client shows, and whether it must be let in.
struct Case {
    name: &'static str,
    accept: bool,
    leaf: Identity,
    chain: Vec<X509>,
}

struct World {
    root: Identity,
    gateway: Gateway,
    upstream: Upstream,
    _folder: Folder,
    ports: [u16; 2],
}

/// Two listeners that trust one root and whatever else is given.
fn two_listeners(more: &[&X509]) -> World {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let root = Form::authority("root", None).self_signed();
    let (certificate, key) = Authority::new("server").issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let anchors = [&[&root.certificate], more].concat();
    let ca = folder.write("ca.pem", anchors.iter().flat_map(|anchor| anchor.to_pem().unwrap()).collect::<Vec<u8>>());
    let ports = [free_port(), free_port()];
    let listener = |(port, mode): (&u16, &str)| {
        let tls = json!({ "certificate": certificate, "key": key, "client_auth": { "mode": mode, "ca": ca } });
        json!({ "address": format!("127.0.0.1:{port}"), "tls": tls })
    };
    let listeners: Vec<_> = ports.iter().zip(["required", "optional"]).map(listener).collect();
    let settings = Settings::of(json!({ "chain": [{ "mtls": {} }], "listeners": listeners }));
    let gateway = Gateway::serving(&definition(&upstream.url(), "mandatory"), settings);
    World { root, gateway, upstream, _folder: folder, ports }
}

impl World {
    fn judge(&self, case: &Case) {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            for (port, optional) in self.ports.iter().zip([false, true]) {
                let before = self.upstream.count();
                let client = Resuming::showing(&case.leaf.certificate, &case.chain, &case.leaf.key, version);
                let call = Call { port: *port, name: Some("localhost"), host: "localhost", path: "/a/x" };
                let status = client.call(call).status;
                let told = format!("{}, {version:?}, optional {optional}: {status:?}", case.name);
                assert_eq!((status == Some(200), self.upstream.count() - before), (case.accept, usize::from(case.accept)), "{told}");
                // After the handshake a refusal has a status; in it, it has one only when the store finds nothing wrong.
                assert!(case.accept || status == Some(401) || (!optional && status.is_none()), "{told}");
            }
        }
    }
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

fn curve(nid: Nid) -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()).unwrap()
}

/// The same certificate with one bit of its signature changed.
fn tampered(identity: &Identity) -> Identity {
    let mut bytes = identity.certificate.to_der().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    Identity { certificate: X509::from_der(&bytes).unwrap(), key: identity.key.clone() }
}

/// What is wrong, or unusual, with the client's own certificate.
fn of_the_leaf(root: &Identity) -> Vec<Case> {
    let usage = |usage: &mut KeyUsage| Form::client("x").with(usage.critical().build().unwrap());
    let purpose = |purpose: &mut ExtendedKeyUsage| Form::plain("x").with(purpose.build().unwrap());
    let multiple = {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", &"x".repeat(64)).unwrap();
        (0..40).for_each(|i| name.append_entry_by_text("OU", &format!("{i:064}")).unwrap());
        name.build()
    };
    let spiffe: &[(u8, &[u8])] = &[(URI, b"spiffe://example/shop")];
    let forms = [
        ("good", true, Form::client("x")),
        ("without any extension", true, Form::plain("x")),
        ("with an RSA key of 2048 bits", true, Form::client("x").key(rsa(2048))),
        ("with a key on P-384, signed with SHA-384", true, Form::client("x").key(curve(Nid::SECP384R1)).digest(MessageDigest::sha384())),
        ("with an Ed25519 key", true, Form::client("x").key(PKey::generate_ed25519().unwrap())),
        ("good for a minute more", true, Form::client("x").valid(-DAY, 60)),
        ("expired a minute ago", false, Form::client("x").valid(-DAY, -60)),
        ("expired years ago", false, Form::client("x").valid(-900 * DAY, -800 * DAY)),
        ("not valid before a minute from now", false, Form::client("x").valid(60, DAY)),
        ("that ends before it begins", false, Form::client("x").valid(DAY, -DAY)),
        ("for servers and clients", true, purpose(ExtendedKeyUsage::new().server_auth().client_auth())),
        ("for servers", false, purpose(ExtendedKeyUsage::new().server_auth())),
        ("for signing code", false, purpose(ExtendedKeyUsage::new().critical().code_signing())),
        ("for any purpose, which is none that was asked for", false, purpose(ExtendedKeyUsage::new().other("2.5.29.37.0"))),
        ("whose key may sign", true, usage(KeyUsage::new().digital_signature())),
        ("whose key may encipher keys only", false, usage(KeyUsage::new().key_encipherment())),
        ("whose key may sign certificates only", false, usage(KeyUsage::new().key_cert_sign())),
        ("that is an authority's", false, Form::authority("x", None)),
        ("that says that it is no authority's", true, Form::client("x").with(BasicConstraints::new().critical().build().unwrap())),
        ("with an RSA key of 1024 bits", false, Form::client("x").key(rsa(1024))),
        ("signed with SHA-1", false, Form::client("x").digest(MessageDigest::sha1())),
        ("with an extension that nobody knows", true, Form::client("x").with(extension("1.3.6.1.4.1.55555.1", false, &[5, 0]))),
        ("with a critical extension that nobody knows", false, Form::client("x").with(extension("1.3.6.1.4.1.55555.1", true, &[5, 0]))),
        ("without a subject", false, Form::client("x").subject(name(&[]))),
        ("without a subject, with names", false, Form::client("x").subject(name(&[])).with(alternative_names(false, spiffe))),
        ("without a subject, with critical names", true, Form::client("x").subject(name(&[])).with(alternative_names(true, spiffe))),
        ("for a wildcard", true, Form::client("x").with(alternative_names(false, &[(DNS, b"*.example")]))),
        ("with a NUL in its subject", false, Form::client("x").subject(name(&[("CN", "x\0y")]))),
        ("with a NUL in a name", false, Form::client("x").with(alternative_names(false, &[(DNS, b"x.example\0.evil")]))),
        ("with names that are not text", false, Form::client("x").with(alternative_names(false, &[(EMAIL, b"\xff\xfe")]))),
        ("with a long subject", true, Form::client("x").subject(multiple)),
    ];
    forms.map(|(name, accept, form)| Case { name, accept, leaf: form.signed_by(root), chain: Vec::new() }).into()
}

/// What is wrong, or unusual, with who signed it.
fn of_the_chain(root: &Identity) -> Vec<Case> {
    let by = |name: &'static str, accept: bool, issuer: &Identity, more: &[&Identity]| {
        let chain = [&[issuer], more].concat().iter().map(|identity| identity.certificate.clone()).collect();
        Case { name, accept, leaf: Form::client("x").signed_by(issuer), chain }
    };
    let between = |form: Form| form.signed_by(root);
    let named = |constraint, names: &'static [(u8, &'static [u8])]| {
        let issuer = between(Form::authority("constrained", None).with(constraint));
        let leaf = Form::client("x").with(alternative_names(false, names)).signed_by(&issuer);
        (leaf, vec![issuer.certificate])
    };
    let constrained = |name, accept, (leaf, chain)| Case { name, accept, leaf, chain };
    let good = between(Form::authority("between", None));
    let last = between(Form::authority("last", Some(0)));
    let below = Form::authority("below", None).signed_by(&last);
    let (leaf, other) = (Form::client("leaf").signed_by(root), Form::authority("root", None).self_signed());
    let digital = || KeyUsage::new().critical().digital_signature().build().unwrap();
    let may_not_sign = Form::plain("x").with(BasicConstraints::new().critical().ca().build().unwrap()).with(digital());
    let deep = (0..9).fold(vec![good.clone()], |mut chain, i| {
        chain.push(Form::authority(&format!("deep {i}"), None).signed_by(&chain[i]));
        chain
    });
    let deep: Vec<&Identity> = deep.iter().rev().collect();
    vec![
        by("through one authority", true, &good, &[]),
        Case { chain: Vec::new(), ..by("through an authority that is not shown", false, &good, &[]) },
        by("through an authority that has expired", false, &between(Form::authority("old", None).valid(-DAY, -60)), &[]),
        by("through an authority that is not valid yet", false, &between(Form::authority("young", None).valid(60, DAY)), &[]),
        by("through another client", false, &leaf, &[]),
        by("through one that does not say what it is", false, &between(Form::plain("plain")), &[]),
        by("through an authority that may not sign", false, &between(may_not_sign), &[]),
        by("through the last authority that may be", true, &last, &[]),
        by("through one authority more than there may be", false, &below, &[&last]),
        by("through more authorities than the listener follows", false, deep[0], &deep[1..]),
        by("through an authority with a weak key", false, &between(Form::authority("weak", None).key(rsa(1024))), &[]),
        by("through an authority signed with SHA-1", false, &between(Form::authority("sha1", None).digest(MessageDigest::sha1())), &[]),
        by("through an authority with a broken signature", false, &tampered(&good), &[]),
        constrained("with a name that is permitted", true, named(name_constraint(0xa0, DNS, b"example"), &[(DNS, b"a.example")])),
        constrained("with a name that is not permitted", false, named(name_constraint(0xa0, DNS, b"example"), &[(DNS, b"a.evil")])),
        constrained("with a name that is excluded", false, named(name_constraint(0xa1, DNS, b"example"), &[(DNS, b"a.example")])),
        constrained(
            "with a second name that is excluded",
            false,
            named(name_constraint(0xa1, DNS, b"evil"), &[(DNS, b"a.example"), (DNS, b"evil")]),
        ),
        constrained("with an address that is not permitted", false, named(name_constraint(0xa0, EMAIL, b"example"), &[(EMAIL, b"a@evil")])),
        Case { name: "with a broken signature", accept: false, leaf: tampered(&leaf), chain: Vec::new() },
        Case { name: "of its own", accept: false, leaf: Form::client("x").self_signed(), chain: Vec::new() },
        by("of another authority of the same name", false, &other, &[]),
        Case {
            name: "of nobody, with the root behind it",
            accept: false,
            leaf: Form::client("x").self_signed(),
            chain: vec![root.certificate.clone()],
        },
    ]
}

#[test]
fn t02_every_form_of_certificate_gets_its_verdict() {
    // As `openssl req -x509` makes them, and partners send them: an authority by its own word, trusted by name.
    let pinned = Form::authority("partner", None).self_signed();
    let world = two_listeners(&[&pinned.certificate]);
    let itself = Case { name: "that is itself among the trusted ones", accept: true, leaf: pinned, chain: Vec::new() };
    let cases: Vec<Case> = of_the_leaf(&world.root).into_iter().chain(of_the_chain(&world.root)).chain([itself]).collect();
    let accepted = cases.iter().filter(|case| case.accept).count();
    println!("{} certificates, {accepted} of them good", cases.len());
    cases.iter().for_each(|case| world.judge(case));
    assert_eq!(world.gateway.get("/a/x").status(), 401);
}

/// Breaks the proof that the client has the key, which is in the clear before TLS 1.3.
struct Forging(TcpStream);

impl Write for Forging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const CERTIFICATE_VERIFY: u8 = 15;
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while at + 5 < bytes.len() {
            let length = usize::from(u16::from_be_bytes([bytes[at + 3], bytes[at + 4]]));
            if bytes[at] == HANDSHAKE && bytes[at + 5] == CERTIFICATE_VERIFY {
                bytes[at + 4 + length] ^= 1;
            }
            at += 5 + length;
        }
        self.0.write_all(&bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Read for Forging {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

#[test]
fn t02_a_certificate_without_the_proof_of_its_key_is_nobodys() {
    let world = two_listeners(&[]);
    let shop = Form::client("shop").signed_by(&world.root);
    for port in world.ports {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        builder.set_certificate(&shop.certificate).unwrap();
        builder.set_private_key(&shop.key).unwrap();
        let connector = builder.build();
        let tcp = || {
            let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            tcp
        };
        let ssl = || connector.configure().unwrap().into_ssl("localhost").unwrap();
        let mut honest = SslStream::new(ssl(), tcp()).unwrap();
        honest.connect().unwrap();
        let mut forging = SslStream::new(ssl(), Forging(tcp())).unwrap();
        let error = forging.connect().unwrap_err().to_string();
        assert!(error.contains("decrypt error"), "{error}");
    }
}

#[test]
fn t02_rules_read_a_name_to_its_end() {
    let rules = json!({ "allow": { "names": { "dns": ["bank.example", "*.banks.example"] } } });
    let world = world("mandatory", json!({}), rules);
    let named = |names: &[(u8, &[u8])]| Form::client("x").with(alternative_names(false, names)).signed_by(&world.authority.0);
    let ask = |names: &[(u8, &[u8])]| world.both(Some(&named(names)));
    let known = (200.into(), serde_json::Value::Null);
    let unknown = (401.into(), "mtls.not_allowed".into());
    for good in [&b"bank.example"[..], b"BANK.example", b"one.banks.example"] {
        assert_eq!(ask(&[(DNS, good)]), known, "{good:?}");
    }
    for bad in [&b"bank.example\0.evil"[..], b"bank.example\r\n", b"b\xc3\xa4nk.example"] {
        assert_eq!(ask(&[(DNS, bad)]), (401.into(), "mtls.untrusted".into()), "{bad:?}");
    }
    for bad in [&b"bank.example "[..], b"*.banks.example", b".banks.example", b"a.one.banks.example", b""] {
        assert_eq!(ask(&[(DNS, bad)]), unknown, "{bad:?}");
    }
    assert_eq!(ask(&[(URI, b"bank.example"), (EMAIL, b"bank.example")]), unknown, "a name of another kind");
    assert_eq!(ask(&[(DNS, b"evil"), (DNS, b"bank.example")]), known, "one name of several is enough");
}
