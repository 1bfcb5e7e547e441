//! Nothing: each guest is an example of this package.
