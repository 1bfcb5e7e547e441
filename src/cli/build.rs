//! `tollgate build`: a project folder to an artifact.

use std::path::PathBuf;

use serde_json::json;
use tollgate_pem::File;
use tollgate_plan::SigningKey;

use super::{
    Format, code,
    project::{BuildOptions, refused, seal},
    report::{Failure, print, print_json, print_problems, summary},
};

/// Compile a project to an artifact.
///
/// The same files give the same bytes, on any machine and at any time. What no
/// filter enforces is an error, unless it is waived by name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the artifact goes [default: DIR/target/NAME.toll].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    options: BuildOptions,
    /// Sign the artifact with this Ed25519 private key, PEM. It then carries machine code of the project's modules too, for this kind of
    /// machine; only a gateway that trusts the key uses it.
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let (mut artifact, warnings) = seal(&args.folder, &args.options)?;
    if let Some(path) = &args.sign {
        let file = File::read(path).map_err(|error| Failure::Cannot(error.to_string()))?;
        let key = SigningKey::from_pem(file.content()).map_err(|error| refused(path, &error))?;
        artifact = code::with(artifact).map_err(Failure::Cannot)?;
        artifact.sign(&key).map_err(|error| refused(path, &error))?;
    }
    let output = match &args.output {
        Some(path) => path.clone(),
        None => {
            let target = args.folder.join("target");
            std::fs::create_dir_all(&target).map_err(|error| Failure::io(target.display(), &error))?;
            target.join(format!("{}.toll", artifact.plan().name))
        }
    };
    artifact.write(&output).map_err(|error| Failure::Cannot(format!("{}: {error}", output.display())))?;
    print_problems(&warnings);
    let (path, digest) = (output.display().to_string(), artifact.digest());
    match format {
        Format::Text => print(&format!("{path}\nsha256 {digest}")),
        Format::Json => {
            let mut data = summary(&warnings);
            data["artifact"] = json!(path);
            data["sha256"] = json!(digest);
            data["signers"] = json!(artifact.signers());
            data["waived"] = json!(artifact.plan().waived);
            print_json(&data)
        }
    }
}
