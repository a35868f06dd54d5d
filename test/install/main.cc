// A program that knows nothing of this repository but what `cmake --install` put in place: a secret
// is written to a token in memory and read back from it, and told to itself over mutual TLS.
#include <fmt/format.h>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/net/certificate_authority.h"
#include "libhsmops/net/curl_transport.h"
#include "libhsmops/net/http_server.h"
#include "libhsmops/store/secret_store.h"
#include "libhsmops/token/memory_token.h"

namespace base = hsmops::base;
namespace net = hsmops::net;
namespace store = hsmops::store;
namespace token = hsmops::token;

namespace {

// The answer to a request of this program to itself; empty: something went wrong.
std::string Ask(const std::string& folder) {
  base::SystemClock clock;
  const net::Identity self{"payments", net::Role::kMember, "worker-1"};
  const auto ca = net::CertificateAuthority::Create(self.pool, clock.Wall());
  if (!ca.ok()) return {};
  const auto authority = net::CertificateAuthority::Load(base::AsBytes(ca->certificate), ca->key);
  const auto issued = authority->Issue({self, {}, {}, std::chrono::hours(1)}, clock.Wall());
  const net::CredentialFiles files{folder + "/ca.crt", folder + "/tls.crt", folder + "/tls.key"};
  if (!base::WriteFile(files.ca, base::AsBytes(ca->certificate), 0600).ok() ||
      !base::WriteFile(files.cert, base::AsBytes(issued->certificate), 0600).ok() ||
      !base::WriteFile(files.key, issued->key, 0600).ok()) {
    return {};
  }
  const auto credentials = net::CredentialSource::Open(files, clock);
  if (!credentials.ok()) return {};
  const auto server = net::HttpServer::Start(
      {"127.0.0.1:0", 1, {{"work", 1, 1}}, {}}, **credentials, clock,
      [](const net::Received& head) { return net::PlainReply(200, head.identity.text()); },
      nullptr);
  if (!server.ok()) return {};
  net::CurlTransport transport(**credentials, clock);
  net::Request request;
  request.method = "GET";
  request.path = "/";
  request.deadline = clock.Now() + std::chrono::seconds(20);
  const auto answer =
      transport.Call({"https://" + (*server)->address(), *self.Id()}, std::move(request));
  if (!answer.ok()) return {};
  return {answer->body.view().begin(), answer->body.view().end()};
}

}  // namespace

int main(int, char** argv) {
  base::SeededRng rng(1);
  base::ManualClock clock;
  token::MemoryToken device({"payments", "test", "memory", "1"}, token::kSoftHsm, rng);
  store::Ledger ledger = store::Ledger::InMemory();
  store::SecretStore secrets(device, ledger, clock, rng);

  const auto pool = rng.Array<16>();
  const auto member = rng.Array<16>();
  const store::Epoch epoch{1, {}};
  if (auto open = secrets.Open(pool, member); !open.ok()) return 1;
  if (auto done = secrets.Initialize(pool, member, {epoch, 1}, false); !done.ok()) return 2;

  const auto name = store::SecretName::Parse("app/db");
  std::vector<store::Write> writes;
  writes.push_back({.name = *name, .op_id = rng.Array<16>()});
  writes[0].keys["password"] = base::SecretBytes::FromText("correct horse");
  const auto staged =
      secrets.Stage(std::move(writes), epoch, 1024, [] { return base::Result<void>(); });
  if (!staged[0].ok()) return 3;

  const auto read = secrets.Read(*name);
  if (!read.ok() || !read->has_value()) return 4;
  fmt::print("{} has {} key of {} bytes\n", (*read)->name.text(), (*read)->keys.size(),
             (*read)->keys.at("password").size());
  fmt::print("{}", Ask(argv[1]));
  return 0;
}
