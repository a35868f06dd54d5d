#include "test/kube/fault_proxy.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <future>
#include <list>

namespace hsmops::test {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;

constexpr unsigned short kServerPort = 6443;
constexpr unsigned short kFaultPort = 6444;
constexpr std::size_t kPiece = 16384;

void ThrowUnless(bool fine, const beast::error_code& error) {
  if (!fine) throw beast::system_error(error);
}

// What there is of a body, at once, and its end.
template <typename Parser, typename Serializer>
void PassPiece(TlsStream& from, beast::flat_buffer& buffer, Parser& parser, TlsStream& to,
               Serializer& serializer) {
  std::array<char, kPiece> piece;
  beast::error_code error;
  auto& body = parser.get().body();
  std::size_t size = 0;
  if (!parser.is_done()) {
    body.data = piece.data();
    body.size = piece.size();
    http::read_some(from, buffer, parser, error);
    ThrowUnless(!error || error == http::error::need_buffer, error);
    size = piece.size() - body.size;
  }
  if (size == 0 && !parser.is_done()) return;
  body.data = size == 0 ? nullptr : piece.data();
  body.size = size;
  body.more = !parser.is_done();
  http::write(to, serializer, error);
  ThrowUnless(!error || error == http::error::need_buffer, error);
}

// True: the connection may be used again.
bool PassAnswer(TlsStream& from, TlsStream& to) {
  beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  http::read_header(from, buffer, parser);
  http::response_serializer<http::buffer_body> serializer(parser.get());
  http::write_header(to, serializer);
  while (!serializer.is_done()) PassPiece(from, buffer, parser, to, serializer);
  return parser.get().keep_alive();
}

std::string StatusText(int code) {
  return fmt::format(R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure",)"
                     R"("message":"the test answers {0}","reason":"Fault","code":{0}}})",
                     code);
}

}  // namespace

struct FaultProxy::Tls {
  asio::io_context io;
  asio::ssl::context server{asio::ssl::context::tls_server};
  asio::ssl::context client{asio::ssl::context::tls_client};

  explicit Tls(const Certificates& files) {
    server.use_certificate_chain_file(files.cert);
    server.use_private_key_file(files.key, asio::ssl::context::pem);
    client.load_verify_file(files.ca);
    client.set_verify_mode(asio::ssl::verify_peer);
  }
};

struct FaultProxy::Request {
  http::request<http::string_body> message;

  bool IsWatch() const { return message.target().find("watch=1") != beast::string_view::npos; }
};

class FaultProxy::Open {
 public:
  Open(FaultProxy& proxy, int socket) : proxy_(proxy), socket_(socket) {
    const std::lock_guard lock(proxy_.mutex_);
    proxy_.sockets_[socket_] = false;
    if (proxy_.ends_) shutdown(socket_, SHUT_RDWR);
  }
  ~Open() {
    const std::lock_guard lock(proxy_.mutex_);
    proxy_.sockets_.erase(socket_);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

 private:
  FaultProxy& proxy_;
  const int socket_;
};

FaultProxy::FaultProxy(const Network& network, const std::string& node, Certificates certificates)
    : network_(network),
      node_(node),
      url_(fmt::format("https://{}:{}", network.AddressOf(node), kFaultPort)) {
  std::promise<void> listens;
  accepts_ = std::jthread([this, certificates = std::move(certificates), &listens] {
    Accept(certificates, [&listens] { listens.set_value(); });
  });
  listens.get_future().wait();
}

FaultProxy::~FaultProxy() {
  const std::lock_guard lock(mutex_);
  ends_ = true;
  changed_.notify_all();
  for (const auto& [socket, watch] : sockets_) shutdown(socket, SHUT_RDWR);
}

void FaultProxy::Set(std::vector<Fault> faults) {
  const std::lock_guard lock(mutex_);
  faults_ = std::move(faults);
  ++set_;
  met_ = 0;
  changed_.notify_all();
}

int FaultProxy::met() const {
  const std::lock_guard lock(mutex_);
  return met_;
}

int FaultProxy::CutWatches() {
  const std::lock_guard lock(mutex_);
  int cut = 0;
  for (const auto& [socket, watch] : sockets_) {
    if (!watch) continue;
    shutdown(socket, SHUT_RDWR);
    ++cut;
  }
  return cut;
}

std::optional<Fault> FaultProxy::FaultOf(const Request& request, int& since) {
  const std::string method(request.message.method_string());
  const std::string target(request.message.target());
  const std::lock_guard lock(mutex_);
  since = set_;
  for (const Fault& fault : faults_) {
    if (!fault.methods.empty() && fault.methods.find(method) == std::string::npos) continue;
    if (target.find(fault.path) == std::string::npos) continue;
    ++met_;
    return fault;
  }
  return std::nullopt;
}

void FaultProxy::WaitWhile(int since) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ends_ || set_ != since; });
}

