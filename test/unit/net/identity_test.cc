// Who somebody is: SPIFFE IDs, and the certificates that carry them.
#include <doctest/doctest.h>
#include <openssl/x509v3.h>

#include "test/unit/net/pool.h"

namespace hsmops::net {
namespace {

using base::ErrorCode;

// OpenSSL's own verdict on a leaf, for this purpose.
int VerifyAs(const Certificate& leaf, const Certificate& authority, int purpose) {
  const TrustStore store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store.get(), leaf.get(), nullptr);
  X509_STORE_CTX_set_purpose(context, purpose);
  X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);
  X509_verify_cert(context);
  const int verdict = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  return verdict;
}

Certificate Parse(const std::string& pem) {
  auto all = ParseCertificates(base::AsBytes(pem), 1);
  REQUIRE(all.ok());
  return std::move(all->front());
}

}  // namespace

TEST_CASE("identities of ours come back from their text") {
  const auto id = SpiffeId::Parse("spiffe://payments.prod/member/worker-1.example");
  REQUIRE(id.ok());
  CHECK(id->trust_domain == "payments.prod");
  CHECK(id->path == "/member/worker-1.example");
  const auto identity = Identity::Of(*id);
  REQUIRE(identity.ok());
  CHECK(*identity == Identity{"payments.prod", Role::kMember, "worker-1.example"});
  CHECK(identity->Id()->text() == id->text());
  CHECK(SpiffeId::Parse("spiffe://payments")->path.empty());
  CHECK(SpiffeId::Parse("spiffe://p/" + std::string(2036, 'a')).ok());
}

TEST_CASE("what is not a SPIFFE ID is refused") {
  for (const std::string bad : {"",
                                "payments",
                                "spiffe:",
                                "spiffe://",
                                "Spiffe://p/a",
                                "SPIFFE://p",
                                "https://p/a",
                                "spiffe:///a",
                                "spiffe://P/a",
                                "spiffe://p:1/a",
                                "spiffe://u@p/a",
                                "spiffe://p/",
                                "spiffe://p//a",
                                "spiffe://p/a/",
                                "spiffe://p/./a",
                                "spiffe://p/../a",
                                "spiffe://p/..",
                                "spiffe://p/a?b",
                                "spiffe://p/a#b",
                                "spiffe://p/a%2fb",
                                "spiffe://p/a b",
                                "spiffe://p é/a",
                                " spiffe://p/a",
                                "spiffe://p/a\n"}) {
    CHECK_MESSAGE(SpiffeId::Parse(bad).Is(ErrorCode::kInvalid), bad);
  }
  CHECK(SpiffeId::Parse(std::string("spiffe://p/a\0b", 14)).Is(ErrorCode::kInvalid));
  CHECK(SpiffeId::Parse("spiffe://" + std::string(256, 'a')).Is(ErrorCode::kInvalid));
  CHECK(SpiffeId::Parse("spiffe://p/" + std::string(2038, 'a')).Is(ErrorCode::kInvalid));
  const auto escape = SpiffeId::Parse("spiffe://p/\x1b[31m");
  CHECK(escape.error().message().find('\x1b') == std::string::npos);
}

TEST_CASE("a SPIFFE ID of another shape is nobody here") {
  for (const char* bad : {"spiffe://p", "spiffe://p/member", "spiffe://p/member/a/b",
                          "spiffe://p/members/a", "spiffe://p/Member/a", "spiffe://p/root/a"}) {
    CHECK_MESSAGE(Identity::Of(*SpiffeId::Parse(bad)).Is(ErrorCode::kInvalid), bad);
  }
  CHECK(Identity{"p", Role::kReader, "a/b"}.Id().Is(ErrorCode::kInvalid));
  CHECK(Identity{"p/member/x", Role::kReader, "a"}.Id().Is(ErrorCode::kInvalid));
  CHECK(Identity{"p", Role::kReader, ""}.Id().Is(ErrorCode::kInvalid));
}

