//! Which of several certificates a client is shown, by the server name that it asks for (RFC 6066 §3).
//!
//! A name that no certificate has gets the first one, as does a client that names none. That says nothing of who serves what: whether a
//! request's host is served is for the router.

use std::collections::HashMap;

use openssl::{error::ErrorStack, ssl::SslRef, x509::X509};
use tollgate_filter_api::Problem;
use tollgate_pem::KeyPair;

use super::problems::unusable;
use crate::config::KeyPair as Files;

/// Certificates beside the first one, by their names. Each connection is given the intermediate ones of what it shows: those of a context
/// would go with every certificate that has none of its own.
pub struct Named {
    /// The intermediate ones of the first.
    intermediates: Vec<X509>,
    pairs: Vec<KeyPair>,
    exact: HashMap<Box<str>, usize>,
    /// By what stands behind `*.`, which is one label (RFC 9525 §6.3).
    wildcards: HashMap<Box<str>, usize>,
}

impl Named {
    /// Reads the files of those beside a first one, which has these intermediate ones. Of two certificates with the same name the later one
    /// counts for it.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit together.
    pub fn read(intermediates: Vec<X509>, files: &[Files]) -> Result<Self, Problem> {
        let mut named = Self { intermediates, pairs: Vec::new(), exact: HashMap::new(), wildcards: HashMap::new() };
        for (index, files) in files.iter().enumerate() {
            let pair = KeyPair::read(&files.certificate, &files.key).map_err(|error| unusable(&error))?;
            let names = pair.leaf.subject_alt_names();
            let names: Vec<&str> = names.iter().flatten().filter_map(|name| name.dnsname()).collect();
            if names.is_empty() {
                let message = format!("the certificate {} names no host, so that nobody would be shown it", files.certificate.display());
                return Err(Problem::error("tls.certificates", message).hint("take one whose alternative names have a DNS name"));
            }
            for name in names {
                let name = name.to_ascii_lowercase();
                match name.strip_prefix("*.") {
                    Some(below) => named.wildcards.insert(below.into(), index),
                    None => named.exact.insert(name.into(), index),
                };
            }
            named.pairs.push(pair);
        }
        Ok(named)
    }

    fn find(&self, name: &str) -> Option<&KeyPair> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let below = || self.wildcards.get(name.split_once('.')?.1);
        self.exact.get(name.as_str()).or_else(below).map(|&index| &self.pairs[index])
    }

    /// Lets a connection show the certificate of the name that its client asks for, or else the first one.
    ///
    /// # Errors
    /// When memory is short.
    pub fn show(&self, ssl: &mut SslRef, name: Option<&str>) -> Result<(), ErrorStack> {
        let pair = name.and_then(|name| self.find(name));
        if let Some(KeyPair { leaf, key, .. }) = pair {
            ssl.set_certificate(leaf)?;
            ssl.set_private_key(key)?;
        }
        let intermediates = pair.map_or(&self.intermediates, |pair| &pair.intermediates);
        intermediates.iter().try_for_each(|certificate| ssl.add_chain_cert(certificate.clone()))
    }
}
