//! Bytes to artifact: every length is checked against what the file still has before anything is allocated.

use std::io::{self, Read};

use openssl::sha::Sha256;

use super::{Artifact, ArtifactError, FORMAT_VERSION, MAGIC, MAX_SIGNATURES, Signature, VerifyingKey};

const PIECE: usize = 64 << 10;

pub(super) fn artifact(reader: impl Read, size: u64, keep: bool) -> Result<Artifact, ArtifactError> {
    let mut input = Input { reader, left: size, hash: Sha256::new() };
    head(&mut input)?;
    let plan = input.block(8, "the plan")?;
    let documents = documents(&mut input, keep)?;
    let digest = input.hash.clone().finish();
    let stored: [u8; 32] = input.array("the digest")?;
    if stored != digest {
        return Err(ArtifactError::DigestDiffers { stored: hex::encode(stored), computed: hex::encode(digest) });
    }
    let signatures = signatures(&mut input, &digest)?;
    if input.left > 0 {
        return Err(ArtifactError::Malformed { what: "bytes follow its end" });
    }
    let plan = serde_json::from_slice(&plan).map_err(ArtifactError::Plan)?;
    Ok(Artifact { plan, documents: keep.then_some(documents), digest, signatures })
}

fn head(input: &mut Input<impl Read>) -> Result<(), ArtifactError> {
    if input.left < MAGIC.len() as u64 || input.array("the head")? != *MAGIC {
        return Err(ArtifactError::NotAnArtifact);
    }
    match u32::from_be_bytes(input.array("the head")?) {
        FORMAT_VERSION => Ok(()),
        0 => Err(ArtifactError::Malformed { what: "format version 0 was never written" }),
        found if found < FORMAT_VERSION => Err(ArtifactError::OlderFormat { found, known: FORMAT_VERSION }),
        found => Err(ArtifactError::NewerFormat { found, known: FORMAT_VERSION }),
    }
}

fn documents(input: &mut Input<impl Read>, keep: bool) -> Result<Vec<(String, Vec<u8>)>, ArtifactError> {
    let count = u32::from_be_bytes(input.array("the documents")?);
    let mut documents = Vec::new();
    for _ in 0..count {
        let path = input.block(4, "the documents")?;
        if !keep {
            input.skip_block("the documents")?;
            continue;
        }
        let path = String::from_utf8(path).map_err(|_| ArtifactError::Malformed { what: "a document's path is not UTF-8" })?;
        documents.push((path, input.block(8, "the documents")?));
    }
    Ok(documents)
}

fn signatures(input: &mut Input<impl Read>, digest: &[u8; 32]) -> Result<Vec<Signature>, ArtifactError> {
    let count = u32::from_be_bytes(input.array("the signatures")?);
    if count > MAX_SIGNATURES {
        return Err(ArtifactError::Malformed { what: "it claims more signatures than are allowed" });
    }
    let mut signatures: Vec<Signature> = Vec::new();
    for _ in 0..count {
        let key = VerifyingKey::from_array(input.array("the signatures")?);
        let signature = Signature { key, bytes: input.array("the signatures")? };
        if !signature.fits(digest) {
            return Err(ArtifactError::BadSignature { signer: key.to_hex() });
        }
        if signatures.last().is_some_and(|last| last.key >= key) {
            return Err(ArtifactError::Malformed { what: "its signatures are not in the order of their keys" });
        }
        signatures.push(signature);
    }
    Ok(signatures)
}

/// A reader that hashes what it yields and knows how much can still come.
struct Input<R> {
    reader: R,
    left: u64,
    hash: Sha256,
}

impl<R: Read> Input<R> {
    fn array<const N: usize>(&mut self, inside: &'static str) -> Result<[u8; N], ArtifactError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, inside)?;
        Ok(bytes)
    }

    /// A length of `width` bytes, 4 or 8, and so many bytes.
    fn block(&mut self, width: u8, inside: &'static str) -> Result<Vec<u8>, ArtifactError> {
        let length = if width == 4 { u64::from(u32::from_be_bytes(self.array(inside)?)) } else { u64::from_be_bytes(self.array(inside)?) };
        self.claim(length, inside)?;
        let length = usize::try_from(length).map_err(|_| ArtifactError::Malformed { what: "a part is larger than memory" })?;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes, inside)?;
        Ok(bytes)
    }

    fn skip_block(&mut self, inside: &'static str) -> Result<(), ArtifactError> {
        let mut left = u64::from_be_bytes(self.array(inside)?);
        self.claim(left, inside)?;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let n = left.min(PIECE as u64) as usize;
            self.fill(&mut piece[..n], inside)?;
            left -= n as u64;
        }
        Ok(())
    }

    fn claim(&self, length: u64, inside: &'static str) -> Result<(), ArtifactError> {
        if length > self.left { Err(ArtifactError::Truncated { inside }) } else { Ok(()) }
    }

    fn fill(&mut self, bytes: &mut [u8], inside: &'static str) -> Result<(), ArtifactError> {
        self.claim(bytes.len() as u64, inside)?;
        self.reader.read_exact(bytes).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => ArtifactError::Truncated { inside },
            _ => ArtifactError::io("read", cause),
        })?;
        self.left -= bytes.len() as u64;
        self.hash.update(bytes);
        Ok(())
    }
}
