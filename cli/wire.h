// Wire: how this command reaches agents over HTTPS, with the certificate that proves who asks.
#pragma once

#include <memory>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/net/curl_transport.h"

namespace hsmops::cli {

// What --certificate-authority, --client-certificate and --client-key name; empty ones are looked
// for in DIR/certs/cli, where certs init puts them.
struct WireFiles {
  std::string ca;
  std::string cert;
  std::string key;
};
net::CredentialFiles FilesFor(const WireFiles& named, const std::string& cluster_folder);

class Wire {
 public:
  // kInvalid, kNotFound, with what to do: no usable certificate. `clock` must outlive it.
  static base::Result<std::unique_ptr<Wire>> Open(const net::CredentialFiles& files,
                                                  base::Clock& clock);

  // The agent of this node at https://host:port.
  std::unique_ptr<mirror::Member> Reach(const std::string& node, const std::string& url);
  // What the pool of this certificate is known by.
  store::Uid pool() const;
  net::Identity identity() const { return credentials_->Current()->identity(); }
  net::Transport& transport() { return transport_; }
  net::CredentialSource& credentials() { return *credentials_; }

 private:
  Wire(std::unique_ptr<net::CredentialSource> credentials, base::Clock& clock)
      : clock_(clock), credentials_(std::move(credentials)), transport_(*credentials_, clock) {}

  base::Clock& clock_;
  std::unique_ptr<net::CredentialSource> credentials_;
  net::CurlTransport transport_;
};

// A member whose every request is this error.
std::unique_ptr<mirror::Member> Unreachable(const base::Error& error);

}  // namespace hsmops::cli
