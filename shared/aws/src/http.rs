//! The HTTP client of the SDK. It reads the TLS roots when the first `https` request is sent.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// A client for `http` and `https`, with a connection pool for each that is created on first use. The SDK's own client
/// reads the system's certificates when a service client is created, which would take most of a cold start.
///
/// The settings of the first call apply to all calls: all service clients are created from one [`crate::clients::Aws`].
#[derive(Clone, Default)]
pub(crate) struct SchemeClient {
    connector: Arc<OnceLock<SharedHttpConnector>>,
}

impl SchemeClient {
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for SchemeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SchemeClient")
    }
}

impl HttpClient for SchemeClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.connector.get_or_init(|| {
            let mut builder = Connector::builder().connector_settings(settings.clone());
            builder.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(SchemeConnector {
                builder,
                http: OnceLock::new(),
                https: OnceLock::new(),
            })
        });
        connector.clone()
    }
}

struct SchemeConnector {
    builder: ConnectorBuilder,
    http: OnceLock<Connector>,
    https: OnceLock<Connector>,
}

impl fmt::Debug for SchemeConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SchemeConnector")
    }
}

impl HttpConnector for SchemeConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = if request.uri().starts_with("http://") {
            self.http.get_or_init(|| self.builder.clone().build_http())
        } else {
            self.https
                .get_or_init(|| self.builder.clone().tls_provider(Provider::rustls(CryptoMode::Ring)).build())
        };
        connector.call(request)
    }
}
