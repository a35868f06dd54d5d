#include "cli/wire.h"

#include <fmt/format.h>

#include "libhsmops/agent/client.h"
#include "libhsmops/agent/http_channel.h"
#include "libhsmops/agent/server.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

class Refusing : public agent::Channel {
 public:
  explicit Refusing(Error error) : error_(std::move(error)) {}
  Result<base::SecretBytes> Call(base::SecretBytes) override { return error_; }

 private:
  const Error error_;
};

}  // namespace

net::CredentialFiles FilesFor(const WireFiles& named, const std::string& cluster_folder) {
  const std::string own = cluster_folder + "/certs/cli/";
  return {named.ca.empty() ? own + "ca.crt" : named.ca,
          named.cert.empty() ? own + "tls.crt" : named.cert,
          named.key.empty() ? own + "tls.key" : named.key};
}

Result<std::unique_ptr<Wire>> Wire::Open(const net::CredentialFiles& files, base::Clock& clock) {
  auto source = net::CredentialSource::Open(files, clock);
  if (source.Is(ErrorCode::kNotFound)) {
    return Error(
        ErrorCode::kAuthFailed,
        fmt::format("{}: agents are asked with a certificate: name it by "
                    "--certificate-authority, --client-certificate and --client-key, or "
                    "make one: kubectl hsm certs init with a new CA, kubectl hsm certs "
                    "issue --manager cli --out {} with the one that is there",
                    source.error().message(), base::Printable(base::FolderOf(files.cert))));
  }
  // Whatever is wrong with it, the words of the command are not.
  if (!source.ok()) return Error(ErrorCode::kAuthFailed, source.error().message());
  return std::unique_ptr<Wire>(new Wire(*std::move(source), clock));
}

std::unique_ptr<mirror::Member> Wire::Reach(const std::string& node, const std::string& url) {
  const auto id = net::Identity{identity().pool, net::Role::kMember, node}.Id();
  if (!id.ok()) return Unreachable(id.error());
  return agent::ReachMember(transport_, identity().pool, node, url, clock_);
}

store::Uid Wire::pool() const { return agent::PoolUidOf(credentials_->Current()->identity().pool); }

std::unique_ptr<mirror::Member> Unreachable(const Error& error) {
  return std::make_unique<agent::Client>(std::make_unique<Refusing>(error));
}

}  // namespace hsmops::cli
