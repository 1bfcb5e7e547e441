//! filter-testkit
