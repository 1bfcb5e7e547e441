//! Request to operation.
