//! The trusted certificate authorities.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The TLS configuration with the trusted authorities, which are read when the first connection is opened.
#[derive(Default)]
pub(super) struct Trust(OnceLock<Arc<ClientConfig>>);

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// Returns a connector that verifies the server's certificate and its name with the authorities of `ca_file`, or
    /// those of the system.
    pub(super) fn connector(&self, ca_file: Option<&Path>) -> Result<MakeRustlsConnect, String> {
        let config = match self.0.get() {
            Some(config) => config.clone(),
            None => {
                let config = Arc::new(client_config(roots(ca_file)?)?);
                self.0.get_or_init(|| config).clone()
            }
        };
        Ok(MakeRustlsConnect::new((*config).clone()))
    }
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let source = match ca_file {
        Some(path) => {
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, &error))?
            {
                let certificate = certificate.map_err(|error| unreadable(path, &error))?;
                roots.add(certificate).map_err(|error| unreadable(path, &error))?;
            }
            path.display().to_string()
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "the system's trust store".to_owned()
        }
    };
    if roots.is_empty() { Err(format!("no certificate authorities in {source}")) } else { Ok(roots) }
}

fn unreadable(path: &Path, error: &impl std::fmt::Display) -> String {
    format!("certificate authorities {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error_with_its_path() {
        for (content, message) in
            [("", "no certificate authorities in"), ("-----BEGIN CERTIFICATE-----\n!", "")]
        {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), content).unwrap();
            let error = Trust::default().connector(Some(file.path())).err().unwrap();
            assert!(error.contains(message) && error.contains(&*file.path().to_string_lossy()), "{error}");
        }
        let error = Trust::default().connector(Some(Path::new("/no/such.pem"))).err().unwrap();
        assert!(error.contains("/no/such.pem"), "{error}");
    }
}
