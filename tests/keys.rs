//! API keys and passwords, as the command line makes them and the gateway accepts them.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Settings, Upstream,
    certificates::{Authority, connector},
    command::binary,
    project::{artifact, open_api, operation},
    token::Issuer,
    tollgate,
};

/// An API that wants one of these schemes, and `jwt` of nobody.
fn definition(endpoint: &str, scheme: Value) -> Value {
    let mut definition = open_api("/a", endpoint, json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    definition["components"] = json!({ "securitySchemes": { "Key": scheme } });
    definition["security"] = json!([{ "Key": [] }]);
    definition
}

fn gateway(upstream: &Upstream, scheme: Value, filter: Value) -> Gateway {
    let folder = Folder::new();
    let built = artifact(&folder, &definition(&upstream.url(), scheme));
    Gateway::start_in(folder, &built, Settings::of(json!({ "chain": [filter] })))
}

/// What `tollgate password` makes of a line.
fn password(line: &str) -> (i32, String) {
    let mut child =
        Command::new(binary()).arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn basic(name: &str, password: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[test]
fn a_password_that_was_hashed_lets_its_user_in_and_goes_no_further() {
    let (code, hash) = password("pä:ss wörd hunter2\n");
    assert_eq!(code, 0);
    assert_eq!(password("\n").0, 1);
    let upstream = Upstream::start();
    let scheme = json!({ "type": "http", "scheme": "basic" });
    let gateway = gateway(&upstream, scheme, json!({ "basic_auth": { "users": { "alice": { "hash": hash } } } }));
    let ask = |fields: &[&str]| gateway.send("GET", "/a/x", fields, b"");
    for _ in 0..2 {
        assert_eq!(ask(&[&basic("alice", "pä:ss wörd hunter2")]).status(), 200);
    }
    assert!(upstream.requests().iter().all(|request| request.message.field("authorization").is_none()));
    for (name, password) in [("alice", "pä:ss wörd"), ("Alice", "pä:ss wörd hunter2"), ("eve", "x"), ("alice", "")] {
        let answer = ask(&[&basic(name, password)]);
        assert_eq!((answer.status(), answer.field("www-authenticate")), (401, Some("Basic realm=\"api\", charset=\"UTF-8\"")));
    }
    assert_eq!(ask(&[]).status(), 401);
    assert_eq!(upstream.count(), 2);
    assert_eq!(gateway.metric("tollgate_basic_auth_hashes_total"), Some(5.0));
    let log = gateway.log_of(7);
    assert!(log.iter().any(|line| line["reason"] == "basic_auth.wrong") && !gateway.stderr().contains("hunter2"), "{log:?}");
}

#[test]
fn many_who_guess_at_once_are_held_off_and_who_is_known_is_served_meanwhile() {
    let (_, hash) = password("right");
    let upstream = Upstream::start();
    let scheme = json!({ "type": "http", "scheme": "basic" });
    let gateway = gateway(&upstream, scheme, json!({ "basic_auth": { "users": { "alice": { "hash": hash } } } }));
    let right = basic("alice", "right");
    assert_eq!(gateway.send("GET", "/a/x", &[&right], b"").status(), 200);
    let port = gateway.ports.plain;
    let guesses: Vec<_> = (0..200)
        .map(|number| {
            std::thread::spawn(move || {
                let field = basic("alice", &format!("wrong-{number}"));
                let answer = tollgate_tests::send(port, "GET", "/a/x", &[&field], b"");
                (answer.status(), answer.field("retry-after").map(str::to_owned))
            })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(gateway.send("GET", "/a/x", &[&right], b"").status(), 200);
    }
    for guess in guesses {
        let (status, retry) = guess.join().unwrap();
        assert!(status == 401 || (status == 503 && retry.is_some()), "{status}");
    }
}

#[test]
fn an_opaque_key_that_was_made_is_accepted_where_the_definition_says_and_goes_no_further() {
    let made: Value =
        serde_json::from_str(&tollgate(["key", "new", "--id", "shop-1", "--api", "Test", "--format", "json"]).ok().stdout).unwrap();
    let key = made["key"].as_str().unwrap();
    let text = tollgate(["key", "new", "--id", "shop-1", "--api", "*"]).ok().stdout;
    assert!(text.lines().next().unwrap().starts_with("tg_") && !text.contains(key));
    for place in ["header", "query", "cookie"] {
        let upstream = Upstream::start();
        let scheme = json!({ "type": "apiKey", "in": place, "name": "k" });
        let mut definition = definition(&upstream.url(), scheme);
        definition["info"]["title"] = "Test".into();
        let folder = Folder::new();
        let built = artifact(&folder, &definition);
        let settings = Settings::of(json!({ "chain": [{ "api_key": { "keys": [made["entry"]] } }] }));
        let gateway = Gateway::start_in(folder, &built, settings);
        let ask = |key: &str| match place {
            "header" => gateway.send("GET", "/a/x?a=%2f", &[&format!("k: {key}")], b""),
            "query" => gateway.get(&format!("/a/x?k={key}&a=%2f")),
            _ => gateway.send("GET", "/a/x?a=%2f", &[&format!("Cookie: k={key}; b=1")], b""),
        };
        assert_eq!(ask(key).status(), 200, "{place}");
        assert_eq!(ask(&key[..key.len() - 1]).status(), 401, "{place}");
        let arrived = upstream.requests();
        assert_eq!(arrived.len(), 1);
        assert!(
            arrived[0].message.target().ends_with("/x?a=%2f") && arrived[0].message.field("k").is_none(),
            "{}",
            arrived[0].message.target()
        );
        assert_eq!(arrived[0].message.field("cookie"), if place == "cookie" { Some("b=1") } else { None });
    }
}

#[test]
fn what_other_alternatives_ask_for_goes_no_further_than_what_let_the_caller_in() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut definition = definition(&upstream.url(), json!({ "type": "http", "scheme": "bearer" }));
    for place in ["header", "query", "cookie"] {
        definition["components"]["securitySchemes"][place] = json!({ "type": "apiKey", "in": place, "name": "k" });
    }
    definition["security"] = json!([{ "Key": [] }, { "header": [] }, { "query": [] }, { "cookie": [] }]);
    let made: Value =
        serde_json::from_slice(tollgate(["key", "new", "--id", "a", "--api", "*", "--format", "json"]).ok().stdout.as_bytes()).unwrap();
    let key = made["key"].as_str().unwrap();
    let jwt = json!({ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } });
    let built = artifact(&folder, &definition);
    let gateway = Gateway::start_in(folder, &built, Settings::of(json!({ "chain": [jwt, { "api_key": { "keys": [made["entry"]] } }] })));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({})));
    // Who is let in by the token shows three keys besides, and who is let in by a key shows something that is no token.
    for (authorization, in_header) in [(&*token, "never checked"), ("Authorization: Digest x", key)] {
        upstream.forget();
        let fields = [authorization, &format!("k: {in_header}"), "Cookie: a=1; k=never checked; b=2"];
        assert_eq!(gateway.send("GET", "/a/x?a=%2f&k=never-checked&b", &fields, b"").status(), 200);
        let arrived = upstream.only();
        assert!(arrived.target().ends_with("/x?a=%2f&b"), "{}", arrived.target());
        assert_eq!([arrived.field("authorization"), arrived.field("k"), arrived.field("cookie")], [None, None, Some("a=1; b=2")]);
    }
}

