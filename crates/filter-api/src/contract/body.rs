//! A body that a filter has whole.

use std::ops::Deref;

use bytes::Bytes;

/// A whole body, of a request or of an answer. A filter that was given it may replace it; whoever comes after gets what stands here then,
/// with its own length.
#[derive(Clone, Debug, Default)]
pub struct Body {
    bytes: Bytes,
    replaced: bool,
}

impl Body {
    /// Puts another in its place. The first is given up.
    pub fn replace(&mut self, bytes: impl Into<Bytes>) {
        self.bytes = bytes.into();
        self.replaced = true;
    }

    /// Whether it is another than the one that came.
    pub fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// The bytes, without a copy.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl From<Bytes> for Body {
    /// A body as it came.
    fn from(bytes: Bytes) -> Self {
        Self { bytes, replaced: false }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
