//! Who is told what etcd holds.

use crate::keys::Keys;

/// What etcd does not let us read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The keys.
    pub keys: Keys,
    /// What etcd says.
    pub why: String,
}

/// There is no room for the listing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Full(pub String);

/// Is told what etcd holds. All calls come from one task, in order, and must not block for long.
pub trait Mirror: Send + Sync + 'static {
    /// The next listing is one of everything but this, which is asked for again when the time for another listing has come. Comes before each
    /// listing. Where all is refused, nothing is listed at all.
    fn without(&self, _: &[Refused]) {}

    /// A listing of everything begins; one that had begun before is void. What was known stays in force until
    /// [`replace`](Self::replace).
    fn begin(&self);

    /// One key of the listing. May come again with a later value.
    fn listed(&self, key: &[u8], value: &[u8]);

    /// The listing is whole: what it does not hold is gone. It is the state at `revision`. With `comparable`, nothing changed while it
    /// was read, so that a difference to what was known is a fault.
    ///
    /// # Errors
    /// When there is no room. What was known stays, and everything is listed again after a while.
    fn replace(&self, revision: i64, comparable: bool) -> Result<(), Full>;

    /// A key was written. May come again.
    fn put(&self, key: &[u8], value: &[u8], revision: i64);

    /// A key was deleted, or its lease ended. May come again.
    fn delete(&self, key: &[u8], revision: i64);

    /// Everything until this revision has been told, and etcd knows of nothing later. Comes at every heartbeat.
    fn complete(&self, revision: i64);

    /// The connection is gone, or could not be made; another attempt follows.
    fn lost(&self, cause: &str);
}