#[test]
fn an_opaque_key_that_leaked_is_revoked_by_itself_or_by_its_name() {
    let made = |id: &str| -> Value {
        serde_json::from_str(&tollgate(["key", "new", "--id", id, "--api", "*", "--format", "json"]).ok().stdout).unwrap()
    };
    let (one, two, three) = (made("one"), made("two"), made("three"));
    let (upstream, folder) = (Upstream::start(), Folder::new());
    let built = artifact(&folder, &definition(&upstream.url(), json!({ "type": "apiKey", "in": "header", "name": "k" })));
    let keys = json!({ "api_key": { "keys": [one["entry"], two["entry"], three["entry"]] } });
    let stores = json!({ "revocations": { "journal": folder.join("journal") } });
    let gateway = Gateway::start_in(folder, &built, Settings::of(json!({ "chain": [keys, "revocation"], "stores": stores })));
    let ask =
        || [&one, &two, &three].map(|made| gateway.send("GET", "/a/x", &[&format!("k: {}", made["key"].as_str().unwrap())], b"").status());
    assert_eq!(ask(), [200; 3]);
    let revoked = json!([{ "token": one["key"] }, { "jti": "two" }]).to_string();
    let receipt = tollgate_tests::send(gateway.ports.admin, "POST", "/revocations", &[], revoked.as_bytes());
    assert_eq!(receipt.status(), 200, "{}", receipt.text());
    assert_eq!(ask(), [401, 401, 200]);
}