TEST_CASE("OpenSSL, asked to be strict, accepts what our CA makes as both ends of a connection") {
  const TestPool pool;
  const Certificate authority = Parse(pool.ca_pem());
  const auto ca = CertificateAuthority::Load(base::AsBytes(pool.ca_pem()), pool.ca_key());
  REQUIRE(ca.ok());
  const auto issued = ca->Issue({pool.Of(Role::kMember, "worker-1"),
                                 {"worker-1.svc"},
                                 {"10.0.0.1", "fd00::1"},
                                 std::chrono::hours(24)},
                                TestPool::Wall());
  REQUIRE(issued.ok());
  const Certificate leaf = Parse(issued->certificate);
  CHECK(VerifyAs(leaf, authority, X509_PURPOSE_SSL_CLIENT) == X509_V_OK);
  CHECK(VerifyAs(leaf, authority, X509_PURPOSE_SSL_SERVER) == X509_V_OK);
  CHECK(VerifyAs(leaf, authority, X509_PURPOSE_SMIME_SIGN) != X509_V_OK);
  CHECK(VerifyAs(leaf, Parse(TestPool("other").ca_pem()), X509_PURPOSE_SSL_SERVER) != X509_V_OK);
  CHECK(X509_check_ca(leaf.get()) == 0);
  CHECK(X509_get_pathlen(authority.get()) == 0);
  CHECK(X509_check_host(leaf.get(), "worker-1.svc", 0, 0, nullptr) == 1);
  CHECK(X509_check_ip_asc(leaf.get(), "fd00::1", 0) == 1);
  CHECK(*IdentityOf(*leaf) == pool.Of(Role::kMember, "worker-1"));
  CHECK(UriNames(*authority) == std::vector<std::string>{"spiffe://payments"});
  CHECK(ASN1_STRING_length(X509_get0_serialNumber(leaf.get())) == 16);
  const auto key = ParsePrivateKey(issued->key);
  REQUIRE(key.ok());
  CHECK(X509_check_private_key(leaf.get(), key->get()) == 1);
  CHECK(TextOf(issued->key).starts_with("-----BEGIN PRIVATE KEY-----"));
}

TEST_CASE("the CA of one pool refuses what it should not make") {
  const TestPool pool;
  const auto now = TestPool::Wall();
  const auto ca = CertificateAuthority::Load(base::AsBytes(pool.ca_pem()), pool.ca_key());
  REQUIRE(ca.ok());
  const Identity worker = pool.Of(Role::kMember, "worker-1");
  const std::chrono::hours hour(1);
  CHECK(ca->Issue({worker, {}, {}, hour}, now).ok());
  CHECK(ca->Issue({{"other", Role::kMember, "a"}, {}, {}, hour}, now).Is(ErrorCode::kInvalid));
  CHECK(ca->Issue({pool.Of(Role::kMember, "a/b"), {}, {}, hour}, now).Is(ErrorCode::kInvalid));
  CHECK(ca->Issue({worker, {"a,URI:spiffe://x"}, {}, hour}, now).Is(ErrorCode::kInvalid));
  CHECK(ca->Issue({worker, {}, {"not.an.address"}, hour}, now).Is(ErrorCode::kInvalid));
  CHECK(ca->Issue({worker, {}, {}, -hour}, now).Is(ErrorCode::kInvalid));
  CHECK(ca->Issue({worker, {}, {}, 24 * 4000 * hour}, now).Is(ErrorCode::kInvalid));
  CHECK(CertificateAuthority::Create("Not A Pool", now).Is(ErrorCode::kInvalid));
  CHECK(CertificateAuthority::Create("a/b", now).Is(ErrorCode::kInvalid));
  const Issued leaf = pool.Issue(worker, now);
  CHECK(CertificateAuthority::Load(base::AsBytes(leaf.certificate), leaf.key)
            .Is(ErrorCode::kInvalid));
  CHECK(CertificateAuthority::Load(base::AsBytes(pool.ca_pem()), leaf.key).Is(ErrorCode::kInvalid));
}

TEST_CASE("a CA that names a pool speaks for no other") {
  const Certificate authority = Parse(TestPool("payments").ca_pem());
  CHECK(SpeaksFor(*authority, "payments"));
  CHECK_FALSE(SpeaksFor(*authority, "payments2"));
}

}  // namespace hsmops::net
