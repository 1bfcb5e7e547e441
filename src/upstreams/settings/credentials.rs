//! Basic credentials that the gateway presents to an upstream (RFC 7617).
//!
//! The user may stand in a definition, the password never does.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use tollgate_filter_api::Problem;
use tollgate_plan::EndpointGroup;

use super::{
    build::Inputs,
    said::{Origin, Said, Settings, pointer},
};

/// The name under which the demand can be waived.
const WAIVER: &str = "upstream_basic";

/// The value of `Authorization` for a group; `None` when nothing asks for one, or the demand is waived.
///
/// # Errors
/// A user without a password, a password without a user, or a user that basic authentication cannot carry.
pub fn authorization(inputs: &Inputs<'_>, group: &EndpointGroup, settings: &Settings<'_>) -> Result<Option<HeaderValue>, Problem> {
    let user = user(group, settings);
    let password = password(settings);
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => header(inputs, &user, &password.value).map(Some),
        (Some(user), None) if is_waived(inputs) && matches!(user.by, Origin::Definition(_)) => Ok(None),
        (Some(user), None) => Err(no_password(inputs, group, settings, &user)),
        // What every group is given fits those that name a user.
        (None, Some(password)) if matches!(&password.by, Origin::Setting(p) if p.starts_with("/endpoints/*/")) => Ok(None),
        (None, Some(password)) => {
            let message = format!("there is a password for endpoint group `{}`, but no user", group.name);
            Err(password.by.error(inputs, "upstream.credentials", message).hint("write `username` beside `password`"))
        }
    }
}

fn is_waived(inputs: &Inputs<'_>) -> bool {
    inputs.plan.waived.iter().chain(&inputs.gateway.waive).any(|waived| waived == WAIVER)
}

fn user<'a>(group: &'a EndpointGroup, settings: &Settings<'a>) -> Option<Said<'a, String>> {
    settings
        .variable("basic_username")
        .or_else(|| settings.entry("basic/username", |entry| entry.basic.as_ref()?.username.clone()))
        .or_else(|| group.basic.as_ref().map(|basic| Said { value: basic.username.clone(), by: Origin::Definition(&basic.source) }))
}

fn password<'a>(settings: &Settings<'a>) -> Option<Said<'a, String>> {
    settings
        .variable("basic_password")
        .or_else(|| settings.entry("basic/password", |entry| Some(entry.basic.as_ref()?.password.expose().to_owned())))
}

fn no_password(inputs: &Inputs<'_>, group: &EndpointGroup, settings: &Settings<'_>, user: &Said<'_, String>) -> Problem {
    let message = format!("endpoint group `{}` asks for basic credentials of user `{}`, but there is no password", group.name, user.value);
    let pointer = pointer(&group.name, "basic/password");
    let hint = format!(
        "set `{pointer}` of the configuration to a reference such as ${{env:NAME}}, set the variable `{}`, or waive `{WAIVER}`",
        settings.variable_name("basic_password"),
    );
    user.by.error(inputs, "upstream.credentials", message).hint(hint)
}

fn header(inputs: &Inputs<'_>, user: &Said<'_, String>, password: &str) -> Result<HeaderValue, Problem> {
    if user.value.contains(':') || user.value.chars().chain(password.chars()).any(char::is_control) {
        let message = "basic authentication has no user with a colon, and no control characters";
        return Err(user.by.error(inputs, "upstream.credentials", message));
    }
    let encoded = STANDARD.encode(format!("{}:{password}", user.value));
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    Ok(value)
}