#[test]
fn p34_no_secret_is_in_a_log_a_series_or_an_answer() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut definition = definition(&upstream.url(), json!({ "type": "http", "scheme": "bearer" }));
    definition["components"]["securitySchemes"]["User"] = json!({ "type": "http", "scheme": "basic" });
    for place in ["header", "query", "cookie"] {
        definition["components"]["securitySchemes"][place] = json!({ "type": "apiKey", "in": place, "name": "k" });
    }
    definition["security"] = json!([{ "Key": [] }, { "User": [] }, { "header": [] }, { "query": [] }, { "cookie": [] }]);
    let (_, hash) = password("the-password");
    let key = "tg_the-key-of-a-customer";
    let digest: String = openssl::sha::sha256(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let chain = json!([
        { "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } },
        { "basic_auth": { "users": { "alice": { "hash": hash } } } },
        { "api_key": { "keys": [{ "id": "a", "sha256": digest, "apis": ["*"] }] } },
        "revocation",
        "authorize",
    ]);
    let stores = json!({ "revocations": { "journal": folder.join("journal") } });
    let built = artifact(&folder, &definition);
    let gateway = Gateway::start_in(folder, &built, Settings::of(json!({ "chain": chain, "stores": stores })));
    let (token, revoked) = (issuer.token(json!({ "jti": "good" })), issuer.token(json!({ "jti": "bad" })));
    let taken = tollgate_tests::send(gateway.ports.admin, "POST", "/revocations", &[], json!({ "token": revoked }).to_string().as_bytes());
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let (half, strange) = (&key[..key.len() - 1], format!("{token}x"));
    let mut asked = vec![taken];
    for (target, field, status) in [
        ("/a/x", bearer(&token), 200),
        ("/a/x", bearer(&revoked), 401),
        ("/a/x", bearer(&strange), 401),
        ("/a/x", basic("alice", "the-password"), 200),
        ("/a/x", basic("alice", "the-password2"), 401),
        ("/a/x", "Authorization: Basic the-password".to_owned(), 401),
        ("/a/x", format!("k: {key}"), 200),
        ("/a/x", format!("k: {half}"), 401),
        (&*format!("/a/x?k={key}"), "x: y".to_owned(), 200),
        (&*format!("/a/x?k={half}"), "x: y".to_owned(), 401),
        ("/a/x", format!("Cookie: k={key}"), 200),
        ("/a/x", format!("Cookie: k={half}"), 401),
        (&*format!("/a/x?k={key}&k={key}"), "x: y".to_owned(), 400),
        (&*format!("/nowhere?k={key}"), bearer(&token), 404),
    ] {
        let answer = gateway.send("GET", target, &[&field], b"");
        assert_eq!(answer.status(), status, "{target} {field}: {}", answer.text());
        if status != 200 {
            asked.push(answer);
        }
    }
    let log: Vec<String> = gateway.log_of(14).iter().map(Value::to_string).collect();
    let pages = ["/metrics", "/revocation", "/plan", "/artifact", "/readyz"].map(|page| gateway.admin(page).text());
    let told = asked.iter().map(|answer| format!("{:?}{}", answer.fields, answer.text())).collect::<String>();
    let everything = format!("{}\n{}\n{}\n{told}", gateway.stderr(), log.join("\n"), pages.join("\n"));
    assert!(everything.contains("basic_auth.wrong") && everything.contains("tollgate_revocation_entries"), "{everything}");
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in [&signature(&token), &signature(&revoked), "the-password", "the-key", &digest, &hash, &STANDARD.encode("alice:the-")] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
}

#[test]
fn a_signed_key_that_was_issued_is_accepted_for_its_api_until_it_is_revoked() {
    let folder = Folder::new();
    let key = tollgate_tests::certificates::ec_key();
    let private = folder.write("key.pem", key.private_key_to_pem_pkcs8().unwrap()).display().to_string();
    let public = folder.write("public.pem", key.public_key_to_pem().unwrap());
    let issue = |api: &str| {
        let fixed = ["key", "issue", "--key", &private, "--issuer", "https://gw/apikey", "--subject", "admin", "--valid", "30d", "--api"];
        tollgate(fixed.into_iter().chain([api])).ok().stdout.trim().to_owned()
    };
    let upstream = Upstream::start();
    let mut definition = definition(&upstream.url(), json!({ "type": "apiKey", "in": "header", "name": "k" }));
    definition["info"] = json!({ "title": "Test", "version": "1.0.0" });
    let built = artifact(&folder, &definition);
    let filter = json!({ "api_key": { "signed": { "issuer": "https://gw/apikey", "certificate": public } } });
    let stores = json!({ "revocations": { "journal": folder.join("journal") } });
    let gateway = Gateway::start(&built, Settings::of(json!({ "chain": [filter, "revocation"], "stores": stores })));
    let ask = |key: &str| gateway.send("GET", "/a/x", &[&format!("k: {key}")], b"").status();
    let (good, every, other) = (issue("Test:1.0.0"), issue("Test"), issue("Other:1.0.0"));
    assert_eq!([ask(&good), ask(&every), ask(&other), ask("a.b.c")], [200, 200, 401, 401]);
    let receipt = tollgate_tests::send(gateway.ports.admin, "POST", "/revocations", &[], json!({ "token": good }).to_string().as_bytes());
    assert_eq!(receipt.status(), 200, "{}", receipt.text());
    assert_eq!([ask(&good), ask(&every)], [401, 200]);
    let bad = tollgate(["key", "issue", "--key", "no-such-file", "--issuer", "i", "--subject", "s", "--api", "A"]);
    assert!(bad.code != 0 && bad.stderr.contains("no-such-file"), "{}", bad.stderr);
}

#[test]
fn a_user_gets_a_key_at_the_endpoint_of_the_example_and_is_let_in_with_it() {
    let (authority, folder) = (Authority::new("root"), Folder::new());
    let key = tollgate_tests::certificates::ec_key();
    let private = folder.write("key.pem", key.private_key_to_pem_pkcs8().unwrap());
    let public = folder.write("public.pem", key.public_key_to_pem().unwrap());
    let upstream = Upstream::start();
    let mut api = definition(&upstream.url(), json!({ "type": "apiKey", "in": "header", "name": "k" }));
    api["info"] = json!({ "title": "Test", "version": "1.0.0" });
    let example = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/definitions/apikey.yaml")).unwrap();
    let project = Project::new().definition("api.yaml", api.to_string()).definition("apikey.yaml", example);
    let (_, hash) = password("right");
    let (certificate, server_key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let issuer = "https://gw/apikey";
    let chain = json!([
        { "basic_auth": { "users": { "alice": { "hash": hash } } } },
        { "api_key": { "signed": { "issuer": issuer, "certificate": public } } },
        { "issue_key": { "issuer": issuer, "key": private, "apis": [{ "name": "Test" }], "valid": "90d" } },
    ]);
    let tls = json!({ "certificate": certificate, "key": server_key });
    let gateway = Gateway::start(&project.build(&[]), Settings { config: json!({ "chain": chain }), tls: Some(tls), h2c: false });
    let ask = |method: &str, target: &str, fields: &[&str], body: &[u8]| {
        let mut client = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, None, b"", None)).unwrap();
        client.ask(method, target, fields, body).unwrap()
    };
    let user = basic("alice", "right");
    for (method, body) in [("GET", ""), ("POST", r#"{"validityTime": 60}"#)] {
        let issued = ask(method, "/apikey", &[&user], body.as_bytes());
        assert_eq!((issued.status(), issued.field("content-type")), (200, Some("text/plain")), "{}", issued.text());
        assert_eq!(ask("GET", "/a/x", &[&format!("k: {}", issued.text())], b"").status(), 200);
    }
    assert_eq!(ask("GET", "/apikey", &[], b"").status(), 401);
    assert_eq!(ask("GET", "/apikey", &[&basic("alice", "wrong")], b"").status(), 401);
    assert_ne!(gateway.send("GET", "/apikey", &[&user], b"").status(), 200, "not over plain HTTP");
    assert_eq!(upstream.count(), 2);
}
