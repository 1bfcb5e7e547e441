//! Files, read within bounds.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use openssl::{
    pkey::{PKey, Private},
    x509::{X509, X509Crl},
};

use crate::{Unusable, read};

/// Most bytes of a file. A machine's bundle has a quarter of a MiB; revocation lists of large authorities have tens.
const LONGEST: u64 = 64 << 20;

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {why}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why; reads on after its name.
    pub why: FileFault,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// Its content.
    #[error("{0}")]
    Content(#[from] Unusable),
    /// A key that is another certificate's.
    #[error("is not the key of the first certificate in {}", .0.display())]
    OtherKey(PathBuf),
}

impl FileError {
    /// Line in the file, from 1; 0 for the whole.
    pub fn line(&self) -> u32 {
        match &self.why {
            FileFault::Content(why) => why.line(),
            FileFault::OtherKey(_) => 0,
        }
    }
}

/// A file that was read.
#[derive(Clone)]
pub struct File {
    path: PathBuf,
    content: Vec<u8>,
}

impl std::fmt::Debug for File {
    /// Without the content, which may be a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({:?})", self.path)
    }
}

impl File {
    /// Reads a file of at most 64 MiB. Blocks.
    ///
    /// # Errors
    /// When it cannot be read or is longer.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut content = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut content));
        let file = Self { path: path.to_owned(), content };
        match read {
            Err(error) => Err(file.error(Unusable::Io(error.to_string()))),
            Ok(length) if length as u64 > LONGEST => Err(file.error(Unusable::TooLong(LONGEST))),
            Ok(_) => Ok(file),
        }
    }

    /// The bytes.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The certificates, at least one.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn certificates(&self) -> Result<Vec<X509>, FileError> {
        read::certificates(&self.content).map_err(|why| self.error(why))
    }

    /// The private key, without a passphrase.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn private_key(&self) -> Result<PKey<Private>, FileError> {
        read::private_key(&self.content).map_err(|why| self.error(why))
    }

    /// The revocation lists, PEM or DER, at least one.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn revocation_lists(&self) -> Result<Vec<X509Crl>, FileError> {
        read::revocation_lists(&self.content).map_err(|why| self.error(why))
    }

    fn error(&self, why: impl Into<FileFault>) -> FileError {
        FileError { path: self.path.clone(), why: why.into() }
    }
}

/// A certificate, those between it and a root, and its key.
#[derive(Clone)]
pub struct KeyPair {
    /// The certificate itself.
    pub leaf: X509,
    /// What stands behind it in the file, in that order.
    pub intermediates: Vec<X509>,
    /// The certificate's key.
    pub key: PKey<Private>,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair")
    }
}

impl KeyPair {
    /// Reads both files, which may be one. Blocks.
    ///
    /// # Errors
    /// The first that cannot be used, or a key that is not the first certificate's.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, FileError> {
        let chain = File::read(certificate)?;
        let mut certificates = chain.certificates()?.into_iter();
        let Some(leaf) = certificates.next() else { return Err(chain.error(Unusable::Nothing(crate::Kind::Certificate))) };
        let file = File::read(key)?;
        let key = file.private_key()?;
        if !leaf.public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(file.error(FileFault::OtherKey(chain.path)));
        }
        Ok(Self { leaf, intermediates: certificates.collect(), key })
    }
}
