//! The other side, as a protocol's session meets it.

use crate::{
    endpoint::Endpoint,
    failure::{Broken, Lost},
    listener::{Listener, Message},
    settings::Settings,
    wire::Wire,
};

/// What a protocol's session has at hand.
pub(crate) struct Peer<'a> {
    pub(crate) wire: &'a mut Wire,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) settings: &'a Settings,
    pub(crate) listener: &'a dyn Listener,
}

impl Peer<'_> {
    /// User name and password, where there is a user.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        let name = self.settings.username.as_deref()?;
        Some((name, self.settings.password.as_ref().map_or("", |password| password.expose())))
    }

    /// Tells the listener of a message, or that there was one that cannot be read.
    pub(crate) fn message(&self, message: Result<Message, Broken>, published: Option<u64>) -> Result<(), Lost> {
        match message {
            Ok(message) => Ok(self.listener.message(message, published)?),
            Err(Broken(why)) => {
                self.listener.unread(why);
                Ok(())
            }
        }
    }
}
