//! What programs come to, and how those end that would not.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use tollgate_jq::{JqError, Limits, Program};

fn program(text: &str) -> Program {
    Program::compile(text, Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn ran(text: &str, input: &str) -> String {
    String::from_utf8(program(text).run(input.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))).expect("it is text")
}

fn refused(text: &str, input: &str) -> JqError {
    program(text).run(input.as_bytes()).expect_err(text)
}

/// That a program still runs beside those that were stopped.
fn the_process_lives() {
    static KEPT: OnceLock<Program> = OnceLock::new();
    assert_eq!(KEPT.get_or_init(|| program(".a")).run(br#"{"a":1}"#).expect("it runs"), b"1");
}

#[test]
fn programs_do_what_jq_does() {
    for (text, input, output) in [
        (".", r#" { "b" : 1 , "a" : [ ] } "#, r#"{"b":1,"a":[]}"#),
        (
            "del(.items[].owner.secret)",
            r#"{"items":[{"owner":{"secret":1,"name":"a"}},{"owner":{}}]}"#,
            r#"{"items":[{"owner":{"name":"a"}},{"owner":{}}]}"#,
        ),
        ("[.[] | select(.price > 30) | .name | ascii_upcase]", r#"[{"name":"a","price":31},{"name":"b","price":3}]"#, r#"["A"]"#),
        ("with_entries(.value |= tostring)", r#"{"a":1}"#, r#"{"a":"1"}"#),
        (r#"gsub("[0-9]+"; "-")"#, r#""a12b3""#, r#""a-b-""#),
        ("todate", "0", r#""1970-01-01T00:00:00Z""#),
        ("@base64", r#""ä""#, r#""w6Q=""#),
    ] {
        assert_eq!(ran(text, input), output, "{text}");
    }
}

#[test]
fn numbers_stay_as_they_are_written_where_nothing_computes_with_them() {
    let numbers = "[1.10,1e400,12345678901234567890123,-0.0,1E5]";
    assert_eq!(ran(".", numbers), numbers);
    assert_eq!(ran(".[2] + 1", numbers), "12345678901234567890124");
}

#[test]
fn endless_programs_end_by_their_budget() {
    for text in ["def f: f; f", "[repeat(1)]", "last(range(1e12))", "def f: 1 + f; f", "[limit(1e9; repeat(0))] | length"] {
        let began = Instant::now();
        assert!(matches!(refused(text, "null"), JqError::Stopped(_)), "{text}");
        assert!(began.elapsed() < Duration::from_secs(20), "{text}");
        the_process_lives();
    }
}

#[test]
fn programs_that_take_all_memory_end_by_theirs() {
    for text in [r#""x" * 4000000000"#, r#"reduce range(40) as $i ("x"; . + .)"#, "[range(1e8)]"] {
        assert!(matches!(refused(text, "null"), JqError::Stopped(_)), "{text}");
        the_process_lives();
    }
}

#[test]
fn a_text_of_many_levels_ends_its_own_run() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(matches!(refused(".", &deep(100_000)), JqError::Stopped(_)));
    the_process_lives();
    assert_eq!(ran(".", &deep(128)), deep(128));
}

#[test]
fn there_must_be_exactly_one_output_and_it_must_be_json() {
    assert!(matches!(refused("empty", "1"), JqError::Nothing));
    assert!(matches!(refused(".[]", "[1,2]"), JqError::Several));
    assert!(matches!(refused("1, error(\"late\")", "1"), JqError::Raised(_)));
    for text in ["nan", "infinite", r#""a" | tobytes"#, "{(1): 2}", "[nan]"] {
        assert!(matches!(refused(text, "1"), JqError::NotJson), "{text}");
    }
    assert!(matches!(refused(".", "{"), JqError::Input(_)));
    assert_eq!(refused("error(\"no\")", "1").to_string(), "the jq program failed: \"no\"");
}

#[test]
fn nothing_outside_of_the_program_can_be_read_or_ended() {
    for text in [
        "env",
        "$ENV",
        "now",
        "input",
        "inputs",
        "halt",
        "halt_error",
        "debug",
        "stderr",
        "localtime",
        "input_filename",
        "import \"a\" as a; 1",
    ] {
        let error = Program::compile(text, Limits::default()).expect_err(text);
        assert!(matches!(error, JqError::Program(_)), "{text}: {error}");
    }
}

#[test]
fn a_wrong_program_says_where() {
    for (text, words) in [
        (".a |\n  fo", "line 2, column 3: there is no filter `fo`"),
        ("[1,", "expected"),
        (".a | $x", "there is no variable `$x`"),
        ("\"\\q\"", "line 1, column"),
    ] {
        let error = Program::compile(text, Limits::default()).expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let nested = format!("{}1{}", "(".repeat(30_000), ")".repeat(30_000));
    assert!(Program::compile(&nested, Limits::default()).is_err());
    the_process_lives();
}

#[test]
fn sizes_have_limits_and_a_run_begins_anew_after_each() {
    let limits = Limits { input: 20, output: 10, ..Limits::default() };
    let program = Program::compile("[., .]", limits).expect("it is a program");
    let error = program.run(b"[1,2,3]").expect_err("its output is too long").to_string();
    assert_eq!(error, "the output has 17 bytes, and the limit is 10");
    assert!(matches!(program.run(&[b' '; 21]), Err(JqError::TooLarge { what: "input", .. })));
    assert_eq!(program.run(b"1").expect("it fits"), b"[1,1]");
    assert!(matches!(Program::compile(&" ".repeat(70_000), limits), Err(JqError::TooLarge { what: "jq program", .. })));
}
