//! Definitions that were garbled: whatever they say, compiling them ends, with a Plan or with a problem.

use std::collections::BTreeMap;

use tollgate_compiler::{Options, Project, compile};

const DEFINITION: &str = "\
openapi: 3.2.0
info: {title: A, version: '1'}
x-wso2-basePath: /a/{version}
x-wso2-endpoints:
- e: {urls: ['http://1.example', 'etcd(k, http://2.example)'], type: failover, securityConfig: {type: basic, username: u}}
x-wso2-production-endpoints: '#/x-wso2-endpoints/e'
x-wso2-sandbox-endpoints: {urls: ['http://3.example'], advanceEndpointConfig: {timeoutInMillis: 3}}
x-wso2-cors: {accessControlAllowOrigins: ['*'], access-control-allow-credentials: true}
x-wso2-throttling-tier: P
x-wso2-mutual-ssl: mandatory
x-wso2-application-security: {security-types: [basic_auth], optional: true}
x-wso2-transports: [http]
x-wso2-response-cache: {enabled: true, cacheTimeoutInSeconds: 3}
x-tollgate-headers: {a: {b: 1}}
security: [{t: [s], k: []}, {}]
servers: [{url: 'https://{h}.example/{v}', variables: {h: {default: a}, v: {default: v1, enum: [v1]}}}]
paths:
  /p/{id}.json:
    parameters: [&p {name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: x, x-scope: 'a b', responses: {'200': {description: d, content: {a/b: {schema: {$ref: '#/components/schemas/S'}}}}}}
    additionalOperations: {COPY: {x-wso2-disable-security: true}}
  /q/*: {$ref: '#/components/pathItems/I'}
components:
  pathItems: {I: {query: {parameters: [*p], x-wso2-request-interceptor: f}}}
  schemas: {S: {properties: {s: {$ref: '#/components/schemas/S'}}, allOf: [{type: object}], discriminator: {propertyName: p}}}
  securitySchemes: {t: {type: oauth2, flows: {}}, k: {type: apiKey, in: header, name: K}}
";

const POLICIES: &str = "resourcePolicies:\n- P: {count: 3, unitTime: 1, timeUnit: min}\nsubscriptionPolicies: []\n";

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap_or_default()
    }
}

fn garble(text: &str, dice: &mut Dice) -> Vec<u8> {
    const BYTES: &[u8] = b"{}[]:,-'\"#&*!|>%@`0a~ \n\t$/\\x\xff";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.roll(2) {
        let (at, end) = (dice.roll(bytes.len()), dice.roll(60));
        let end = (at + end).min(bytes.len());
        match dice.roll(4) {
            0 => bytes[at] = BYTES[dice.roll(BYTES.len())],
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            _ => {
                let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
                let (a, b) = (dice.roll(lines.len()), dice.roll(lines.len()));
                lines.swap(a, b);
                bytes = lines.join(&b'\n');
            }
        }
        if bytes.is_empty() {
            bytes.push(b'a');
        }
    }
    bytes
}

const SERVICES: &str = "\
syntax = \"proto3\";
package a.b;
import \"wso2_options.proto\";
import public \"google/protobuf/empty.proto\";
import \"google/protobuf/descriptor.proto\";
import \"other.proto\"; // neighbour
/* a comment */
message M { oneof o { string a = 1 [deprecated = true, json_name = \"x\"]; } map<string, M> m = 3; enum E { Z = 0; } repeated E e = 4; reserved 5 to 9; }
extend google.protobuf.MessageOptions { M own = 50999; }
message N { option (own) = { m { key: 'k' value < a: \"\\x41\" > } }; }
service S {
  option (wso2.production_endpoints) = { url: \"http://a:1\"; type: DEFAULT, advanceEndpointConfig { timeoutInMillis: 3 } };
  option (wso2.security) = JWT;
  option (wso2.security) = APIKEY;
  option (wso2.throttling_tier) = \"P\";
  rpc Get(stream M) returns (stream N) { option (wso2.method_scopes) = \"r,w\"; option deprecated = true; };
  rpc Put(.a.b.M) returns (google.protobuf.Empty) { option (wso2.method_throttling_tier) = \"P\"; }
}
";

#[test]
fn a_garbled_service_ends_in_a_plan_or_in_a_problem() {
    let mut dice = Dice(0x6eed);
    let mut plans = 0;
    const RUNS: usize = 1000;
    for run in 0..RUNS {
        let services = if run == 0 { SERVICES.as_bytes().to_vec() } else { garble(SERVICES, &mut dice) };
        let files = BTreeMap::from([
            ("grpc_definitions/a/s.proto".to_owned(), services),
            ("grpc_definitions/a/other.proto".to_owned(), b"syntax = \"proto2\"; import \"third.proto\";".to_vec()),
            ("grpc_definitions/a/third.proto".to_owned(), Vec::new()),
            ("policies.yaml".to_owned(), POLICIES.into()),
        ]);
        let project = Project {
            name: "p".to_owned(),
            definitions: files.keys().filter(|name| name.ends_with(".proto")).cloned().collect(),
            policies: Some("policies.yaml".to_owned()),
            settings: None,
            interceptors: Some("interceptors".to_owned()),
            files: Box::new(files),
        };
        let options = Options { enforceable: Some(vec!["jwt", "api_key", "throttle"]), ..Options::default() };
        let outcome = compile(&project, &options);
        assert_eq!(outcome.plan.is_none(), outcome.problems.has_errors());
        if run == 0 {
            assert!(outcome.plan.is_some(), "{}", outcome.problems);
        }
        plans += usize::from(outcome.plan.is_some());
    }
    assert!((10..RUNS - 10).contains(&plans), "{plans} of {RUNS} compiled: garbling does too much or too little");
}

#[test]
fn a_garbled_definition_ends_in_a_plan_or_in_a_problem() {
    let mut dice = Dice(0x5eed);
    let mut plans = 0;
    const RUNS: usize = 2000;
    for run in 0..RUNS {
        // The first run is the definition as it stands, so that garbling begins at something that compiles.
        let garbled = |text: &str, dice: &mut Dice| if run == 0 { text.as_bytes().to_vec() } else { garble(text, dice) };
        let files = BTreeMap::from([
            ("a.yaml".to_owned(), garbled(DEFINITION, &mut dice)),
            ("policies.yaml".to_owned(), garbled(POLICIES, &mut dice)),
        ]);
        let project = Project {
            name: "p".to_owned(),
            definitions: vec!["a.yaml".to_owned()],
            policies: Some("policies.yaml".to_owned()),
            settings: None,
            interceptors: Some("interceptors".to_owned()),
            files: Box::new(files),
        };
        let waive = ["throttle", "wasm", "response_cache", "headers"].map(String::from).into();
        let waive_to_open = ["basic_auth", "mtls"].map(String::from).into();
        let options = Options { enforceable: Some(vec!["jwt", "cors"]), waive, waive_to_open, ..Options::default() };
        let outcome = compile(&project, &options);
        assert_eq!(outcome.plan.is_none(), outcome.problems.has_errors());
        if run == 0 {
            assert!(outcome.plan.is_some(), "{}", outcome.problems);
        }
        plans += usize::from(outcome.plan.is_some());
    }
    assert!((10..RUNS - 10).contains(&plans), "{plans} of {RUNS} compiled: garbling does too much or too little");
}
