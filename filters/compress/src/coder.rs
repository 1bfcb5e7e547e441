//! Pieces of a body to pieces of a compressed one.

use std::io::{self, Write};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use zstd::stream::write::Encoder;

use crate::config::Coding;

const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
/// 256 KiB: what answers of APIs and pages gain from, at a sixteenth of the memory of Brotli's default.
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4096;
const ZSTD_LEVEL: i32 = 3;
/// RFC 9659: what every reader of the coding has to be able to keep.
const ZSTD_WINDOW: u32 = 18;

/// A body that is being compressed.
pub(crate) enum Coder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(Encoder<'static, Vec<u8>>),
}

impl Coder {
    /// # Errors
    /// When memory is short.
    pub fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
            Coding::Br => Self::Brotli(Box::new(CompressorWriter::new(Vec::new(), BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW))),
            Coding::Zstd => {
                let mut encoder = Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// What a piece becomes. It can be read at once: what is held back could be what a client waits for.
    ///
    /// # Errors
    /// When memory is short.
    pub fn piece(&mut self, piece: &[u8]) -> io::Result<Bytes> {
        let written = match self {
            Self::Gzip(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Self::Brotli(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Self::Zstd(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
        };
        Ok(written.into())
    }

    /// What the last piece becomes.
    ///
    /// # Errors
    /// When memory is short.
    pub fn end(self, piece: &[u8]) -> io::Result<Bytes> {
        Ok(match self {
            Self::Gzip(mut encoder) => {
                encoder.write_all(piece)?;
                encoder.finish()?.into()
            }
            Self::Brotli(mut encoder) => {
                encoder.write_all(piece)?;
                encoder.into_inner().into()
            }
            Self::Zstd(mut encoder) => {
                encoder.write_all(piece)?;
                encoder.finish()?.into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(coding: Coding, coded: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let done = match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(coded).read_to_end(&mut plain),
            Coding::Br => brotli::Decompressor::new(coded, 4096).read_to_end(&mut plain),
            Coding::Zstd => zstd::stream::read::Decoder::new(coded).unwrap().read_to_end(&mut plain),
        };
        done.unwrap();
        plain
    }

    #[test]
    fn what_is_coded_in_pieces_reads_as_it_was() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
            for size in [1000, 65_536, text.len()] {
                let mut coder = Coder::new(coding).unwrap();
                let pieces: Vec<&[u8]> = text.chunks(size).collect();
                let (last, before) = pieces.split_last().unwrap();
                let mut coded = Vec::new();
                for piece in before {
                    coded.extend_from_slice(&coder.piece(piece).unwrap());
                }
                coded.extend_from_slice(&coder.end(last).unwrap());
                assert_eq!(read(coding, &coded), text, "{coding:?} {size}");
                assert!(coded.len() < text.len() * 2 / 3, "{coding:?} {size}: {}", coded.len());
            }
            assert_eq!(read(coding, &Coder::new(coding).unwrap().end(b"").unwrap()), b"");
        }
    }

    #[test]
    fn each_piece_can_be_read_before_the_next_one() {
        let mut coder = Coder::new(Coding::Gzip).unwrap();
        let first = coder.piece(b"data: 1\n\n").unwrap();
        let mut plain = [0; 9];
        flate2::read::GzDecoder::new(&first[..]).read_exact(&mut plain).unwrap();
        assert_eq!(&plain, b"data: 1\n\n");
        assert!(!Coder::new(Coding::Br).unwrap().piece(b"x").unwrap().is_empty());
        assert!(!Coder::new(Coding::Zstd).unwrap().piece(b"x").unwrap().is_empty());
    }
}
