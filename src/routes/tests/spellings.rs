//! All spellings of a segment are one segment.

use super::{
    asked,
    routing::{api, ask, ask_by, gets, plan},
};
use crate::{
    config::{Keep, Paths},
    routes::{Route, Router, normal::normalize, shape},
};

const STRICT: Paths = Paths { encoded_slash: Keep::Refuse, semicolon: Keep::Refuse };
const LENIENT: Paths = Paths { encoded_slash: Keep::Keep, semicolon: Keep::Keep };

#[test]
fn every_spelling_of_a_literal_leads_to_its_operation() {
    for text in "!$&'()*+,=:@[]^`|\"<> -._~aZ0".chars() {
        let escape = format!("%{:02X}", u32::from(text));
        let plan = gets(&[&format!("/odata/x{escape}metadata"), "/odata/{other}", &format!("/items/{{id}}{escape}purge"), "/items/{id}"]);
        let raw = !" [".contains(text) && text != ']';
        for spelling in [Some(escape.clone()), Some(escape.to_lowercase()), raw.then(|| text.to_string())].into_iter().flatten() {
            assert_eq!(ask(&plan, &format!("/odata/x{spelling}metadata"), "GET"), format!("/ /odata/x{escape}metadata"), "{spelling}");
            assert_eq!(ask(&plan, &format!("/items/7{spelling}purge"), "GET"), format!("/ /items/{{id}}{escape}purge"), "{spelling}");
        }
    }
}

#[test]
fn a_literal_may_be_spelled_either_way_in_a_definition() {
    for template in ["/odata/$metadata", "/odata/%24metadata", "/%6fdata/%24meta%64ata"] {
        let plan = gets(&[template]);
        for path in ["/odata/$metadata", "/odata/%24metadata", "/odata/%24%6detadata", "/%6Fdata/$metadata"] {
            assert_eq!(ask(&plan, path, "GET"), format!("/ {template}"), "{path}");
        }
    }
}

#[test]
fn what_is_escaped_twice_is_another_segment() {
    let plan = gets(&["/items/{id}:purge", "/items/{id}", "/%253A", "/%3A"]);
    assert_eq!(ask(&plan, "/items/7%253Apurge", "GET"), "/ /items/{id}");
    assert_eq!(ask(&plan, "/items/7%3apurge", "GET"), "/ /items/{id}:purge");
    assert_eq!(ask(&plan, "/%253A", "GET"), "/ /%253A");
    assert_eq!(ask(&plan, "/:", "GET"), "/ /%3A");
}

#[test]
fn parameters_hold_characters_of_any_width() {
    let plan = gets(&["/{a}-{b}", "/x/{c}€", "/x/{d}"]);
    assert_eq!(ask(&plan, "/%e2%82%ac-%C3%A4", "GET"), "/ /{a}-{b}");
    assert_eq!(ask(&plan, "/%e2%82%ac%2D%C3%A4", "GET"), "/ /{a}-{b}");
    assert_eq!(ask(&plan, "/x/%C3%A4%e2%82%ac", "GET"), "/ /x/{c}€");
    assert_eq!(ask(&plan, "/x/%e2%82%ac", "GET"), "/ /x/{d}");
}

#[test]
fn base_paths_are_found_in_every_spelling_and_keep_their_length() {
    let plan = plan(vec![api("/shop:eu/v1", &[("GET", "/x"), ("GET", "/{id}.json")]), api("/", &[("GET", "/*")])]);
    let router = Router::build(&plan).unwrap();
    for (path, index, base_len) in [
        ("/shop:eu/v1/x", 0, 11),
        ("/shop%3Aeu/v1/x", 0, 13),
        ("/shop%3aeu/%761/%78", 0, 13),
        ("/shop%3Aeu/v1/%C3%A4.json", 1, 13),
        ("/shop%253Aeu/v1/x", 2, 0),
    ] {
        let normal = normalize(path.as_bytes(), &STRICT).unwrap();
        let found = router.find(&asked(&normal.path, normal.reading.as_ref(), "GET", true));
        assert_eq!(found, Route::Operation { index, base_len }, "{path}");
    }
}

#[test]
fn a_slash_that_is_kept_is_part_of_one_segment() {
    let plan = gets(&["/files/{name}", "/files/{name}.json", "/raw%2Fdata"]);
    let keep = |path: &str| ask_by(&plan, path, "GET", &LENIENT);
    assert_eq!(keep("/files/a%2Fb"), "/ /files/{name}");
    assert_eq!(keep("/files/a%2fb.json"), "/ /files/{name}.json");
    assert_eq!(keep("/raw%2fdata"), "/ /raw%2Fdata");
    assert_eq!(keep("/files%2fa"), "404 in /");
    assert_eq!(keep("/files/a/b"), "404 in /");
    assert_eq!(keep("/raw/data"), "404 in /");
}

#[test]
fn operations_that_differ_only_in_spelling_are_a_problem() {
    for templates in [["/{id}:go", "/{x}%3Ago"], ["/$metadata", "/%24metadata"], ["/a%2fb", "/%61%2Fb"], ["/é", "/%c3%a9"]] {
        let problems = Router::build(&gets(&templates)).unwrap_err();
        assert!(problems.to_string().contains("same requests"), "{problems}");
    }
    let twice = plan(vec![api("/p:1", &[("GET", "/a")]), api("/p%3A1", &[("GET", "/b")])]);
    assert!(Router::build(&twice).unwrap_err().to_string().contains("two APIs have the base path"));
}

#[test]
fn templates_of_one_path_have_one_shape() {
    for (one, other) in [
        ("/v13/deployments/{id}", "/v13/deployments/{idOrUrl}"),
        ("/{id}:go", "/{x}%3ago"),
        ("/%24metadata", "/$metadata"),
        ("/{a}-{b}/*", "/{c}%2D{d}/*"),
    ] {
        assert_eq!(shape(one), shape(other));
    }
    for (one, other) in
        [("/a/{id}.json", "/a/{id}"), ("/{x}", "/%7Bx%7D"), ("/*", "/%2A"), ("/a", "/a/"), ("/a/b", "/a%2Fb"), ("/%2541", "/A")]
    {
        assert_ne!(shape(one), shape(other));
    }
}