class FaultProxy::Client {
 public:
  Client(FaultProxy& proxy, Tls& tls, int socket)
      : proxy_(proxy),
        tls_(tls),
        stream_(TakeOver(tls, socket), tls.server),
        open_(proxy, socket) {}

  // Until one of the two ends, or somebody cuts it.
  void Serve() {
    stream_.handshake(asio::ssl::stream_base::server);
    beast::flat_buffer buffer;
    for (bool more = true; more;) {
      Request request;
      http::read(stream_, buffer, request.message);
      more = Answer(request);
    }
  }

 private:
  static tcp::socket TakeOver(Tls& tls, int socket) { return {tls.io, tcp::v4(), socket}; }
  // Both: true if the connection may be used again.
  bool Answer(Request& request);
  bool PassOn(Request& request, const std::optional<Fault>& fault, int since);

  FaultProxy& proxy_;
  Tls& tls_;
  TlsStream stream_;
  const Open open_;
};

bool FaultProxy::Client::Answer(Request& request) {
  int since = 0;
  const std::optional<Fault> fault = proxy_.FaultOf(request, since);
  if (!fault || fault->kind == FaultKind::kLoseAnswer || fault->kind == FaultKind::kKeepAnswer)
    return PassOn(request, fault, since);
  if (fault->kind == FaultKind::kHang) {
    proxy_.WaitWhile(since);
    return false;
  }
  const bool expires = fault->kind == FaultKind::kExpire;
  http::response<http::string_body> answer;
  answer.result(expires ? 200U : static_cast<unsigned>(fault->status));
  answer.set(http::field::content_type, "application/json");
  if (fault->status == 429) answer.set(http::field::retry_after, "1");
  answer.body() = expires ? fmt::format("{{\"type\":\"ERROR\",\"object\":{}}}\n", StatusText(410))
                          : StatusText(fault->status);
  answer.prepare_payload();
  http::write(stream_, answer);
  return true;
}

bool FaultProxy::Client::PassOn(Request& request, const std::optional<Fault>& fault, int since) {
  TlsStream server(tls_.io, tls_.client);
  server.next_layer().connect({asio::ip::address_v4::loopback(), kServerPort});
  const int socket = server.next_layer().native_handle();
  const Open open(proxy_, socket);
  server.handshake(asio::ssl::stream_base::client);
  http::write(server, request.message);
  if (fault) {
    beast::flat_buffer buffer;
    http::response<http::string_body> unheard;
    http::read(server, buffer, unheard);
    if (fault->kind == FaultKind::kKeepAnswer) proxy_.WaitWhile(since);
    return false;
  }
  if (request.IsWatch()) {
    const std::lock_guard lock(proxy_.mutex_);
    proxy_.sockets_[socket] = true;
  }
  return PassAnswer(server, stream_);
}

void FaultProxy::Accept(const Certificates& certificates, const std::function<void()>& listens) {
  const Network::Visit there(network_, node_);
  Tls tls(certificates);
  tcp::acceptor acceptor(tls.io, tcp::endpoint(tcp::v4(), kFaultPort));
  const Open open(*this, acceptor.native_handle());
  listens();
  std::list<std::jthread> clients;
  for (beast::error_code error; !error;) {
    tcp::socket socket = acceptor.accept(tls.io, error);
    if (error) return;  // the object's end
    clients.emplace_back([this, &tls, socket = socket.release()] {
      try {
        Client(*this, tls, socket).Serve();
      } catch (const beast::system_error&) {
        // Cut, which is what this is for; the client says what it makes of it.
      }
    });
  }
}

}  // namespace hsmops::test
