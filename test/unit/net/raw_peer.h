// RawPeer and RawServer: TLS ends that do as a test says, well or badly, by OpenSSL alone.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "libhsmops/base/file.h"
#include "libhsmops/net/credentials.h"

namespace hsmops::net {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Ssl = std::unique_ptr<SSL, SslFree>;
using SslContext = std::unique_ptr<SSL_CTX, SslFree>;

// Never longer than this for a byte; a test that gets here has failed anyway.
inline void LimitWaiting(int socket) {
  const timeval limit{20, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

inline sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline int PortOf(const std::string& address) {
  return std::stoi(address.substr(address.rfind(':') + 1));
}

// Of "127.0.0.1:443"; any other form means loopback.
inline sockaddr_in AddressIn(const std::string& address) {
  sockaddr_in in = Loopback(PortOf(address));
  (void)inet_pton(AF_INET, address.substr(0, address.rfind(':')).c_str(), &in.sin_addr);
  return in;
}

inline base::Fd Dial(const std::string& address) {
  base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  LimitWaiting(socket.get());
  const int yes = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const sockaddr_in to = AddressIn(address);
  REQUIRE(connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  return socket;
}

inline SslContext MakeContext(const CredentialFiles* files, int version) {
  SslContext context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (files != nullptr) {
    REQUIRE(SSL_CTX_use_certificate_chain_file(context.get(), files->cert.c_str()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context.get(), files->key.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  return context;
}

// A client that believes any server.
class RawPeer {
 public:
  explicit RawPeer(const std::string& address, const CredentialFiles* files = nullptr,
                   int version = TLS1_3_VERSION)
      : socket_(Dial(address)), context_(MakeContext(files, version)) {
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_.get());
    shaken_ = SSL_connect(ssl_.get()) == 1;
    ERR_clear_error();
  }

  bool shaken() const { return shaken_; }
  // Less than all of it: the other end closed.
  std::size_t Send(std::string_view text) {
    std::size_t done = 0;
    while (done < text.size()) {
      std::size_t n = 0;
      const std::size_t piece = std::min<std::size_t>(text.size() - done, 16384);
      if (SSL_write_ex(ssl_.get(), text.data() + done, piece, &n) != 1) break;
      done += n;
    }
    ERR_clear_error();
    return done;
  }
  // Until the other end closes, or until `enough` has come.
  std::string Read(std::string_view enough = {}) {
    std::string all;
    char piece[16384];
    std::size_t n = 0;
    while ((enough.empty() || all.find(enough) == std::string::npos) &&
           SSL_read_ex(ssl_.get(), piece, sizeof piece, &n) == 1) {
      all.append(piece, n);
    }
    ERR_clear_error();
    return all;
  }
  std::string Ask(std::string_view request) {
    Send(request);
    return Read();
  }
  // The certificate that the server showed.
  std::string ServerUri() {
    X509* certificate = SSL_get1_peer_certificate(ssl_.get());
    std::string uri = UriNames(*certificate).front();
    X509_free(certificate);
    return uri;
  }
  std::string ServerSerial() {
    const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
            static_cast<std::size_t>(ASN1_STRING_length(serial))};
  }

 private:
  base::Fd socket_;
  SslContext context_;
  Ssl ssl_;
  bool shaken_ = false;
};

// A server that takes one connection after the other and does with each what `serve` says.
class RawServer {
 public:
  class Line {
   public:
    explicit Line(SSL* ssl) : ssl_(ssl) {}
    // One request: until the empty line, and `body` more bytes. Empty: the other end closed.
    std::string Read(std::size_t body = 0) {
      std::string all;
      char piece[16384];
      std::size_t n = 0;
      for (;;) {
        const std::size_t end = all.find("\r\n\r\n");
        if (end != std::string::npos && all.size() >= end + 4 + body) return all;
        if (SSL_read_ex(ssl_, piece, sizeof piece, &n) != 1) return {};
        all.append(piece, n);
      }
    }
    void Write(std::string_view text) {
      std::size_t n = 0;
      SSL_write_ex(ssl_, text.data(), text.size(), &n);
    }

   private:
    SSL* ssl_;
  };
  using Serve = std::function<void(Line&)>;

  RawServer(const CredentialFiles& files, Serve serve, int version = TLS1_3_VERSION)
      : context_(MakeContext(&files, version)),
        serve_(std::move(serve)),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER,
                       [](int, X509_STORE_CTX*) { return 1; });  // anybody
    SSL_CTX_set_num_tickets(context_.get(), 0);
    sockaddr_in at = Loopback(0);
    socklen_t size = sizeof at;
    REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(listen(listener_.get(), 16) == 0);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~RawServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  int handshakes() const { return handshakes_; }

 private:
  void Run() {
    for (;;) {
      const base::Fd socket(accept(listener_.get(), nullptr, nullptr));
      if (!socket) return;
      LimitWaiting(socket.get());
      const Ssl ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), socket.get());
      if (SSL_accept(ssl.get()) == 1) {
        ++handshakes_;
        Line line(ssl.get());
        serve_(line);
      }
      ERR_clear_error();
    }
  }

  SslContext context_;
  Serve serve_;
  base::Fd listener_;
  int port_ = 0;
  std::atomic<int> handshakes_{0};
  std::thread thread_;
};

}  // namespace hsmops::net
