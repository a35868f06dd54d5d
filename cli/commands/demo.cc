#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>
#include <sstream>

#include "cli/app.h"
#include "cli/commands/demo_folder.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
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

// What a step has to show, or the demo fails.
struct Expected {
  int code = kDone;
  std::vector<std::string> says;   // on stdout or stderr
  std::vector<std::string> never;  // on neither
};

class Story {
 public:
  Story(Context& context, std::string folder)
      : context_(context), folder_(std::move(folder)), local_(folder_ + "/cluster") {}

  int Tell() {
    const base::TimePoint begin = context_.clock().Now();
    auto told = Acts();
    if (!told.ok()) {
      context_.err() << "demo FAILED: " << told.error().message() << "\n";
      return kFailed;
    }
    context_.out() << fmt::format("\nDone in {}: {} commands, every one showed what it should.\n",
                                  base::FormatDuration(context_.clock().Now() - begin), commands_);
    return kDone;
  }

 private:
  Result<void> Acts() {
    HSM_RETURN_IF_ERROR(Writing());
    HSM_RETURN_IF_ERROR(Losing());
    HSM_RETURN_IF_ERROR(Diverging());
    return Returning();
  }

  Result<void> Writing() {
    Say("Every command here has --local " + local_ +
        " as well, which names the cluster; it is left out to be read.");
    Say("Three HSMs, one on each node. SoftHSM tokens stand in for the hardware; any PKCS#11 token "
        "will do.");
    HSM_RETURN_IF_ERROR(
        Run({"init", "--nodes", "worker-1,worker-2,worker-3", "--standby", "worker-3"},
            {kDone, {"2 mirrors in sync"}, {}}));
    Say("A password, a 20 KB certificate chain, random bytes, and 200 more in one batch.");
    HSM_RETURN_IF_ERROR(File("password", "correct horse battery staple"));
    std::string chain;
    for (int i = 1; i <= kCertificates; ++i) chain += Certificate(i);
    HSM_RETURN_IF_ERROR(File("chain.pem", chain));
    base::Bytes random(256);
    context_.rng().Fill(random);
    HSM_RETURN_IF_ERROR(File("key.bin", std::string(random.begin(), random.end())));
    HSM_RETURN_IF_ERROR(Run({"put", "app/db", "--from-file", "password=" + Path("password")},
                            {kDone, {"version 1.1", "worker-1, worker-2, worker-3"}, {"horse"}}));
    HSM_RETURN_IF_ERROR(Run({"put", "app/tls", "--from-file", "chain.pem=" + Path("chain.pem")},
                            {kDone, {"version 1.2"}, {}}));
    HSM_RETURN_IF_ERROR(
        Run({"put", "app/key", "--from-file", Path("key.bin")}, {kDone, {"version 1.3"}, {}}));
    std::string many;
    for (int i = 0; i < kManySecrets; ++i) {
      many += fmt::format(
          "---\nkind: Secret\nmetadata: {{name: batch-{}}}\nstringData: {{token: \"{}\"}}\n", i,
          base::Hex(context_.rng().Array<16>()));
    }
    HSM_RETURN_IF_ERROR(File("many.yaml", many));
    HSM_RETURN_IF_ERROR(
        Run({"put", "-f", Path("many.yaml"), "-o", "name"}, {kDone, {"local:batch-199"}, {}}, 3));
    HSM_RETURN_IF_ERROR(
        Run({"sync", "--full"},
            {kDone, {"worker-2 equal to worker-1", "worker-3 equal to worker-1"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"list"}, {kDone, {"app/db", "app/tls", "full"}, {"2/3"}}, 6));
    HSM_RETURN_IF_ERROR(Run({"get", "app/db"}, {kDone, {"(hidden)"}, {"horse"}}));
    HSM_RETURN_IF_ERROR(
        Run({"get", "app/tls", "--key", "chain.pem", "--raw"}, {kDone, {chain}, {}}, 2));
    return Run({"health"}, {kDone, {"healthy", "tolerates 2 more losses"}, {}});
  }

  Result<void> Losing() {
    Say("The Primary's token vanishes.");
    HSM_RETURN_IF_ERROR(Unplug("worker-1"));
    Say("Reads are still answered, and marked.");
    HSM_RETURN_IF_ERROR(Run({"get", "app/db", "--reveal"},
                            {kDone, {"served by mirror", "in the sync set", "horse"}, {}}));
    Say("Writes are refused, with the reason. Nothing is promoted behind anybody's back.");
    HSM_RETURN_IF_ERROR(Run({"put", "app/db", "--from-file", "password=" + Path("password")},
                            {kFailed, {"Primary worker-1 cannot take writes"}, {}}));
    HSM_RETURN_IF_ERROR(
        Run({"health"}, {kConditionNotMet, {"PrimaryUnavailable", "failover --to worker-3"}, {}}));
    HSM_RETURN_IF_ERROR(
        Run({"check", "--for", "failover"},
            {kDone, {"yes: worker-3 could be promoted without losing an acknowledged write"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"failover", "--reason", "token of worker-1 vanished"},
                            {kDone, {"worker-3 is the Primary of epoch 2", "lost none"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"put", "app/db", "--from-file", "password=" + Path("password")},
                            {kDone, {"version 2."}, {}}));
    Say("The token returns. It is behind, and brought up to date.");
    HSM_RETURN_IF_ERROR(Plug("worker-1"));
    HSM_RETURN_IF_ERROR(Run({"sync"}, {kDone, {"worker-1 equal to worker-3"}, {}}));
    return Run({"promote", "--to", "worker-1", "--expected-primary", "worker-3"},
               {kDone,
                {"worker-1 is the Primary of epoch 3", "203 secrets proved equal", "lost none"},
                {}});
  }

  Result<void> Diverging() {
    Say("Now the worst case: both mirrors are away, a write is acknowledged by the Primary alone, "
        "and then that token dies too.");
    HSM_RETURN_IF_ERROR(Unplug("worker-2"));
    HSM_RETURN_IF_ERROR(Unplug("worker-3"));
    HSM_RETURN_IF_ERROR(File("only-here", "written while nobody mirrored"));
    HSM_RETURN_IF_ERROR(
        Run({"put", "app/alone", "--from-file", "note=" + Path("only-here")},
            {kDone, {"out of the sync set", "on worker-1"}, {"worker-1, worker-"}}));
    HSM_RETURN_IF_ERROR(Unplug("worker-1"));
    HSM_RETURN_IF_ERROR(Plug("worker-2"));
    HSM_RETURN_IF_ERROR(Plug("worker-3"));
    Say("No promotion by itself: it could lose that write.");
    HSM_RETURN_IF_ERROR(
        Run({"check", "--for", "failover"}, {kConditionNotMet, {"the sync set is empty"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"failover"}, {kRefused, {"not in the sync set"}, {}}));
    HSM_RETURN_IF_ERROR(Run(
        {"failover", "--to", "worker-2", "--accept-loss", "--yes", "--reason", "worker-1 burnt"},
        {kDone, {"worker-2 is the Primary", "lost unknown"}, {}}));
    return {};
  }

  Result<void> Returning() {
    Say("And the old token returns after all, with the version that nobody else has. It is set "
        "aside, shown, and kept.");
    HSM_RETURN_IF_ERROR(Plug("worker-1"));
    HSM_RETURN_IF_ERROR(
        Run({"sync"}, {kDone, {"quarantined 1", "worker-1 equal to worker-2"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"divergence", "list"}, {kDone, {"app/alone", "worker-1"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"divergence", "export", "app/alone", "--to", Path("rescued.json")},
                            {kDone, {"rescued.json"}, {"nobody mirrored"}}));
    Say("A person decides: here it is written again, as a new version on all three.");
    HSM_RETURN_IF_ERROR(Run({"put", "-f", Path("rescued.json")},
                            {kDone, {"app/alone written", "worker-2, worker-1, worker-3"}, {}}));
    HSM_RETURN_IF_ERROR(
        Run({"divergence", "discard", "app/alone", "--yes"}, {kDone, {"discarded"}, {}}));
    Say("Back to the preferred Primary, with proof of equality.");
    HSM_RETURN_IF_ERROR(
        Run({"promote", "--to", "worker-1", "--reason", "back home"},
            {kDone, {"worker-1 is the Primary of epoch 5", "204 secrets proved equal"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"diff", "worker-1", "worker-3"}, {kDone, {"are equal"}, {}}));
    HSM_RETURN_IF_ERROR(Run({"history"}, {kDone, {"Failover", "Promote", "worker-1 burnt"}, {}}));
    return Run({"health"}, {kDone, {"healthy", "tolerates 2 more losses"}, {}});
  }

  void Say(const std::string& sentence) { context_.out() << "\n# " << sentence << "\n"; }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  Result<void> File(const std::string& name, const std::string& content) {
    return base::WriteFile(Path(name), base::AsBytes(content), 0600);
  }

  std::string TokenFolder(const std::string& node) const {
    return fmt::format("{}/tokens/default.local/{}/tokens", local_, node);
  }

  Result<void> Rename(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) return base::ErrnoError("moving", from, errno);
    return {};
  }
  // The token's files are its hardware: without them the module finds no token.
  Result<void> Unplug(const std::string& node) {
    context_.out() << fmt::format("(unplugging the token of {})\n", node);
    HSM_RETURN_IF_ERROR(Rename(TokenFolder(node), TokenFolder(node) + ".unplugged"));
    return base::MakeFolders(TokenFolder(node), 0700);
  }
  Result<void> Plug(const std::string& node) {
    context_.out() << fmt::format("(plugging the token of {} in again)\n", node);
    std::error_code error;
    std::filesystem::remove_all(TokenFolder(node), error);
    return Rename(TokenFolder(node) + ".unplugged", TokenFolder(node));
  }

  // Runs one command as a user would type it, shows it (at most `lines` lines) and checks it.
  Result<void> Run(const std::vector<std::string>& words, const Expected& expected,
                   std::size_t lines = SIZE_MAX) {
    std::string typed = "kubectl hsm";
    for (const std::string& word : words)
      typed += " " + (word.find(' ') == std::string::npos ? word : "'" + word + "'");
    context_.out() << "$ " << typed << "\n";
    std::ostringstream out;
    std::ostringstream err;
    std::istringstream in;
    std::vector<std::string> all{"--local", local_};
    all.insert(all.end(), words.begin(), words.end());
    const int code = RunApp(all, Streams{out, err, in}, context_.program());
    ++commands_;
    const std::string text = err.str() + out.str();
    Show(text, lines);
    if (code != kDone) context_.out() << fmt::format("(exit code {})\n", code);
    context_.out() << std::flush;
    if (code != expected.code)
      return Error(ErrorCode::kInternal,
                   fmt::format("{}: exit code {} instead of {}", typed, code, expected.code));
    for (const std::string& wanted : expected.says) {
      if (text.find(wanted) == std::string::npos)
        return Error(ErrorCode::kInternal,
                     fmt::format("{}: does not say \"{}\"", typed, wanted.substr(0, 60)));
    }
    for (const std::string& never : expected.never) {
      if (text.find(never) != std::string::npos)
        return Error(ErrorCode::kInternal, fmt::format("{}: says \"{}\"", typed, never));
    }
    return {};
  }

  void Show(const std::string& text, std::size_t lines) {
    std::istringstream in(text);
    std::size_t shown = 0;
    std::size_t hidden = 0;
    for (std::string line; std::getline(in, line);) {
      if (shown++ < lines) {
        context_.out() << "  " << line << "\n";
      } else {
        ++hidden;
      }
    }
    if (hidden > 0) context_.out() << fmt::format("  … {} more lines\n", hidden);
  }

  Context& context_;
  std::string folder_;
  std::string local_;
  int commands_ = 0;
};

int RunStory(Context& context) {
  const char* temporary = std::getenv("TMPDIR");
  const std::string parent = temporary == nullptr ? "/tmp" : temporary;
  std::string folder = parent + "/kubectl-hsm-demo.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    const base::Error why = base::ErrnoError("making a folder in TMPDIR", parent, errno);
    return context.Fail(
        {why.code() == ErrorCode::kNotFound ? ErrorCode::kUnavailable : why.code(), why.message()});
  }
  const int code = Story(context, folder).Tell();
  std::error_code ignored;
  if (code == kDone) {
    std::filesystem::remove_all(folder, ignored);
  } else {
    context.err() << "its folder is kept: " << folder << "\n";
  }
  return code;
}

}  // namespace

Verb DemoVerb() {
  return {"demo",
          "The whole story on three SoftHSM tokens: run it, or set it up and take it down",
          {},
          {"kubectl hsm demo", "kubectl hsm demo up --local DIR"},
          true,
          [](Words& words) -> Runner {
            auto action = std::make_shared<std::string>("run");
            auto yes = std::make_shared<bool>(false);
            words.Argument("ACTION", "run, up or down", *action, false);
            words.Takes("ACTION", {"run", "up", "down"});
            words.Flag("yes", "do not ask", *yes);
            return [action, yes](Context& context) {
              if (*action == "run") return RunStory(context);
              if (*action == "up") return DemoUp(context);
              if (*action == "down") return DemoDown(context, *yes);
              return context.Fail(
                  Error(ErrorCode::kInvalid,
                        fmt::format("demo \"{}\" is not one of run, up, down", *action)));
            };
          }};
}

}  // namespace hsmops::cli
