//! Which servers are trusted when something is fetched over `https`.

use std::path::{Path, PathBuf};

use openssl::ssl::SslConnector;
use tollgate_filter_api::Problem;
use tollgate_outbound::{INSTALL, TrustError, check_trust, connector};

/// The certificates that a server's chain must end in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerTrust {
    /// The machine's bundle.
    #[default]
    System,
    /// This PEM file and nothing else.
    File(PathBuf),
}

impl ServerTrust {
    /// Refuses a store that is missing or empty, without reading the machine's bundle.
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_trust(self.file()).map_err(problem)
    }

    /// A connector that trusts these certificates. Reading the machine's bundle takes tens of milliseconds.
    pub(super) fn connector(&self) -> Result<SslConnector, Problem> {
        connector(self.file()).map(|builder| builder.build()).map_err(problem)
    }

    fn file(&self) -> Option<&Path> {
        match self {
            Self::System => None,
            Self::File(path) => Some(path),
        }
    }
}

fn problem(error: TrustError) -> Problem {
    match error {
        TrustError::File(error) => {
            Problem::error("trust.file", error.why.to_string()).at(error.path.display().to_string(), error.line(), "")
        }
        TrustError::Empty => Problem::error("trust.empty", error.to_string()).hint(INSTALL),
        TrustError::Tls(_) => Problem::error("trust.tls", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_store_is_a_problem_that_names_the_file() {
        let folder = tollgate_testkit::Folder::new();
        let missing = ServerTrust::File(folder.join("missing.pem")).check().unwrap_err();
        assert!(missing.file.ends_with("missing.pem"), "{missing}");
        let empty = ServerTrust::File(folder.write("empty.pem", "# nothing here\n")).check().unwrap_err();
        assert!(empty.message.contains("holds no certificate"), "{empty}");
    }
}
