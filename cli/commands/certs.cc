#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/net/certificate_authority.h"

namespace hsmops::cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::chrono::hours kDefaultValidity{24 * 90};
constexpr std::chrono::hours kCliValidity{24 * 365};
constexpr std::size_t kMaxCaBytes = std::size_t{64} << 10;

struct CertsWords {
  std::string action;
  std::string pool;
  std::string member;
  std::string manager;
  std::string reader;
  std::string out;
  std::string validity;
  std::vector<std::string> dns;
  std::vector<std::string> ip;
  bool force = false;
};

std::string CertsFolder(const Context& context) { return context.globals().local + "/certs"; }

Result<base::SecretBytes> ReadCaFile(const std::string& path) {
  return base::ReadFile(path, kMaxCaBytes).Within(path);
}

// The names that a kubernetes.io/tls Secret has, so that it can be mounted as it is. The key last,
// so that a folder with a key is whole.
Result<void> WriteLeaf(const std::string& folder, base::ByteView ca, const net::Issued& issued) {
  HSM_RETURN_IF_ERROR(base::MakeFolders(folder, 0700));
  HSM_RETURN_IF_ERROR(base::WriteFile(folder + "/ca.crt", ca, 0644));
  HSM_RETURN_IF_ERROR(
      base::WriteFile(folder + "/tls.crt", base::AsBytes(issued.certificate), 0644));
  return base::WriteFile(folder + "/tls.key", issued.key.view(), 0600);
}

Result<net::Issued> Issue(Context& context, const std::string& certs, const net::LeafRequest& leaf,
                          base::SecretBytes& ca) {
  HSM_TRY(ca, ReadCaFile(certs + "/ca.crt"));
  HSM_TRY(const base::SecretBytes key, ReadCaFile(certs + "/ca.key"));
  HSM_TRY(const net::CertificateAuthority authority,
          net::CertificateAuthority::Load(ca.view(), key.view()).Within(certs));
  net::LeafRequest request = leaf;
  request.identity.pool = authority.pool();
  return authority.Issue(request, context.clock().Wall());
}

int Print(Context& context, const std::string& identity, const std::string& folder) {
  const nlohmann::json document{
      {"kind", "Certificate"}, {"identity", identity}, {"folder", folder}};
  return hsmops::cli::Print(context, document, [&](bool) {
    context.out() << base::Printable(fmt::format("{} in {}", identity, folder)) << "\n";
  });
}

// A CA of the pool, and a certificate for who works with this cluster folder.
Result<std::string> MakeCa(Context& context, const CertsWords& words, const std::string& certs) {
  if (fs::exists(certs + "/ca.key")) {
    return Error(ErrorCode::kConflict,
                 fmt::format("{} has a CA already; certs issue makes certificates of it", certs));
  }
  // Another CA is another pool, so its name is used once.
  const std::string pool =
      words.pool.empty() ? "hsm-" + base::Hex(context.rng().Array<6>()) : words.pool;
  HSM_TRY(const net::Issued ca, net::CertificateAuthority::Create(pool, context.clock().Wall()));
  HSM_RETURN_IF_ERROR(base::MakeFolders(certs, 0700));
  HSM_RETURN_IF_ERROR(base::WriteFile(certs + "/ca.crt", base::AsBytes(ca.certificate), 0644));
  HSM_RETURN_IF_ERROR(base::WriteFile(certs + "/ca.key", ca.key.view(), 0600));
  base::SecretBytes read;
  HSM_TRY(const net::Issued leaf,
          Issue(context, certs, {{pool, net::Role::kManager, "cli"}, {}, {}, kCliValidity}, read));
  HSM_RETURN_IF_ERROR(WriteLeaf(certs + "/cli", read.view(), leaf));
  return "spiffe://" + pool;
}

Result<net::Identity> ForWhom(const CertsWords& words) {
  const int named = (words.member.empty() ? 0 : 1) + (words.manager.empty() ? 0 : 1) +
                    (words.reader.empty() ? 0 : 1);
  if (named != 1)
    return Error(ErrorCode::kInvalid, "say for whom: one of --member, --manager or --reader NAME");
  if (!words.member.empty()) return net::Identity{"", net::Role::kMember, words.member};
  if (!words.manager.empty()) return net::Identity{"", net::Role::kManager, words.manager};
  return net::Identity{"", net::Role::kReader, words.reader};
}

int RunIssue(Context& context, const CertsWords& words) {
  const auto identity = ForWhom(words);
  if (!identity.ok()) return context.Fail(identity.error());
  base::Duration validity = kDefaultValidity;
  if (!words.validity.empty()) {
    const auto parsed = base::ParseDuration(words.validity).Within("--for");
    if (!parsed.ok()) return context.Fail(parsed.error());
    validity = *parsed;
  }
  const std::string certs = CertsFolder(context);
  const std::string folder =
      words.out.empty() ? fmt::format("{}/{}-{}", certs, net::Name(identity->role), identity->name)
                        : words.out;
  if (fs::exists(folder + "/tls.key") && !words.force) {
    return context.Fail(
        {ErrorCode::kConflict, fmt::format("{} has a key already; --force replaces it", folder)});
  }
  base::SecretBytes ca;
  auto leaf = Issue(context, certs, {*identity, words.dns, words.ip, validity}, ca);
  if (leaf.Is(ErrorCode::kNotFound))
    return context.Fail(
        {ErrorCode::kUnavailable, leaf.error().message() + "; kubectl hsm certs init makes a CA"});
  if (!leaf.ok()) return context.Fail(leaf.error());
  if (auto written = WriteLeaf(folder, ca.view(), *leaf); !written.ok())
    return context.Fail(written.error());
  return Print(context, fmt::format("{} {}", net::Name(identity->role), identity->name), folder);
}

int Run(const CertsWords& words, Context& context) {
  if (context.globals().local.empty())
    return context.Fail({ErrorCode::kInvalid, "name the cluster folder with --local DIR"});
  if (words.action == "issue") return RunIssue(context, words);
  if (words.action != "init")
    return context.Fail({ErrorCode::kInvalid, "certs init, or certs issue"});
  const std::string certs = CertsFolder(context);
  const auto made = MakeCa(context, words, certs);
  if (!made.ok()) return context.Fail(made.error());
  return Print(context, *made, certs);
}

}  // namespace

Verb CertsVerb() {
  return {"certs",
          "A CA for agents and managers, and certificates, for those without cert-manager",
          {},
          {"kubectl hsm --local ./c certs init",
           "kubectl hsm --local ./c certs issue --member worker-1 --ip 10.0.0.11 --out ./worker-1"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<CertsWords>();
            words.Argument("ACTION", "init or issue", options->action, true);
            words.Takes("ACTION", {"init", "issue"});
            words.Option("pool", "NAME", "init: the pool's name, a SPIFFE trust domain used once",
                         options->pool);
            words.Option("member", "NODE", "issue: for the agent of this node", options->member);
            words.Option("manager", "NAME", "issue: for a manager, or a person who acts",
                         options->manager);
            words.Option("reader", "NAME", "issue: for who may read secrets and nothing else",
                         options->reader);
            words.List("dns", "NAME", "issue: a DNS name beside the identity", options->dns);
            words.List("ip", "ADDRESS", "issue: an address beside the identity", options->ip);
            words.Option("for", "DURATION", "issue: how long it is valid; by default 90d",
                         options->validity);
            words.Option("out", "DIR", "issue: where ca.crt, tls.crt and tls.key go", options->out);
            words.Flag("force", "issue: replace a key that is there", options->force);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
