//! `tollgate proxy`: a reverse proxy in one line.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use openssl::{
    asn1::{Asn1Integer, Asn1Time},
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName},
    },
};
use serde_json::json;
use tollgate_filters::FILTERS;

use crate::{
    cli::{
        Format,
        project::RoutesAlone,
        report::{Failure, print, print_json},
        trial::demo::free,
    },
    proxy::{ConfigSource, Gateway},
    telemetry::ProcessLog,
};

/// Where the operator asks by default.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);
/// Where requests are taken by default.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
/// Folder of a certificate made on the spot, below the working directory.
const SELF_SIGNED: &str = "tollgate-self-signed";
/// How long such a certificate is good, in days.
const LIFETIME: u32 = 365;

/// Proxy to one upstream at once.
///
/// Prints the gateway.yaml that does the same, so that it can be kept and
/// changed, and serves until Ctrl-C. The client's `Host` goes upstream.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Where requests go.
    #[arg(value_name = "URL", required = true)]
    upstream: Vec<String>,
    /// Where clients connect.
    #[arg(long, value_name = "ADDRESS", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// Serve this host alone; others get 421. `*.NAME` stands for all below.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Encrypt, with a certificate that is made on the spot and kept in the
    /// folder tollgate-self-signed. Browsers warn of it.
    #[arg(long)]
    tls_self_signed: bool,
}

pub(in crate::cli) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    ProcessLog::install();
    if std::env::var_os("TOLLGATE_LOG").is_none() {
        // Whoever starts it looks at the configuration and at the requests.
        log::set_max_level(log::LevelFilter::Warn);
    }
    let tls = if args.tls_self_signed { Some(self_signed(Path::new(SELF_SIGNED), &args.host)?) } else { None };
    let admin = if TcpListener::bind(ADMIN).is_ok() { ADMIN } else { free(ADMIN.ip())? };
    let text = config(args, admin, tls.as_ref());
    let source = ConfigSource::Text { name: "gateway.yaml".to_owned(), text: text.clone(), base: PathBuf::new() };
    let gateway = Gateway::load(Arc::new(RoutesAlone(None)), source, FILTERS)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    match format {
        Format::Text => print(&format!("# {scheme}://{} goes to {}\n{text}", args.listen, args.upstream.join(", ")))?,
        Format::Json => print_json(&json!({ "listen": format!("{scheme}://{}", args.listen), "upstream": args.upstream, "config": text }))?,
    }
    super::start(&gateway, false)
}

/// A certificate and its key.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What does the same in a file.
fn config(args: &Args, admin: SocketAddr, tls: Option<&Files>) -> String {
    let quoted = |texts: &[String]| texts.iter().map(|text| json!(text).to_string()).collect::<Vec<_>>().join(", ");
    let mut text = format!("listeners:\n  - address: {}\n", json!(args.listen.to_string()));
    if let Some(Files { certificate, key }) = tls {
        let _ = writeln!(text, "    tls: {{ certificate: {}, key: {} }}", certificate.display(), key.display());
    }
    let _ = writeln!(text, "admin: {{ address: {} }}\nupstream: {{ preserve_host: true }}\nroutes:", json!(admin.to_string()));
    let upstream = match args.upstream.as_slice() {
        [one] => json!(one).to_string(),
        many => format!("[{}]", quoted(many)),
    };
    match args.host.as_slice() {
        [] => {
            let _ = writeln!(text, "  - upstream: {upstream}");
        }
        hosts => {
            let _ = writeln!(text, "  - hosts: [{}]\n    upstream: {upstream}", quoted(hosts));
        }
    }
    text
}

/// The certificate and key of a folder, made when there are none, or none for these hosts that is good until tomorrow.
fn self_signed(folder: &Path, hosts: &[String]) -> Result<Files, Failure> {
    let files = Files { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
    if files.key.exists() && fs::read(&files.certificate).is_ok_and(|pem| is_for(&pem, hosts)) {
        return Ok(files);
    }
    let (certificate, key) = make(hosts).map_err(|error| Failure::Cannot(format!("cannot make a certificate: {error}")))?;
    let cannot = |error: &std::io::Error| Failure::io(format_args!("cannot write the certificate to {}", folder.display()), error);
    fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&files.key).map_err(|error| cannot(&error))?;
    file.write_all(&key).map_err(|error| cannot(&error))?;
    fs::write(&files.certificate, certificate).map_err(|error| cannot(&error))?;
    Ok(files)
}

/// Whether a certificate has these names, or this machine's, and is good until tomorrow.
fn is_for(pem: &[u8], hosts: &[String]) -> bool {
    let (Ok(certificate), Ok(tomorrow)) = (X509::from_pem(pem), Asn1Time::days_from_now(1)) else { return false };
    let names = certificate.subject_alt_names();
    let names: Vec<&str> = names.iter().flatten().filter_map(|name| name.dnsname()).collect();
    let wanted: Vec<&str> = if hosts.is_empty() { vec!["localhost"] } else { hosts.iter().map(String::as_str).collect() };
    names == wanted && certificate.not_after() > tomorrow
}

/// A certificate for these hosts, or for this machine, and its key, in PEM.
fn make(hosts: &[String]) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "tollgate self-signed")?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*Asn1Integer::from_bn(&serial)?)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    certificate.set_not_after(&*Asn1Time::days_from_now(LIFETIME)?)?;
    certificate.set_pubkey(&key)?;
    certificate.append_extension(BasicConstraints::new().critical().build()?)?;
    certificate.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    certificate.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let mut names = SubjectAlternativeName::new();
    match hosts {
        [] => {
            names.dns("localhost").ip("127.0.0.1").ip("::1");
        }
        hosts => hosts.iter().for_each(|host| {
            names.dns(host);
        }),
    }
    let names = names.build(&certificate.x509v3_context(None, None))?;
    certificate.append_extension(names)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    Ok((certificate.build().to_pem()?, key.private_key_to_pem_pkcs8()?))
}

#[cfg(test)]
mod tests {
    use tollgate_testkit::Folder;

    use super::*;

    #[test]
    fn a_certificate_is_kept_for_the_same_hosts_and_made_anew_for_others() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        let made = |hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            let files = self_signed(&folder.join("tls"), &hosts).unwrap_or_else(|_| panic!("no certificate for {hosts:?}"));
            tollgate_pem::KeyPair::read(&files.certificate, &files.key).unwrap();
            assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
            fs::read(files.certificate).unwrap()
        };
        let first = made(&["a.example", "*.a.example"]);
        assert_eq!(first, made(&["a.example", "*.a.example"]));
        let other = made(&["b.example"]);
        assert_ne!(first, other);
        assert!(is_for(&made(&[]), &[]));
    }
}
