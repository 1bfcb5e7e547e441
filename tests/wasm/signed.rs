//! Machine code in artifacts: used under a trusted signature, and under no other.

use serde_json::json;
use tollgate_tests::{Gateway, Project, Settings, Upstream};

use super::{guest::built, interceptors::definition};

const USED: &str = "the machine code of module";

fn keys(project: &Project) -> (String, String) {
    let key = openssl::pkey::PKey::generate_ed25519().unwrap();
    let private = project.folder().write("signing.pem", key.private_key_to_pem_pkcs8().unwrap());
    let public = project.folder().write("signing.pub.pem", key.public_key_to_pem().unwrap());
    (private.display().to_string(), public.display().to_string())
}

#[test]
fn only_an_artifact_with_a_trusted_signature_brings_machine_code() {
    let upstream = Upstream::start();
    let module = std::fs::read(built("headers")).unwrap();
    let project = Project::new().definition("api.json", definition(&upstream.url()).to_string()).file("interceptors/headers.wasm", module);
    let (private, public) = keys(&project);
    let signed = std::fs::read(project.build(&["--sign", &private])).unwrap();
    assert_eq!(signed, std::fs::read(project.build(&["--sign", &private])).unwrap(), "the same files give the same bytes");
    for (trusts, uses) in [(true, true), (false, false)] {
        let config = if trusts { json!({ "artifact": { "trusted_keys": [public] } }) } else { json!({}) };
        let artifact = project.folder().write("signed.toll", &signed);
        let gateway = Gateway::start(&artifact, Settings::of(config));
        let answer = gateway.send("GET", "/v1/both", &["X-Name: Ada"], b"");
        assert_eq!((answer.status(), answer.field("x-guest")), (200, Some("headers")));
        assert_eq!(upstream.only().field("x-greeting"), Some("hello, Ada"));
        assert_eq!(gateway.stderr().contains(USED), uses, "{}", gateway.stderr());
        upstream.forget();
    }
}
