use clap::CommandFactory;

use super::{Cli, docs};

fn walk(command: &mut clap::Command, visit: &mut impl FnMut(&mut clap::Command)) {
    visit(command);
    for inner in command.get_subcommands_mut() {
        walk(inner, visit);
    }
}

#[test]
fn the_arguments_do_not_contradict_each_other() {
    Cli::command().debug_assert();
}

#[test]
fn no_line_of_help_is_longer_than_79_columns() {
    let mut root = Cli::command();
    root.build();
    let mut commands = 0;
    walk(&mut root, &mut |command| {
        commands += 1;
        for text in [command.render_help().to_string(), docs::help(command)] {
            for line in text.lines() {
                assert!(line.chars().count() <= 79, "{}: {line}", command.get_name());
            }
        }
    });
    assert!(commands > 9);
}

#[test]
fn every_command_and_every_argument_has_a_sentence() {
    let mut root = Cli::command();
    root.build();
    walk(&mut root, &mut |command| {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    });
}

#[test]
fn every_setting_of_gateway_yaml_has_a_sentence() {
    let [_, (_, page), ..] = docs::pages();
    let silent: Vec<&str> = page.lines().filter(|line| line.starts_with("| `") && line.ends_with("|  |")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(page.contains("| `listeners[].tls.client_auth.mode` | `optional`, `required` |"), "{page}");
}
