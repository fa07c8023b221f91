//! Only the client whose certificate was handed over gets in.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::ServerName;

use super::*;

/// A certificate as go-plugin makes it: self-signed, a CA, on P-521 where the client is Go.
struct Client {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

impl Client {
    fn new(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

/// Go's client takes the certificate of the handshake line as its only root; WebPKI would refuse a CA as a server.
#[derive(Debug)]
struct ShownInHandshake {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ShownInHandshake {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        assert_eq!(end_entity, &self.own, "the server shows what the handshake line said");
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Connects to a server that pins `expected`, showing what `shown` gives; true if bytes pass.
async fn gets_in(
    expected: &Client,
    shown: impl FnOnce(rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>) -> ClientConfig,
) -> bool {
    let server = MutualTls::new(&expected.certificate.pem()).unwrap();
    let own = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&server.certificate).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = ShownInHandshake { own: CertificateDer::from(own), provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let connector = TlsConnector::from(Arc::new(shown(builder)));
    let (near, far) = UnixStream::pair().unwrap();
    let serving = tokio::spawn(async move {
        let mut stream = server.acceptor.accept(far).await?;
        stream.write_all(b"in").await?;
        stream.shutdown().await
    });
    let name = ServerName::try_from("localhost").unwrap();
    let mut read = Vec::new();
    let connected = match connector.connect(name, near).await {
        // With TLS 1.3 the refusal comes only with the first read.
        Ok(mut stream) => stream.read_to_end(&mut read).await.is_ok(),
        Err(_) => false,
    };
    let served = serving.await.unwrap().is_ok();
    assert_eq!(connected && read == b"in", served, "both sides agree");
    served
}

#[tokio::test]
async fn the_pinned_certificate_is_accepted_on_p521_and_p256() {
    for algorithm in [&rcgen::PKCS_ECDSA_P521_SHA512, &rcgen::PKCS_ECDSA_P256_SHA256] {
        let client = Client::new(algorithm);
        let chain = vec![client.certificate.der().clone()];
        assert!(gets_in(&client, |b| b.with_client_auth_cert(chain, client.key()).unwrap()).await);
    }
}

#[tokio::test]
async fn another_certificate_is_refused() {
    let (client, stranger) =
        (Client::new(&rcgen::PKCS_ECDSA_P521_SHA512), Client::new(&rcgen::PKCS_ECDSA_P521_SHA512));
    let chain = vec![stranger.certificate.der().clone()];
    assert!(!gets_in(&client, |b| b.with_client_auth_cert(chain, stranger.key()).unwrap()).await);
}

#[tokio::test]
async fn no_certificate_is_refused() {
    let client = Client::new(&rcgen::PKCS_ECDSA_P521_SHA512);
    assert!(!gets_in(&client, |b| b.with_no_client_auth()).await);
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_refused() {
    let (client, thief) =
        (Client::new(&rcgen::PKCS_ECDSA_P521_SHA512), Client::new(&rcgen::PKCS_ECDSA_P521_SHA512));
    let signer = aws_lc_rs::default_provider().key_provider.load_private_key(thief.key()).unwrap();
    let stolen = rustls::sign::CertifiedKey::new(vec![client.certificate.der().clone()], signer);
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
    assert!(!gets_in(&client, |b| b.with_client_cert_resolver(resolver)).await);
}

#[test]
fn what_is_no_certificate_is_told() {
    assert!(matches!(MutualTls::new("nonsense"), Err(TlsError::ClientCertificate(_))));
}
