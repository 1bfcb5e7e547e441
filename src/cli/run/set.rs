//! `--set`, and the reference product's own spelling of it.
//!
//! Its launcher takes `--pets_prod_endpoint_0=URL`. Arguments of exactly its forms are turned into `--set pets_prod_endpoint_0=URL` before
//! the command line is read; everything else is left to the parser.

use std::{ffi::OsString, fmt, str::FromStr};

use crate::config::Variables;

/// What is set beside the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Overrides {
    /// Set what the reference product has names for: NAME_prod_endpoint_0,
    /// NAME_prod_basic_username, NAME_prod_basic_password, NAME_prod_0_etcdKey,
    /// the same with _sand_, etcdurl, etcdusername, etcdpassword. NAME is the
    /// endpoint group's. Goes before the environment, where the same names
    /// count. `--NAME=VALUE` does the same. Others on this machine can see
    /// it: passwords are better kept in the environment.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Assignment>,
}

impl Overrides {
    /// All of them.
    pub(in crate::cli) fn variables(&self) -> Variables {
        Variables::new(self.set.iter().map(|one| (one.name.clone(), one.value.clone())))
    }
}

/// A name and its value.
#[derive(Clone)]
struct Assignment {
    name: String,
    value: String,
}

impl fmt::Debug for Assignment {
    /// The value may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, found no `=`")?;
        if name.is_empty() {
            return Err("expected a name before the `=`, found none");
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// Arguments with `--set` in place of the reference product's spelling, for the commands that know it.
pub(in crate::cli) fn respelt(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut respelt, mut serves, mut over) = (Vec::new(), false, false);
    for argument in arguments {
        over |= argument == "--";
        match argument.to_str().and_then(|text| text.strip_prefix("--")).filter(|_| serves && !over) {
            Some(text) if is_of_the_reference(text) => respelt.extend(["--set".into(), text.into()]),
            _ => {
                serves |= argument == "run" || argument == "dev";
                respelt.push(argument);
            }
        }
    }
    respelt
}

/// Whether it is `NAME=VALUE` with a name of the reference product.
fn is_of_the_reference(text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else { return false };
    if ["etcdurl", "etcdusername", "etcdpassword"].contains(&name) {
        return true;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A group's name may hold what stands behind it.
    let side = ["_prod_", "_sand_"].into_iter().filter_map(|side| name.rsplit_once(side)).min_by_key(|(_, rest)| rest.len());
    side.is_some_and(|(group, rest)| {
        let numbered = rest.strip_prefix("endpoint_").or_else(|| rest.strip_suffix("_etcdKey"));
        !group.is_empty() && (["basic_username", "basic_password"].contains(&rest) || numbered.is_some_and(is_number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respelt(arguments: &str) -> String {
        let all = super::respelt(arguments.split(' ').map(OsString::from));
        all.iter().map(|one| one.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_reference_products_spelling_is_taken_and_nothing_else_is_touched() {
        for name in
            ["a_prod_endpoint_0", "a_prod_b_sand_endpoint_12", "a_sand_basic_password", "a_prod_3_etcdKey", "etcdurl", "etcdpassword"]
        {
            assert_eq!(respelt(&format!("tollgate run x --{name}=v=w -t")), format!("tollgate run x --set {name}=v=w -t"));
        }
        for other in [
            "run x --config=y",
            "run x --_prod_endpoint_0=v",
            "run x --a_prod_endpoint_=v",
            "run x --a_prod_endpoint_0",
            "run x --a_prod_etcdKey=v",
            "run x -- --etcdurl=v",
            "plan x --etcdurl=v",
            "run x --set etcdurl=v",
        ] {
            assert_eq!(respelt(other), other);
        }
    }

    #[test]
    fn a_value_may_hold_anything_and_is_not_shown() {
        let one: Assignment = "etcdpassword=hunter2=".parse().unwrap();
        assert_eq!((one.name.as_str(), one.value.as_str(), format!("{one:?}").as_str()), ("etcdpassword", "hunter2=", "etcdpassword"));
        assert!("etcdurl".parse::<Assignment>().is_err() && "=x".parse::<Assignment>().is_err());
    }
}
