#include "cli/demo/tokens_story.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"

namespace hsmops::cli {
namespace {

using base::Result;

constexpr int kCertificates = 34;  // about 20 KB of PEM
constexpr int kManySecrets = 200;

// One self-signed P-256 certificate in PEM.
std::string Certificate(int serial) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  HSM_CHECK(key != nullptr && certificate != nullptr && out != nullptr);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
  const std::string name = fmt::format("demo authority number {}", serial);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_set_pubkey(certificate.get(), key.get());
  HSM_CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0 &&
            PEM_write_bio_X509(out.get(), certificate.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

class TokensStory {
 public:
  explicit TokensStory(Narrator& narrator) : tell_(narrator) {}

  Result<void> Tell() {
    HSM_RETURN_IF_ERROR(Writing());
    HSM_RETURN_IF_ERROR(Losing());
    HSM_RETURN_IF_ERROR(Diverging());
    return Returning();
  }

 private:
  Result<void> Writing() {
    tell_.Say(
        "Three HSMs, one on each node. SoftHSM tokens stand in for the hardware; any PKCS#11 token "
        "will do.");
    HSM_RETURN_IF_ERROR(
        tell_.Run({"init", "--nodes", "worker-1,worker-2,worker-3", "--standby", "worker-3"},
                  {kDone, {"2 mirrors in sync"}, {}}));
    tell_.Say("A password, a 20 KB certificate chain, random bytes, and 200 more in one batch.");
    HSM_RETURN_IF_ERROR(tell_.File("password", "correct horse battery staple"));
    std::string chain;
    for (int i = 1; i <= kCertificates; ++i) chain += Certificate(i);
    HSM_RETURN_IF_ERROR(tell_.File("chain.pem", chain));
    base::Bytes random(256);
    tell_.context().rng().Fill(random);
    HSM_RETURN_IF_ERROR(tell_.File("key.bin", std::string(random.begin(), random.end())));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"put", "app/db", "--from-file", "password=" + tell_.Path("password")},
                  {kDone, {"version 1.1", "worker-1, worker-2, worker-3"}, {"horse"}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"put", "app/tls", "--from-file", "chain.pem=" + tell_.Path("chain.pem")},
                  {kDone, {"version 1.2"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run({"put", "app/key", "--from-file", tell_.Path("key.bin")},
                                  {kDone, {"version 1.3"}, {}}));
    std::string many;
    for (int i = 0; i < kManySecrets; ++i) {
      many += fmt::format(
          "---\nkind: Secret\nmetadata: {{name: batch-{}}}\nstringData: {{token: \"{}\"}}\n", i,
          base::Hex(tell_.context().rng().Array<16>()));
    }
    HSM_RETURN_IF_ERROR(tell_.File("many.yaml", many));
    HSM_RETURN_IF_ERROR(tell_.Run({"put", "-f", tell_.Path("many.yaml"), "-o", "name"},
                                  {kDone, {"local:batch-199"}, {}}, 3));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"sync", "--full"},
                  {kDone, {"worker-2 equal to worker-1", "worker-3 equal to worker-1"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run({"list"}, {kDone, {"app/db", "app/tls", "full"}, {"2/3"}}, 6));
    HSM_RETURN_IF_ERROR(tell_.Run({"get", "app/db"}, {kDone, {"(hidden)"}, {"horse"}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"get", "app/tls", "--key", "chain.pem", "--raw"}, {kDone, {chain}, {}}, 2));
    return tell_.Run({"health"}, {kDone, {"healthy", "tolerates 2 more losses"}, {}});
  }

  Result<void> Losing() {
    tell_.Say("The Primary's token vanishes.");
    HSM_RETURN_IF_ERROR(Unplug("worker-1"));
    tell_.Say("Reads are still answered, and marked.");
    HSM_RETURN_IF_ERROR(tell_.Run({"get", "app/db", "--reveal"},
                                  {kDone, {"served by mirror", "in the sync set", "horse"}, {}}));
    tell_.Say("Writes are refused, with the reason. Nothing is promoted behind anybody's back.");
    HSM_RETURN_IF_ERROR(
        tell_.Run({"put", "app/db", "--from-file", "password=" + tell_.Path("password")},
                  {kFailed, {"Primary worker-1 cannot take writes"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run(
        {"health"}, {kConditionNotMet, {"PrimaryUnavailable", "failover --to worker-3"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run(
        {"check", "--for", "failover"},
        {kDone, {"yes: worker-3 could be promoted without losing an acknowledged write"}, {}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"failover", "--reason", "token of worker-1 vanished"},
                  {kDone, {"worker-3 is the Primary of epoch 2", "lost none"}, {}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"put", "app/db", "--from-file", "password=" + tell_.Path("password")},
                  {kDone, {"version 2."}, {}}));
    tell_.Say("The token returns. It is behind, and brought up to date.");
    HSM_RETURN_IF_ERROR(Plug("worker-1"));
    HSM_RETURN_IF_ERROR(tell_.Run({"sync"}, {kDone, {"worker-1 equal to worker-3"}, {}}));
    return tell_.Run(
        {"promote", "--to", "worker-1", "--expected-primary", "worker-3"},
        {kDone,
         {"worker-1 is the Primary of epoch 3", "203 secrets proved equal", "lost none"},
         {}});
  }

  Result<void> Diverging() {
    tell_.Say(
        "Now the worst case: both mirrors are away, a write is acknowledged by the Primary alone, "
        "and then that token dies too.");
    HSM_RETURN_IF_ERROR(Unplug("worker-2"));
    HSM_RETURN_IF_ERROR(Unplug("worker-3"));
    HSM_RETURN_IF_ERROR(tell_.File("only-here", "written while nobody mirrored"));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"put", "app/alone", "--from-file", "note=" + tell_.Path("only-here")},
                  {kDone, {"out of the sync set", "on worker-1"}, {"worker-1, worker-"}}));
    HSM_RETURN_IF_ERROR(Unplug("worker-1"));
    HSM_RETURN_IF_ERROR(Plug("worker-2"));
    HSM_RETURN_IF_ERROR(Plug("worker-3"));
    tell_.Say("No promotion by itself: it could lose that write.");
    HSM_RETURN_IF_ERROR(tell_.Run({"check", "--for", "failover"},
                                  {kConditionNotMet, {"the sync set is empty"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run({"failover"}, {kRefused, {"not in the sync set"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run(
        {"failover", "--to", "worker-2", "--accept-loss", "--yes", "--reason", "worker-1 burnt"},
        {kDone, {"worker-2 is the Primary", "lost unknown"}, {}}));
    return {};
  }

  Result<void> Returning() {
    tell_.Say(
        "And the old token returns after all, with the version that nobody else has. It is set "
        "aside, shown, and kept.");
    HSM_RETURN_IF_ERROR(Plug("worker-1"));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"sync"}, {kDone, {"quarantined 1", "worker-1 equal to worker-2"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run({"divergence", "list"}, {kDone, {"app/alone", "worker-1"}, {}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"divergence", "export", "app/alone", "--to", tell_.Path("rescued.json")},
                  {kDone, {"rescued.json"}, {"nobody mirrored"}}));
    tell_.Say("A person decides: here it is written again, as a new version on all three.");
    HSM_RETURN_IF_ERROR(
        tell_.Run({"put", "-f", tell_.Path("rescued.json")},
                  {kDone, {"app/alone written", "worker-2, worker-1, worker-3"}, {}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"divergence", "discard", "app/alone", "--yes"}, {kDone, {"discarded"}, {}}));
    tell_.Say("Back to the preferred Primary, with proof of equality.");
    HSM_RETURN_IF_ERROR(
        tell_.Run({"promote", "--to", "worker-1", "--reason", "back home"},
                  {kDone, {"worker-1 is the Primary of epoch 5", "204 secrets proved equal"}, {}}));
    HSM_RETURN_IF_ERROR(tell_.Run({"diff", "worker-1", "worker-3"}, {kDone, {"are equal"}, {}}));
    HSM_RETURN_IF_ERROR(
        tell_.Run({"history"}, {kDone, {"Failover", "Promote", "worker-1 burnt"}, {}}));
    return tell_.Run({"health"}, {kDone, {"healthy", "tolerates 2 more losses"}, {}});
  }

  std::string TokenFolder(const std::string& node) const {
    return fmt::format("{}/tokens/default.local/{}/tokens", tell_.cluster(), node);
  }

  Result<void> Rename(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) return base::ErrnoError("moving", from, errno);
    return {};
  }
  // The token's files are its hardware: without them the module finds no token.
  Result<void> Unplug(const std::string& node) {
    tell_.Aside(fmt::format("unplugging the token of {}", node));
    HSM_RETURN_IF_ERROR(Rename(TokenFolder(node), TokenFolder(node) + ".unplugged"));
    return base::MakeFolders(TokenFolder(node), 0700);
  }
  Result<void> Plug(const std::string& node) {
    tell_.Aside(fmt::format("plugging the token of {} in again", node));
    std::error_code error;
    std::filesystem::remove_all(TokenFolder(node), error);
    return Rename(TokenFolder(node) + ".unplugged", TokenFolder(node));
  }

  Narrator& tell_;
};

}  // namespace

base::Result<void> TellOfTokens(Narrator& narrator) { return TokensStory(narrator).Tell(); }

}  // namespace hsmops::cli
