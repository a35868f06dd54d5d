#include "libhsmops/net/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "libhsmops/base/printable.h"

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr int kMaxDepth = static_cast<int>(kMaxChain);

// The chain, as OpenSSL verifies it: signatures, times, purposes, our CAs and no others. Then who
// it is. The error code left behind becomes the TLS alert.
Result<Identity> VerifyChain(X509_STORE_CTX* chain) {
  if (X509_verify_cert(chain) != 1) {
    return Error(ErrorCode::kAuthFailed,
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain)));
  }
  const STACK_OF(X509)* verified = X509_STORE_CTX_get0_chain(chain);
  auto identity = IdentityOf(*X509_STORE_CTX_get0_cert(chain));
  if (identity.ok() &&
      !SpeaksFor(*sk_X509_value(verified, sk_X509_num(verified) - 1), identity->pool)) {
    identity = Error(ErrorCode::kAuthFailed,
                     fmt::format("{} by the CA of another pool", identity->text()));
  }
  if (!identity.ok()) X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return identity;
}

struct ClientCheck {
  SpiffeId peer;
  Verdict* verdict;
};

int ClientCheckIndex() {
  // Freed with its context.
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* check, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<ClientCheck*>(check);
      });
  return index;
}

int VerifyServer(X509_STORE_CTX* chain, void* argument) {
  const auto& check = *static_cast<const ClientCheck*>(argument);
  const auto identity = VerifyChain(chain);
  if (!identity.ok()) {
    check.verdict->refused = base::Printable(identity.error().message());
    return 0;
  }
  if (identity->text() == check.peer.text()) return 1;
  check.verdict->refused =
      fmt::format("it proved to be {}, which is not {}", identity->text(), check.peer.text());
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

int VerifyClient(X509_STORE_CTX* chain, void* argument) {
  const auto& own = *static_cast<const Credentials*>(argument);
  const auto identity = VerifyChain(chain);
  if (identity.ok() && identity->pool == own.identity().pool) return 1;
  if (X509_STORE_CTX_get_error(chain) == X509_V_OK)
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// The last one counts, as for who wrote the rule (Go's crypto/x509). Empty: none that is text.
std::string CommonName(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) last = at;
  if (last < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return base::Printable(name) == name ? name : std::string();
}

int VerifyProxy(X509_STORE_CTX* chain, void* argument) {
  if (X509_verify_cert(chain) != 1) return 0;
  const auto& proxies = *static_cast<const FrontProxies*>(argument);
  if (proxies.LetsIn(CommonName(*X509_STORE_CTX_get0_cert(chain)))) return 1;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// The alerts of RFC 8446 §6.2 by which a server refuses a certificate within its handshake. Others,
// such as internal_error, may come after it has acted on a request.
bool RefusesCertificate(int description) {
  return description == SSL_AD_HANDSHAKE_FAILURE || description == SSL_AD_CERTIFICATE_REQUIRED ||
         (description >= SSL_AD_BAD_CERTIFICATE && description <= SSL_AD_CERTIFICATE_UNKNOWN) ||
         description == SSL_AD_UNKNOWN_CA || description == SSL_AD_ACCESS_DENIED;
}

// In TLS 1.3 a client is done before the server has looked at its certificate, and may have sent
// its request already: the alert is what tells that the server acted on nothing.
void NoteAlert(const SSL* connection, int where, int alert) {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || (alert >> 8) != SSL3_AL_FATAL) return;
  if (!RefusesCertificate(alert & 0xff)) return;
  const auto* check = static_cast<ClientCheck*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), ClientCheckIndex()));
  if (check != nullptr) check->verdict->refused_us = SSL_alert_desc_string_long(alert);
}

Result<void> TlsFailed(const char* doing) {
  return Error(ErrorCode::kInternal, fmt::format("TLS: {}: {}", doing, TakeOpenSslError()));
}

Result<void> ConfigureBoth(SSL_CTX* context, const Credentials& credentials) {
  if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) return TlsFailed("TLS 1.3");
  // Data that was read is wiped from the library's buffer; a record buffer is held while it is
  // used.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT |
                                   SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify_depth(context, kMaxDepth);
  SSL_CTX_set1_cert_store(context, &credentials.trust());
  const auto& chain = credentials.chain();
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1)
    return TlsFailed("our certificate");
  SSL_CTX_clear_chain_certs(context);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return TlsFailed("our chain");
  }
  if (SSL_CTX_use_PrivateKey(context, &credentials.key()) != 1) return TlsFailed("our key");
  return {};
}

}  // namespace

Result<void> ConfigureClient(ssl_ctx_st& context, const Credentials& credentials,
                             const SpiffeId& peer, Verdict& verdict) {
  HSM_RETURN_IF_ERROR(ConfigureBoth(&context, credentials));
  auto check = std::make_unique<ClientCheck>(ClientCheck{peer, &verdict});
  if (SSL_CTX_set_ex_data(&context, ClientCheckIndex(), check.get()) != 1)
    return TlsFailed("memory");
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(&context, VerifyServer, check.release());
  SSL_CTX_set_info_callback(&context, NoteAlert);
  return {};
}

Result<void> ConfigureServer(ssl_ctx_st& context, const Credentials& credentials) {
  HSM_RETURN_IF_ERROR(ConfigureBoth(&context, credentials));
  SSL_CTX_set_num_tickets(&context, 0);
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(&context, VerifyClient, const_cast<Credentials*>(&credentials));
  return {};
}

Result<void> ConfigureServer(ssl_ctx_st& context, const Credentials& credentials,
                             const FrontProxies& proxies) {
  HSM_RETURN_IF_ERROR(ConfigureServer(context, credentials));
  if (SSL_CTX_set1_verify_cert_store(&context, &proxies.trust()) != 1) return TlsFailed("trust");
  SSL_CTX_set_cert_verify_callback(&context, VerifyProxy, const_cast<FrontProxies*>(&proxies));
  return {};
}

namespace {

Result<const X509*> VerifiedLeaf(const ssl_st& connection) {
  const X509* leaf = SSL_get0_peer_certificate(&connection);
  if (leaf != nullptr && SSL_get_verify_result(&connection) == X509_V_OK) return leaf;
  return Error(ErrorCode::kAuthFailed, "no certificate that was verified");
}

}  // namespace

Result<Proven> ProvenPeer(const ssl_st& connection) {
  HSM_TRY(const X509* leaf, VerifiedLeaf(connection));
  HSM_TRY(Identity identity, IdentityOf(*leaf));
  HSM_TRY(const base::WallTime not_after, NotAfter(*leaf));
  return Proven{std::move(identity), not_after};
}

Result<Proven> ProvenProxy(const ssl_st& connection) {
  HSM_TRY(const X509* leaf, VerifiedLeaf(connection));
  HSM_TRY(const base::WallTime not_after, NotAfter(*leaf));
  return Proven{{"", Role::kFrontProxy, CommonName(*leaf)}, not_after};
}

std::string WhyRefused(const ssl_st& connection) {
  const long verdict = SSL_get_verify_result(&connection);
  if (verdict == X509_V_OK) return {};
  if (verdict == X509_V_ERR_APPLICATION_VERIFICATION) return "not an identity of this pool";
  return X509_verify_cert_error_string(verdict);
}

}  // namespace hsmops::net
